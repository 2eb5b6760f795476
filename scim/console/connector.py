"""The console's "Test connector": sends the requests of Okta's "Test Connector Configuration" to this server.

It is imported only when the button is pressed, so that workers do not load the HTTP client earlier.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from flask import current_app

from scim.console.web import author
from scim.emulator import expect
from scim.emulator.client import OktaClient
from scim.emulator.runner import CheckFailed, CheckStep, Result, TestRun, run_checks
from scim.emulator.wsgi_adapter import wsgi_session
from scim.service import keys as key_service
from scim.web.requests import base_url, origin, perch

NAME = "Test connector"
NOBODY = "perch-connector-test@example.invalid"
MINUTE = 1 / 24 / 60

STEP = CheckStep("connector", NAME)
REFUSED = "Okta refuses to save the connection."
LISTS = "RFC 7644 section 3.4.2."


@STEP.check("Users can be imported", "200 with a complete list", REFUSED, LISTS)
def users(run: TestRun) -> None:
    reply = run.get("/Users", startIndex=1, count=2)
    expect.numbers(reply)
    if len(expect.resources(reply)) > 2:
        raise CheckFailed("more than 2 users")


@STEP.check("Groups can be imported", "200 with a complete list", REFUSED, LISTS)
def groups(run: TestRun) -> None:
    reply = run.get("/Groups", startIndex=1, count=100)
    expect.numbers(reply)
    expect.resources(reply)


@STEP.check("A user can be looked up by userName", "200 with an empty list", REFUSED, LISTS)
def look_up(run: TestRun) -> None:
    reply = run.find_user(NOBODY)
    expect.numbers(reply)
    expect.empty_list(reply)


@STEP.check("A caller without a key is refused", "401 with a SCIM error", REFUSED, "RFC 7644 section 3.12.")
def no_key(run: TestRun) -> None:
    expect.error(run.send("GET", "/Users", headers={"Authorization": None}), 401)


def run_connector_test(pasted: str) -> list[Result]:
    """Return the result of each check, with the pasted key or else a temporary one."""
    with nullcontext(pasted) if pasted else temporary_key() as key:
        client = OktaClient(base_url(), key, wsgi_session(current_app.wsgi_app, origin()))
        return list(run_checks(TestRun(client), [STEP]))


@contextmanager
def temporary_key() -> Iterator[str]:
    """Yield a read-only key that expires after a minute, and delete it at the end."""
    key, text = key_service.make_key(NAME, "okta", "read", None, MINUTE)
    with perch().repository.writing(author()) as write:
        key_service.add(write, key)
    try:
        yield text
    finally:
        with perch().repository.writing(author()) as write:
            key_service.discard(write, key)
