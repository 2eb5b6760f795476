"""Attributes that clients sent and no schema has: their names and the shapes of their values, never the values."""

from collections.abc import Iterator
from typing import Any

from schemas import tolerances
from schemas.datetimes import normalise_instant
from schemas.fields import is_unassigned
from schemas.tolerances import MOST_IGNORED
from schemas.urns import LONGEST_URN, NAME, SUB_NAME, URN, begins_with_uri, default_resource

MOST_SUBS = 20

Table = dict[str, Any]


def note_dropped(core: str, path: str, value: Any) -> None:
    """Record an attribute that no schema has; `path` is its name, its full name or the URN of a whole extension.

    `core` is the URN of the resource's own schema, to which bare names belong. Other names than SCIM's are left out.
    """
    used = tolerances.current()
    if used is None:
        return
    for schema, name, item in _attributes(core, path, value):
        valid = NAME.fullmatch(name) and URN.fullmatch(schema) and len(schema) <= LONGEST_URN
        if valid and not is_unassigned(item) and len(used.dropped) < MOST_IGNORED:
            # A URN that does not end with its resource type is declared with it.
            needed = {} if default_resource(schema) else {"resource": default_resource(core)}
            used.dropped.setdefault((schema, name), {**shape(item), **needed})


def _attributes(core: str, path: str, value: Any) -> Iterator[tuple[str, str, Any]]:
    before, _, last = path.rpartition(":")
    if not begins_with_uri(path):
        yield core, path, value
    elif isinstance(value, dict) and not default_resource(before):
        for name, item in value.items():
            yield path, name, item
    else:
        # A path may name a sub-attribute, so that the attribute is complex.
        name, _, sub = last.partition(".")
        yield before, name, {sub: value} if sub else value


def shape(value: Any) -> Table:
    """Return the keys of a declaration that a value would fit: type, multiValued and sub."""
    if isinstance(value, list):
        items = [item for item in value if not is_unassigned(item)]
        return {**shape(items[0] if items else ""), "multiValued": True}
    if not isinstance(value, dict):
        return {"type": _type(value)}
    names = [name for name in value if SUB_NAME.fullmatch(name)][:MOST_SUBS]
    subs = [{"name": name, "type": _type(value[name])} for name in names]
    return {"type": "complex", "sub": subs} if subs else {"type": "string"}


def _type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "integer" if isinstance(value, int) else "decimal"
    try:
        normalise_instant(value)
        return "dateTime"
    except (TypeError, ValueError):
        return "string"
