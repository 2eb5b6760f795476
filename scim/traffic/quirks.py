"""The quirk report: the deviations that each key sends, how often, and the rule of the RFC that each bends."""

import json
from dataclasses import dataclass
from typing import Any

from schemas.declarations import is_core
from schemas.tolerances import Tolerance
from schemas.urns import default_resource
from storage import attributes, keys, quirks
from storage.database import Connection
from storage.quirks import Quirk


@dataclass(frozen=True, slots=True)
class KeyReport:
    """The quirks of one key, the most frequent first: tolerances that it needed, attributes that Perch ignored."""

    key: str
    name: str
    strict: bool
    tolerances: list[Quirk]
    ignored: list[Quirk]


def report(connection: Connection, key: str | None = None) -> list[KeyReport]:
    """Return the report of one key, or of all keys with quirks.

    :raises NotFound: when no key has that id.
    """
    known = {held.id: held for held in ([keys.get(connection, key)] if key is not None else keys.list_all(connection))}
    found = quirks.report(connection, key)
    return [
        KeyReport(
            one.id,
            one.name,
            bool(one.strict),
            [quirk for quirk in found if quirk.key == one.id and quirk.kind == "tolerance"],
            [quirk for quirk in found if quirk.key == one.id and quirk.kind == "ignored"],
        )
        for one in known.values()
        if key is not None or any(quirk.key == one.id for quirk in found)
    ]


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


def meaning(name: str) -> str:
    """Return the description of a tolerance with the section of its RFC; its name when this version has none."""
    return Tolerance[name].value if name in Tolerance.__members__ else name
