"""The table of the benchmark: each row a workload, what it is held against, and the target of the ratio."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import workloads as work
from tests.bench.load import Operation
from tests.bench.workloads import World

Make = Callable[[World], Operation]


@dataclass(frozen=True, slots=True)
class Row:
    """A workload; `at_least` is the target for its rate as a share of the baseline's, None where there is none."""

    name: str
    baseline: str
    make: Make
    at_least: float | None = None
    seconds: float = 1.0


def _email(number: int) -> str:
    return f"person{number}@example.com"


READS = [
    Row("GET a user", "B2", work.get_user, 0.75),
    Row("look up userName, found", "B2", lambda w: work.look_up(w, "userName", _email, True), 0.7),
    Row("look up userName, missing", "B2", lambda w: work.look_up(w, "userName", _email, False), 0.7),
    Row("look up externalId", "B2", lambda w: work.look_up(w, "externalId", lambda n: f"00u{n:08d}", True), 0.7),
    Row("look up emails.value", "B2", lambda w: work.look_up(w, "emails.value", _email, True), 0.7),
    Row("page of 100", "B5", lambda w: work.page(w, lambda turn: 1), 0.5),
    Row("deep page of 100", "B5", lambda w: work.page(w, lambda turn: max(1, w.people * 9 // 10 + 1)), 0.5),
    Row("cursor page of 100", "B5", work.cursor_page, 0.5),
]
WRITES = [
    Row("POST a user", "B3", work.post_user, 0.5),
    Row("PUT a user", "B3", work.put_user, 0.5),
    Row("PATCH a user", "B3", work.patch_user, 0.5),
    Row("Okta session (5 requests)", "B3", work.okta_session),
]
FILTERS = [
    Row("userName sw, 10 of many", "B2", lambda w: work.search(w, 'userName sw "person1"')),
    Row(
        "emails[type eq work and value co]", "B2",
        lambda w: work.search(w, 'emails[type eq "work" and value co "@example"]'), 0.02,
    ),
    Row(
        "meta.lastModified gt", "B2",
        lambda w: work.search(w, 'meta.lastModified gt "2020-01-01T00:00:00Z"'), 0.02,
    ),
    Row("roles eq", "B2", lambda w: work.search(w, 'roles eq "managed:admin"'), 0.02),
    Row(
        "effective role", "B2",
        lambda w: work.search(
            w, 'urn:perch:scim:schemas:extension:access:1.0:User:effectiveRoles.value eq "managed:analyst"'
        ), 0.02,
    ),
]  # fmt: skip
GROUPS = [
    ("add and remove a member", work.members),
    ("rename a group", work.rename),
    ("GET without members", work.get_group),
]
