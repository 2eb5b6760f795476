"""The table of the benchmark: each row a workload, what it is held against, and the targets of the ratio."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.bench import workloads as work
from tests.bench.directory import ROLES
from tests.bench.load import Operation
from tests.bench.workloads import World

Make = Callable[[World], Operation]
EFFECTIVE = "urn:perch:scim:schemas:extension:access:1.0:User"
LINEAR = 0.02


@dataclass(frozen=True, slots=True)
class Row:
    """A workload; targets are its rate's share of the baseline's, its p99 over the baseline's, and its growth."""

    name: str
    baseline: str
    make: Make
    at_least: float | None = None
    p99_at_most: float | None = None
    grows_at_most: float | None = 1.5


def _email(number: int) -> str:
    return f"person{number}@example.com"


def _external(number: int) -> str:
    return f"00u{number:08d}"


def deep(world: World) -> int:
    """Return the startIndex of a page nine tenths into the directory."""
    return world.people * 9 // 10 + 1


READS = [
    Row("GET a user", "B2", work.get_user, 0.75),
    Row("look up userName, found", "B2", lambda w: work.look_up(w, "userName", _email, True), 0.7),
    Row("look up userName, missing", "B2", lambda w: work.look_up(w, "userName", _email, False), 0.7),
    Row("look up externalId, found", "B2", lambda w: work.look_up(w, "externalId", _external, True), 0.7),
    Row("look up externalId, missing", "B2", lambda w: work.look_up(w, "externalId", _external, False), 0.7),
    Row("look up emails.value, found", "B2", lambda w: work.look_up(w, "emails.value", _email, True), 0.7),
    Row("look up emails.value, missing", "B2", lambda w: work.look_up(w, "emails.value", _email, False), 0.7),
    Row("page of 100", "B5", lambda w: work.page(w, lambda turn: 1), 0.5),
    Row("deep page of 100", "B5", lambda w: work.page(w, lambda turn: deep(w)), 0.5),
    Row("cursor page of 100", "B5", work.cursor_page, 0.5),
    Row("totalResults alone", "B2", lambda w: work.page(w, lambda turn: 1, count=0)),
]


def _filter(
    name: str, text: str, matches: Callable[[Any], bool], expected: Callable[[int], bool] | None, grows: float | None
) -> Row:
    return Row(name, "B2", lambda w: work.search(w, text, matches, expected), LINEAR, grows_at_most=grows)


FILTERS = [
    _filter(
        "userName sw", 'userName sw "person1"',
        lambda user: user["userName"].startswith("person1"), lambda n: str(n).startswith("1"), None,
    ),
    _filter(
        "emails[type eq and value co]", 'emails[type eq "work" and value co "@example"]',
        lambda user: user["emails"][0]["type"] == "work" and "@example" in user["emails"][0]["value"],
        lambda n: True, None,
    ),
    _filter(
        "meta.lastModified gt", 'meta.lastModified gt "2020-01-01T00:00:00Z"',
        lambda user: user["meta"]["lastModified"] > "2020", lambda n: True, None,
    ),
    _filter(
        "roles eq", 'roles eq "managed:admin"',
        lambda user: "managed:admin" in user["roles"], lambda n: ROLES[n % len(ROLES)] == "managed:admin", None,
    ),
    _filter(
        "effective role", f'{EFFECTIVE}:effectiveRoles.value eq "managed:analyst"',
        lambda user: "managed:analyst" in [role["value"] for role in user[EFFECTIVE]["effectiveRoles"]], None, None,
    ),
]  # fmt: skip
WRITES = [
    Row("POST a user", "B3", work.post_user, 0.5, 2.0),
    Row("PUT a user", "B3", work.put_user, 0.5, 2.0),
    Row("PATCH a user", "B3", work.patch_user, 0.5, 2.0),
    Row("remove and add a member, group of 100", "B3", partial(work.members, group="small")),
    Row("Okta session (5 requests)", "B3", work.okta_session),
]
# What is written changes what is counted, so the writes come last.
ROWS = [*READS, *FILTERS, *WRITES]
GROUPS = [
    ("remove and add a member", work.members),
    ("rename a group", work.rename),
    ("GET without members", work.get_group),
]
# What is held against peers: the name, the workload and the number of clients.
PEERS: list[tuple[str, Make, int]] = [
    ("GET a user", work.get_user, 1),
    ("look up userName, found", lambda w: work.look_up(w, "userName", _email, True), 1),
    ("page of 100", lambda w: work.page(w, lambda turn: 1), 1),
    ("remove and add a member, group of 1,000", partial(work.members, group="big"), 1),
    ("POST a user", work.post_user, 1),
    ("Okta session (5 requests)", work.okta_session, 4),
]
