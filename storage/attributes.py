"""The attributes that the workspace declares; values stay in the documents, and rows index those that are looked up."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from sqlite3 import Connection, IntegrityError
from typing import Any

from schemas import ResourceType, ResourceTypes
from schemas.datetimes import now
from schemas.declarations import HARMLESS, Declaration, read_declaration
from schemas.errors import NotFound, Unavailable, Uniqueness
from schemas.fields import is_unassigned
from schemas.filters.evaluation import comparable
from schemas.json import to_text
from schemas.resource import Bound, Document
from storage import workspace
from storage.resources import CHANGED, OF_TYPE
from storage.sql.columns import json_path, stored
from storage.sql.tables import first_value

VERSION = "attributes"
NAMED = 5
# In KiB: the pages of an index that grows in no order; with the usual cache each would be written many times.
BUILD_CACHE, USUAL_CACHE = 100_000, 2_500
# SQLite keeps in memory what one statement changes, so that it can undo that.
BATCH, BATCH_SIZE = "r.seq BETWEEN ? AND ?", 20_000


def version(connection: Connection) -> int:
    """Return the number of changes of the declarations so far."""
    return int(workspace.get(connection, VERSION) or 0)


def list_all(connection: Connection) -> dict[int, Declaration]:
    """Return all declarations by number, the oldest first."""
    rows = connection.execute("SELECT number, declaration FROM attributes ORDER BY number")
    return {number: read_declaration(json.loads(text)) for number, text in rows}


def resource_types(connection: Connection) -> ResourceTypes:
    """Return the resource types with the declared attributes."""
    return ResourceTypes.of(list_all(connection), version(connection))


def find(connection: Connection, key: str) -> tuple[int, Declaration]:
    """Return the number and the declaration of a full name in any case.

    :raises NotFound: when there is none.
    """
    for number, declared in list_all(connection).items():
        if declared.key == key.lower():
            return number, declared
    raise NotFound(f"The workspace declares no attribute '{key[:200]}'; `flask attributes list` shows them.")


def obstacles(connection: Connection, earlier: Declaration, declared: Declaration) -> list[str]:
    """Return why a declaration cannot take the place of an earlier one: the values that do not fit."""
    found = []
    if not declared.keeps_values_of(earlier) and (count := holders(connection, earlier)):
        found.append(
            f"{earlier.full_name}: has values ({earlier.counted(count)}), so that only {', '.join(sorted(HARMLESS))} "
            "and further sub-attributes can change. Remove the declaration first; that drops the values."
        )
    elif declared.is_unique and needs_index(earlier, declared):
        count, twice = duplicates(connection, declared)
        if count:
            named = "; ".join(f"'{str(value)[:100]}' of {first} and {second}" for value, first, second in twice)
            found.append(
                f"{declared.full_name}: cannot be unique, since several {declared.resource.lower()}s have the same "
                f"value ({count} such {'values' if count > 1 else 'value'}): {named}. Correct them in the provider "
                "first."
            )
    return found


def needs_index(earlier: Declaration, declared: Declaration) -> bool:
    """Tell whether the values of an attribute must be indexed again when its declaration changes."""
    return declared.has_index and _indexing(earlier) != _indexing(declared)


def put(connection: Connection, number: int | None, declared: Declaration) -> None:
    """Add a declaration (number None), or put it in place of another one and index its values again."""
    row = (declared.key, to_text(declared.table()))
    if number is None:
        # No document has a value: what no declaration has is not stored.
        connection.execute("INSERT INTO attributes (key, declaration) VALUES (?, ?)", row)
    else:
        earlier = list_all(connection)[number]
        connection.execute("UPDATE attributes SET key = ?, declaration = ? WHERE number = ?", (*row, number))
        if _indexing(earlier) != _indexing(declared):
            _index(connection, number, declared)
    workspace.put(connection, VERSION, version(connection) + 1)


def remove(connection: Connection, number: int, declared: Declaration) -> int:
    """Remove a declaration with all values; return how many resources had one."""
    path, extension = json_path((declared.schema, declared.name)), json_path((declared.schema,))
    within, lost, at = f"{_within(declared)} AND {BATCH}", 0, now()
    with _batches(connection) as batches:
        connection.execute("DELETE FROM attributes WHERE number = ?", (number,))
        for batch in batches:
            lost += connection.execute(
                f"UPDATE resources AS r SET document = json_remove(document, '{path}'), version = version + 1, "
                f"lastModified = ? WHERE {within} AND json_type(document, '{path}') IS NOT NULL",
                (at, *batch),
            ).rowcount
            connection.execute(
                f"UPDATE resources AS r SET document = json_remove(document, '{extension}', '$.schemas[' || (SELECT "
                f"key FROM json_each(document, '$.schemas') WHERE value = {_quoted(declared.schema)}) || ']') "
                f"WHERE {within} AND json_extract(document, '{extension}') = '{{}}'",
                batch,
            )
    workspace.put(connection, VERSION, version(connection) + 1)
    return lost


def holders(connection: Connection, declared: Declaration) -> int:
    """Return how many resources have a value of a declared attribute; every document of the type is read."""
    path = json_path((declared.schema, declared.name))
    sql = f"SELECT count(*) FROM resources r WHERE {_within(declared)} AND json_type(document, '{path}') IS NOT NULL"
    return int(first_value(connection, sql))


def duplicates(connection: Connection, declared: Declaration) -> tuple[int, list[tuple[Any, str, str]]]:
    """Return how many values several resources have, and the first of them, each with the names of two resources."""
    name = "(SELECT coalesce(document ->> '$.userName', document ->> '$.displayName') FROM resources WHERE seq = {})"
    found = connection.execute(
        f"SELECT value, {name.format('first')}, {name.format('last')}, total FROM ("
        "SELECT value, min(seq) AS first, max(seq) AS last, count(*) OVER () AS total "
        f"FROM ({_values_sql(declared)}) GROUP BY value HAVING count(*) > 1 ORDER BY first LIMIT {NAMED})"
    ).fetchall()
    return (found[0][-1] if found else 0), [row[:-1] for row in found]


def _indexing(declared: Declaration) -> tuple[bool, bool, bool]:
    return declared.has_index, declared.is_unique, declared.has_index and declared.leaf_is_exact


def _index(connection: Connection, number: int, declared: Declaration) -> None:
    holder = "0" if declared.is_unique else "seq"
    with _batches(connection) as batches:
        connection.execute("DELETE FROM attribute_values WHERE attribute = ?", (number,))
        for batch in batches if declared.has_index else ():
            connection.execute(
                "INSERT INTO attribute_values (resource, attribute, value, holder) "
                f"SELECT seq, ?, value, {holder} FROM ({_values_sql(declared)} AND {BATCH})",
                (number, *batch),
            )


def _values_sql(declared: Declaration) -> str:
    """Return a SELECT of the number of each resource with each of its values, in the form that is compared."""
    field = declared.field()
    value = getattr(field, "subAttributes", {}).get("value")
    inner = ("value",) if value is not None else ()
    path = (declared.schema, declared.name)
    source, expression = "resources r", f"json_extract(r.document, '{json_path(path + inner)}')"
    if declared.multiValued:
        source += f", json_each(r.document, '{json_path(path)}') e"
        expression = f"json_extract(e.value, '{json_path(inner)}')" if inner else "e.value"
    form = stored(expression, value or field).sql.text
    return f"SELECT DISTINCT r.seq, {form} AS value FROM {source} WHERE {_within(declared)} AND {form} IS NOT NULL"


def _within(declared: Declaration) -> str:
    """Return the condition that leaves the resources with any value under the URN; it needs no parsing."""
    return f"{OF_TYPE[declared.resource]} AND instr(r.document, {_quoted(json.dumps(declared.schema))})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def _batches(connection: Connection) -> Iterator[list[tuple[int, int]]]:
    """Return the first and last numbers of batches of resources; the block has a large cache."""
    last = first_value(connection, "SELECT ifnull(max(seq), 0) FROM resources")
    connection.execute(f"PRAGMA cache_size = -{BUILD_CACHE}")
    try:
        yield [(first, first + BATCH_SIZE - 1) for first in range(0, last + 1, BATCH_SIZE)]
    finally:
        connection.execute(f"PRAGMA cache_size = -{USUAL_CACHE}")


def refuse_outdated(connection: Connection, kind: ResourceType) -> None:
    """Refuse a new resource whose document may have values of declarations that have changed meanwhile.

    Types without declarations know too few attributes at most, as a request a moment earlier would.

    :raises Unavailable: so that the request is sent again.
    """
    if kind.version and kind.version != version(connection):
        raise Unavailable(CHANGED, 1)


def write_values(connection: Connection, kind: ResourceType, seq: int, before: Document, after: Document) -> None:
    """Write the difference between the looked-up values of two documents of a resource.

    :raises Uniqueness: naming the attribute, when another resource has a value that must be unique.
    """
    for bound in kind.indexed:
        if before.get(bound.extension or "") == after.get(bound.extension or ""):
            continue
        old, new = _values(bound, before), _values(bound, after)
        number = bound.leaf.number
        holder = 0 if bound.attribute.uniqueness == "server" else seq
        sql = "DELETE FROM attribute_values WHERE resource = ? AND attribute = ? AND value = ?"
        connection.executemany(sql, [(seq, number, value) for value in old.keys() - new.keys()])
        for item in new.keys() - old.keys():
            try:
                connection.execute("INSERT INTO attribute_values VALUES (?, ?, ?, ?)", (seq, number, item, holder))
            except IntegrityError:
                ignoring = "" if bound.leaf.kind != "text" or bound.leaf.caseExact else ", ignoring case"
                holder_has = f"another {kind.name.lower()} already has '{str(new[item])[:200]}'{ignoring}"
                raise Uniqueness(f"{bound.dotted}: {holder_has}.") from None


def _values(bound: Bound, document: Document) -> dict[Any, Any]:
    """Return the values of an attribute as they were sent, by the form that is compared."""
    held = document.get(bound.extension or "", {}).get(bound.attribute.name)
    items = held if bound.attribute.multiValued else [held]
    if bound.sub is not None:
        items = [item.get(bound.sub.name) for item in items or () if item]
    return {comparable(bound.leaf, item): item for item in items or () if not is_unassigned(item)}
