"""The hint about a wrong key or URL, and marks that the terminal can show."""

import pytest

from scim.emulator.report import ResultTable, connection_hint
from scim.emulator.runner import FAILED, PASSED, Result


@pytest.mark.parametrize(
    ("outcome", "got", "option"),
    [
        (FAILED, "401 The access key is not valid", "--key"),
        (FAILED, "404 Not found", "--url"),
        (FAILED, "an answer of an unexpected shape", None),
        (PASSED, "401", None),
    ],
)
def test_a_refused_first_request_gives_a_hint(outcome: str, got: str, option: str | None) -> None:
    hint = connection_hint([Result("users", "Connector", "Users", "GET /Users", "200", got, outcome)])
    assert hint is None if option is None else option in str(hint)
    assert connection_hint([]) is None


def test_a_terminal_that_cannot_show_the_marks_gets_ascii() -> None:
    lines: list[str] = []
    result = Result("users", "Import", "Zoë", "GET /Users", "200", "1, 101 …", FAILED, "Okta stops.", "RFC 7644")
    ResultTable(lines.append, "ascii").show(result)
    assert lines[3].startswith("FAILED")
    assert "".join(lines).isascii()


def test_the_failed_checks_are_listed_at_the_end() -> None:
    lines: list[str] = []
    results = [
        Result("a", "Import", "pages", "GET /Users", "200", "500 Oops", FAILED),
        Result("b", "Import", "names", "GET /Users", "200", "200", PASSED),
        Result("c", "Push", "groups", "POST /Groups", "201", "404 Not found", FAILED),
    ]
    ResultTable(lines.append, "utf-8").list_failures(results)
    assert lines == ["✗ Import: pages: 500 Oops", "✗ Push: groups: 404 Not found"]
