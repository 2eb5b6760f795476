"""The console's "Test connector": sends Okta's requests to this server, in this process and over the public URL.

It is imported only when the button is pressed, so that workers do not load the HTTP client earlier.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

from flask import current_app

from scim.console import public_url
from scim.console.public_url import Outcome
from scim.console.web import author
from scim.emulator import expect
from scim.emulator.client import ScimClient
from scim.emulator.dialects import OKTA_HEADERS
from scim.emulator.runner import CheckFailed, CheckStep, Result, TestRun, run_checks
from scim.emulator.wsgi_adapter import wsgi_session
from scim.service import keys as key_service
from scim.traffic import probes
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


class ConnectorTest(NamedTuple):
    """What Perch answers to Okta's requests inside this process, and what came over its public URL."""

    answers: list[Result]
    public: Outcome

    @property
    def answered(self) -> bool:
        """Whether Perch answers as Okta expects."""
        return all(result.passed for result in self.answers)


def run_connector_test(pasted: str) -> ConnectorTest:
    """Return what Perch answers with the pasted key, or else with a temporary one."""
    own = {probes.HEADER: probes.mark(perch().database)}
    pasted = " ".join(pasted.split())
    with nullcontext(pasted) if pasted else temporary_key() as key:
        client = ScimClient(base_url(), key, wsgi_session(current_app.wsgi_app, origin()))
        client.session.headers.update(own)
        answers = list(run_checks(TestRun(client), [STEP]))
        return ConnectorTest(answers, public_url.check(base_url(), key, {**OKTA_HEADERS, **own}))


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
