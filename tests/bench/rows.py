"""The table of the benchmark: each row is a workload with its baseline and the targets of their ratio."""

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
LINEAR = (0.02, 0.02)


@dataclass(frozen=True, slots=True)
class BenchRow:
    """A workload with targets of its rate over the baseline's, its p99 over the baseline's, and its growth.

    `at_least` is the target of the rate with one client and with eight.
    """

    name: str
    baseline: str
    make: Make
    at_least: tuple[float, float] | None = None
    p99_at_most: float | None = None
    grows_at_most: float | None = 1.5

    def target(self, clients: int) -> float | None:
        """Return the target of the rate with a number of clients."""
        return self.at_least and self.at_least[clients > 1]


def _email(number: int) -> str:
    return f"person{number}@example.com"


def _external(number: int) -> str:
    return f"00u{number:08d}"


def deep(world: World) -> int:
    """Return the startIndex of a page nine tenths into the directory."""
    return world.people * 9 // 10 + 1


# With Flask's own dispatch; the aim for GET is 0.70.
GET, LOOK_UP, PAGE, WRITE = (0.6, 0.6), (0.5, 0.5), (0.4, 0.4), (0.4, 0.45)
READS = [
    BenchRow("GET a user", "B2", work.get_user, GET),
    BenchRow("look up userName, found", "B2", lambda w: work.look_up(w, "userName", _email, True), LOOK_UP),
    BenchRow("look up userName, missing", "B2", lambda w: work.look_up(w, "userName", _email, False), LOOK_UP),
    BenchRow("look up externalId, found", "B2", lambda w: work.look_up(w, "externalId", _external, True), LOOK_UP),
    BenchRow("look up externalId, missing", "B2", lambda w: work.look_up(w, "externalId", _external, False), LOOK_UP),
    BenchRow("look up emails.value, found", "B2", lambda w: work.look_up(w, "emails.value", _email, True), LOOK_UP),
    BenchRow("look up emails.value, missing", "B2", lambda w: work.look_up(w, "emails.value", _email, False), LOOK_UP),
    BenchRow("page of 100", "B5", lambda w: work.page(w, lambda turn: 1), PAGE),
    BenchRow("deep page of 100", "B5", lambda w: work.page(w, lambda turn: deep(w)), PAGE),
    BenchRow("cursor page of 100", "B5", work.cursor_page, PAGE),
    BenchRow("totalResults alone", "B2", lambda w: work.page(w, lambda turn: 1, count=0)),
]


def _filter(
    name: str, text: str, matches: Callable[[Any], bool], expected: Callable[[int], bool] | None, grows: float | None
) -> BenchRow:
    return BenchRow(name, "B2", lambda w: work.search(w, text, matches, expected), LINEAR, grows_at_most=grows)


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
    BenchRow("POST a user", "B3", work.post_user, WRITE, 2.0),
    BenchRow("PUT a user", "B3", work.put_user, WRITE, 2.0),
    BenchRow("PATCH a user", "B3", work.patch_user, WRITE, 2.0),
    BenchRow("remove and add a member, group of 100", "B3", partial(work.members, group="small")),
    BenchRow("Okta session (5 requests)", "B3", work.okta_session),
]
# The writes come last: they change what the reads count.
ROWS = [*READS, *FILTERS, *WRITES]
GROUPS = [
    ("remove and add a member", work.members),
    ("rename a group", work.rename),
    ("GET without members", work.get_group),
]
# The workloads for the comparison with peers: name, workload, number of clients.
PEERS: list[tuple[str, Make, int]] = [
    ("GET a user", work.get_user, 1),
    ("look up userName, found", lambda w: work.look_up(w, "userName", _email, True), 1),
    ("page of 100", lambda w: work.page(w, lambda turn: 1), 1),
    ("remove and add a member, group of 1,000", partial(work.members, group="big"), 1),
    ("POST a user", work.post_user, 1),
    ("Okta session (5 requests)", work.okta_session, 4),
]
