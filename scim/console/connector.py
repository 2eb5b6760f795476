"""The console's "Test connector": sends to this server the requests of Okta's "Test Connector Configuration"."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from flask import Response, current_app

from scim.console.blueprint import console
from scim.console.setup import shown
from scim.console.web import base_url, database, field, origin
from scim.emulator.client import OktaClient, Query, Reply, look_up
from scim.emulator.wsgi_adapter import wsgi_session
from scim.service.keys import make_key
from storage import keys

NAME = "Test connector"
NOBODY = "perch-connector-test@example.invalid"
MINUTE = 1 / 24 / 60


@dataclass(frozen=True, slots=True)
class Probe:
    """One request of the test, and what its reply must be."""

    title: str
    path: str
    expected: str
    query: Query | None
    accepts: Callable[[Reply], bool]


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One line of the page: the probe, the reply in short, and whether the probe accepts it."""

    title: str
    request: str
    expected: str
    got: str
    passed: bool


def _page_of_two(reply: Reply) -> bool:
    return _is_list(reply) and len(reply.document["Resources"]) <= 2


def _is_list(reply: Reply) -> bool:
    """Return whether a reply is a complete list; Okta needs JSON numbers in it and stops silently at text."""
    found = reply.document
    numbers = ("totalResults", "startIndex", "itemsPerPage")
    return (
        reply.status == 200
        and isinstance(found, dict)
        and isinstance(found.get("Resources"), list)
        and all(type(found.get(name)) is int for name in numbers)
    )


def _is_empty(reply: Reply) -> bool:
    return _is_list(reply) and reply.document["Resources"] == [] and reply.document["totalResults"] == 0


def _is_refusal(reply: Reply) -> bool:
    found = reply.document
    return reply.status == 401 and isinstance(found, dict) and found.get("status") == "401" and "detail" in found


PROBES = (
    Probe("Users can be imported", "/Users", "200 with a complete list", {"startIndex": 1, "count": 2}, _page_of_two),
    Probe("Groups can be imported", "/Groups", "200 with a complete list", {"startIndex": 1, "count": 100}, _is_list),
    Probe("A user can be looked up", "/Users", "200 with an empty list", look_up("userName", NOBODY), _is_empty),
)
WITHOUT_KEY = Probe("A caller without a key is refused", "/Users", "401 with a SCIM error", None, _is_refusal)


@console.post("/okta/test")
def test_connector() -> Response:
    """Run Okta's connection test with the key in the form, else with a temporary one, and show each result."""
    with nullcontext(field("key")) if field("key") else temporary_key() as key:
        results = list(send_probes(key))
    return shown(results)


def send_probes(key: str) -> Iterator[ProbeResult]:
    """Yield the result of each request that Okta's test sends with a key, and of one without a key."""
    client = OktaClient(base_url(), key, wsgi_session(current_app.wsgi_app, origin()))
    for probe in PROBES:
        yield _result(probe, client.send("GET", probe.path, probe.query))
    yield _result(WITHOUT_KEY, client.send("GET", WITHOUT_KEY.path, headers={"Authorization": None}))


def _result(probe: Probe, reply: Reply) -> ProbeResult:
    passed = probe.accepts(reply)
    got = str(reply.status) if passed else f"{reply.status} {reply.detail}".strip()
    return ProbeResult(probe.title, reply.request, probe.expected, got, passed)


@contextmanager
def temporary_key() -> Iterator[str]:
    """Yield a key that may read and expires after a minute; at the end it is deleted from the list of keys."""
    key, text = make_key(NAME, "okta", "read", None, MINUTE)
    with database().write() as connection:
        keys.insert(connection, key)
    try:
        yield text
    finally:
        with database().write() as connection:
            keys.discard(connection, key.id)
