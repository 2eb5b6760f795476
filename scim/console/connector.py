"""The console's "Test connector": what Okta sends on "Test Connector Configuration", against this server itself.

The page imports this module when somebody presses the button: a worker needs no HTTP client before.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flask import Flask

from scim.console.web import base_url, database, origin
from scim.emulator.client import Exchange, OktaClient, look_up
from scim.emulator.in_process import session_into
from scim.service.keys import make_key
from storage import keys

NAME = "Test connector"
NOBODY = "perch-connector-test@example.invalid"
MINUTE = 1 / 24 / 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the result: what Okta asks, what must hold, what came, and whether that is enough."""

    title: str
    request: str
    expected: str
    got: str
    passed: bool


Ask = tuple[str, str, str, dict[str, object] | None, Callable[[Exchange], bool]]


def _page_of_two(exchange: Exchange) -> bool:
    return _is_list(exchange) and len(exchange.document["Resources"]) <= 2


def _is_list(exchange: Exchange) -> bool:
    """Tell whether an answer is a complete list, with JSON numbers: a string stops Okta without a word."""
    found = exchange.document
    numbers = ("totalResults", "startIndex", "itemsPerPage")
    return (
        exchange.status == 200
        and isinstance(found, dict)
        and isinstance(found.get("Resources"), list)
        and all(type(found.get(name)) is int for name in numbers)
    )


def _is_empty(exchange: Exchange) -> bool:
    return _is_list(exchange) and exchange.document["Resources"] == [] and exchange.document["totalResults"] == 0


def _is_refusal(exchange: Exchange) -> bool:
    found = exchange.document
    return exchange.status == 401 and isinstance(found, dict) and found.get("status") == "401" and "detail" in found


ASKS: tuple[Ask, ...] = (
    ("Users can be imported", "/Users", "200 with a complete list", {"startIndex": 1, "count": 2}, _page_of_two),
    ("Groups can be imported", "/Groups", "200 with a complete list", {"startIndex": 1, "count": 100}, _is_list),
    ("A user is looked up by userName", "/Users", "200 with an empty list", look_up("userName", NOBODY), _is_empty),
)
UNKEYED: Ask = ("A caller without a key is refused", "/Users", "401 with a SCIM error", None, _is_refusal)


def play(app: Flask, key: str) -> Iterator[Outcome]:
    """Yield the outcome of each request that Okta's test makes with a key."""
    client = OktaClient(base_url(), key, session_into(app.wsgi_app, origin()))
    for ask in ASKS:
        yield _outcome(ask, client.send("GET", ask[1], ask[3]))
    yield _outcome(UNKEYED, client.send("GET", UNKEYED[1], headers={"Authorization": None}))


def _outcome(ask: Ask, exchange: Exchange) -> Outcome:
    title, _, expected, _, holds = ask
    passed = holds(exchange)
    got = str(exchange.status) if passed else f"{exchange.status} {exchange.detail}".strip()
    return Outcome(title, exchange.request, expected, got, passed)


@contextmanager
def temporary_key() -> Iterator[str]:
    """Lend a key that reads, for a minute at most, and leaves no trace in the list of keys."""
    key, text = make_key(NAME, "okta", "read", None, MINUTE)
    with database().write() as connection:
        keys.insert(connection, key)
    try:
        yield text
    finally:
        with database().write() as connection:
            keys.discard(connection, key.id)
