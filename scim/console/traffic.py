"""What other pages show of the traffic: the last requests, and how many each key made today."""

from schemas.datetimes import now
from scim.console.web import database
from scim.traffic import summaries
from scim.web.requests import perch
from storage import traffic
from storage.traffic import TrafficEntry, TrafficQuery

MODES = {
    "off": "Requests are not kept (PERCH_TRAFFIC=off).",
    "errors": "Only failed requests are kept (PERCH_TRAFFIC=errors).",
    "all": "Every request is kept (PERCH_TRAFFIC=all).",
}


def mode() -> str:
    """Return which requests are kept: off, errors or all."""
    return str(perch().settings["PERCH_TRAFFIC"])


def latest(count: int, *, errors: bool = False) -> list[tuple[TrafficEntry, str]]:
    """Return the last requests, each with what the client was doing, in words."""
    with database().read() as connection:
        found = traffic.entries(connection, TrafficQuery(errors=errors), count)
    return in_words(found)


def in_words(entries: list[TrafficEntry]) -> list[tuple[TrafficEntry, str]]:
    """Return requests, each with what the client was doing."""
    return [(entry, summaries.of_entry(entry)) for entry in entries]


def per_key_today() -> dict[str, int]:
    """Return how many requests of each key were kept since midnight, UTC."""
    with database().read() as connection:
        return traffic.count_per_key(connection, now()[:10])
