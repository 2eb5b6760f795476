"""Hostile requests neither slow down nor break the pages and commands that show them."""

import time
from urllib.parse import quote

import pytest

from schemas.errors import InvalidFilter
from schemas.filters.parser import parse_filter
from scim.observability.redaction import MARK, redacted_text
from scim.traffic.summaries import in_words
from tests.conftest import MakeApp
from tests.support.commands import create_key, run_command, run_json, scim_path
from tests.support.console import PASSWORD, Console

DEEP = '{"a":' * 3000 + "1" + "}" * 3000
LONG = 60_000


@pytest.mark.parametrize("begun", ["passw" * LONG, "token:" * LONG, "api-key" * LONG, "passw" + " " * LONG])
def test_redaction_takes_linear_time(begun: str) -> None:
    began = time.thread_time()
    redacted_text(begun + " x")
    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('userName pr and password eq "x y"', f"userName pr and password eq {MARK}"),
        ('user[accessToken co "x"]', f"user[accessToken co {MARK}]"),
        ('my access key eq "x" and title eq "y"', f'my access key eq {MARK} and title eq "y"'),
        ("x urn:x:Secret.value+EQ+abc", f"x urn:x:Secret.value+EQ+{MARK}"),
        ('title eq "password is long"', 'title eq "password is long"'),
    ],
)  # fmt: skip
def test_compared_secrets_are_redacted(text: str, kept: str) -> None:
    assert redacted_text(text) == kept


@pytest.mark.parametrize("text", ["a" * 4000 + " " * 4000 + "x", "urn:" + "a:" * 4000, "userName" + " " * 8000 + "x"])
def test_summaries_take_linear_time(text: str) -> None:
    began = time.thread_time()
    for idp in ("okta", "entra", None):
        in_words("GET", f"/w/scim/v2/Users?filter={quote(text)}", None, idp)
        in_words("GET", f"/w/scim/v2/Groups?filter={quote(text)}", None, idp)
    assert time.thread_time() - began < 2


def test_an_unquoted_value_is_refused_in_linear_time() -> None:
    began = time.thread_time()
    with pytest.raises(InvalidFilter, match="double quotes"):
        parse_filter("title eq x" + " " * 16_000 + "y")
    assert time.thread_time() - began < 1


def test_a_deeply_nested_request_breaks_no_page_or_command(make_app: MakeApp) -> None:
    app = make_app(PERCH_ADMIN_PASSWORD=PASSWORD)
    headers = {"Authorization": create_key(app, "any"), "Content-Type": "application/json"}
    assert app.test_client().post(f"{scim_path(app)}/Users", data=DEEP, headers=headers).status_code == 400
    app.extensions["perch.traffic"].writer.flush()
    console = Console(app)
    console.sign_in()
    assert console.get("/requests").status_code == 200
    number = run_json(app, "traffic", "--json")[0]["seq"]
    assert console.get(f"/requests/{number}").status_code == 200
    assert "POST" in run_command(app, "traffic", "show", str(number))


HALVES = [
    '{"Operations": [{"op": "replace", "path": "\\ud800", "value": 1}]}',
    '{"Operations": [{"op": "add", "path": "urn:x:\\ud800", "value": 1}]}',
    '{"Operations": [{"op": "add", "value": {"\\ud800": 1}}]}',
    '{"userName": "\\ud800"}',
    '{"userName": "ann", "password": "x", "\\ud800": {"x": ["\\udfff\\ud800"]}}',
    '{"Operations": [{"op": "remove", "path": "emails[type eq \\"\\ud800\\"]"}]}',
]


@pytest.mark.parametrize("body", HALVES)
def test_half_of_a_surrogate_pair_breaks_no_page_or_command(body: str, make_app: MakeApp) -> None:
    app = make_app(PERCH_ADMIN_PASSWORD=PASSWORD)
    headers = {"Authorization": create_key(app, "any"), "Content-Type": "application/json"}
    for method, path in (("POST", "/Users"), ("PATCH", "/Users/none"), ("PATCH", "/Groups/\\ud800")):
        answer = app.test_client().open(f"{scim_path(app)}{path}", method=method, data=body, headers=headers)
        assert answer.status_code == 400
    app.extensions["perch.traffic"].writer.flush()
    console = Console(app)
    console.sign_in()
    for path in ("/", "/requests", "/requests/quirks", "/keys", "/setup", "/okta"):
        assert console.get(path).status_code == 200
    for entry in run_json(app, "traffic", "--json"):
        page = console.get(f"/requests/{entry['seq']}")
        assert page.status_code == 200
        assert "\\ud800" in page.text
        run_command(app, "traffic", "show", str(entry["seq"]))
