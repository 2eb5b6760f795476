"""The emulator against another server, scim2-server: golden reports of what Okta needs and this server lacks.

`python -m tests.emulator.test_peer` rewrites them.
"""

import re
from pathlib import Path

import pytest
from scim2_server.memory import InMemoryStorage
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.utils import load_default_provider

from scim.emulator.checks import STEPS
from scim.emulator.client import ScimClient
from scim.emulator.dialects import OKTA_APPS
from scim.emulator.report import ResultTable, in_words
from scim.emulator.runner import PASSED, TestRun, clean_up, run_checks
from scim.emulator.wsgi_adapter import wsgi_session

GOLDEN = Path(__file__).parents[1] / "golden" / "okta-peer"


def golden(dialect: str) -> Path:
    return GOLDEN / f"scim2-server-{dialect}.txt"


def report_of(dialect: str) -> str:
    """The rows of all checks that did not pass, without random parts."""
    peer = BearerTokenApplication(InMemoryStorage(), load_default_provider(), bearer_tokens=["k"])
    client = ScimClient("http://peer.example/v2", "k", wsgi_session(peer, "http://peer.example"))
    run = TestRun(client, dialect, ["managed:inbox_agent", "managed:admin"])
    lines: list[str] = []
    table = ResultTable(lines.append, "utf-8")
    results = list(run_checks(run, STEPS))
    for result in results:
        if result.outcome != PASSED:
            table.show(result)
    ids = [identifier for created in run.created.values() for identifier in created]
    assert clean_up(run) == []
    text = "\n".join([*lines, "", in_words(results)]).replace(run.tag, "TAG")
    for identifier in ids:
        text = text.replace(identifier, "ID")
    return "\n".join(re.sub(r"(?<=\S) {2,}", "  ", line) for line in text.strip().split("\n")) + "\n"


@pytest.mark.parametrize("dialect", OKTA_APPS)
def test_the_report_of_the_other_server_is_the_golden_one(dialect: str) -> None:
    assert report_of(dialect) == golden(dialect).read_text(encoding="utf-8")


if __name__ == "__main__":
    for each in OKTA_APPS:
        golden(each).write_text(report_of(each), encoding="utf-8")
