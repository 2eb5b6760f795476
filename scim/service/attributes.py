"""The attributes that the workspace declares: what a wanted list of them would change, the change, what is dropped."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.declarations import Declaration, is_core, read_declaration
from schemas.urns import default_resource
from scim.service.plan import PlannedChange
from storage import attributes, quirks, search
from storage.database import Connection
from storage.repository import Transaction

ATTRIBUTE = "attribute"
# Seconds in which a million documents are searched for values, and a million values are indexed or removed.
SEARCH_SECONDS, WRITE_SECONDS = 3.0, 15.0
PUSH_AGAIN = (
    "Values that came before the declaration are not stored: let the provider push everybody again (Okta: Force Sync; "
    "Microsoft Entra ID: Restart provisioning)."
)


def declared(connection: Connection) -> list[Declaration]:
    """Return the declarations, the oldest first."""
    return list(attributes.list_all(connection).values())


def changes(current: Sequence[Declaration], wanted: Sequence[Declaration], prune: bool) -> list[PlannedChange]:
    """Return what makes the current declarations the wanted ones; without `prune` none is removed."""
    held, kept = {one.key: one for one in current}, {one.key for one in wanted}
    found = []
    for one in wanted:
        before = held.get(one.key)
        if before is None:
            found.append(PlannedChange(ATTRIBUTE, "add", one.full_name, None, one.table()))
        elif before != one:
            found.append(PlannedChange(ATTRIBUTE, "change", before.full_name, before.table(), one.table()))
    gone = [one for one in current if prune and one.key not in kept]
    return found + [PlannedChange(ATTRIBUTE, "remove", one.full_name, one.table(), None) for one in gone]


def carry_out(write: Transaction, planned: Sequence[PlannedChange]) -> None:
    """Make the planned changes of attributes; those of another kind are left out.

    :raises Conflict: naming values that do not fit; :raises InvalidValue: for declarations that do not fit each other.
    """
    mine = [change for change in planned if change.kind == ATTRIBUTE]
    for change in mine:
        if change.before is not None and change.after is None:
            write.undeclare(read_declaration(change.before))
    write.declare([read_declaration(change.after) for change in mine if change.after is not None])


def refusals(connection: Connection, planned: Sequence[PlannedChange]) -> list[str]:
    """Return why `carry_out` would refuse planned changes: each attribute with the values that do not fit."""
    found = []
    for change in planned:
        if change.kind == ATTRIBUTE and change.before is not None and change.after is not None:
            found += attributes.obstacles(connection, read_declaration(change.before), read_declaration(change.after))
    return found


def consequences(connection: Connection, planned: Sequence[PlannedChange]) -> Iterator[str]:
    """Yield sentences about what planned changes of attributes lose, and how long they hold other writers."""
    for change in planned:
        if change.kind != ATTRIBUTE or change.before is None:
            continue
        before = read_declaration(change.before)
        if change.after is not None and not attributes.needs_index(before, read_declaration(change.after)):
            continue
        number = attributes.holders(connection, before)
        documents = search.count_all(connection, before.resource)
        most = max(1.0, (documents * SEARCH_SECONDS + number * WRITE_SECONDS) / 1_000_000)
        seconds = f"Other writes wait for about {most:.0f} s"
        if change.after is not None:
            yield f"{change.name}: the values of {before.counted(number)} are indexed. {seconds}."
        else:
            verb, lost = "have" if number != 1 else "has", "; all values are lost" if number else ""
            yield f"{change.name}: {before.counted(number)} {verb} a value{lost}. {seconds}."


def described(one: Declaration) -> str:
    """Return the characteristics of a declaration for people."""
    marks = {"several": one.multiValued, "unique": one.is_unique, "indexed": one.indexed, "case exact": one.caseExact}
    subs = f" ({', '.join(sub.name for sub in one.sub)})" if one.sub else ""
    return ", ".join([one.type + subs, *(mark for mark, holds in marks.items() if holds)])


@dataclass(frozen=True, slots=True)
class SeenAttribute:
    """An attribute that a key sent and Perch dropped; `shape` has the keys of a declaration that its values would fit.

    `schema` is the URN under which it was sent, that of the resource type itself for a bare name.
    """

    schema: str
    name: str
    shape: dict[str, Any]
    count: int
    key: str
    last: str

    @property
    def type(self) -> str:
        """The type of the value that was seen last."""
        return str(self.shape["type"])

    @property
    def described(self) -> str:
        """The type with the names of sub-attributes, and whether there were several values."""
        subs = ", ".join(sub["name"] for sub in self.shape.get("sub", ()))
        return self.type + (f" ({subs})" if subs else "") + (", several" if self.shape.get("multiValued") else "")


def seen(connection: Connection) -> list[SeenAttribute]:
    """Return what keys sent and Perch dropped, the most frequent first, without what is declared by now."""
    declared = attributes.list_all(connection).values()
    known = {one.key for one in declared}
    # A bare name is found under any declared URN of its resource type.
    bare = {(one.resource, one.name.lower()) for one in declared}
    found = []
    for quirk in quirks.dropped(connection):
        schema, _, name = quirk.name.rpartition(":")
        is_declared = quirk.name.lower() in known
        if is_core(schema):
            is_declared = (default_resource(schema), name.lower()) in bare
        if not is_declared:
            found.append(SeenAttribute(schema, name, json.loads(quirk.example), quirk.count, quirk.key, quirk.last))
    return found
