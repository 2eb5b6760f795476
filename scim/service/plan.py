"""The effect that planned changes of assignments would have on people, before anything is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from storage import effective_roles, planned_roles
from storage.database import Connection
from storage.planned_roles import RoleChange

NAMED = 10


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A planned change of the workspace file's kind: `kind` role, groupRule or attribute; `action` add, change, remove.

    `before` and `after` are tables as the file has them, None where there is none.
    """

    kind: str
    action: str
    name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class RolePlan(TypedDict):
    """How many people would gain or lose a role or the login, and userNames of each, the first created first."""

    people: dict[str, int]
    names: dict[str, list[str]]


def of_changes(connection: Connection, changes: Sequence[RoleChange], gone: Sequence[str] = ()) -> RolePlan:
    """Return the effect of changing assignments and of removing roles from the catalogue, by slug.

    People without the login are counted with their roles, too: they would have the role once they are active.
    """
    found = planned_roles.planned_roles(connection, changes, gone)
    people = {
        "gainLogin": found.gain_login, "loseLogin": found.lose_login, "gainRole": found.gain_role,
        "loseRole": found.lose_role,
    }  # fmt: skip
    first = {name: effective_roles.named_users(connection, sorted(seqs)[:NAMED]) for name, seqs in people.items()}
    return {
        "people": {name: len(seqs) for name, seqs in people.items()},
        "names": {name: [person.userName for person in found] for name, found in first.items()},
    }
