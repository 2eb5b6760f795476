"""Sorted, filtered pages of people and groups for the console, by the compiled filters of SCIM's own search."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from storage import search
from storage.resources import COLUMNS, OF_TYPE, Row
from storage.search import Query, Selection
from storage.sql.columns import Sql

# Each is an index after the type and ends in `seq`, so that no page needs sorting; creation is the order of `seq`.
ORDERS = {"name": "displayName", "userName": "userName", "created": "seq", "changed": "lastModified"}


@dataclass(frozen=True, slots=True)
class Listing:
    """What to list: the type, conditions that all hold, conditions of which one holds (a search), and the order."""

    type: str
    conditions: Sequence[Sql] = ()
    any_of: Sequence[Sql] = ()
    order: str = "name"
    descending: bool = False


def page(connection: sqlite3.Connection, listing: Listing, offset: int, count: int) -> tuple[list[Row], int]:
    """Return `count` resources after the first `offset`, and how many match in all."""
    sql, values = statement(listing)
    rows = [Row(*row) for row in connection.execute(f"{sql} LIMIT ? OFFSET ?", (*values, count, offset))]
    if len(rows) < count and (rows or not offset):
        return rows, offset + len(rows)
    return rows, total(connection, listing)


def total(connection: sqlite3.Connection, listing: Listing) -> int:
    """Return how many resources match."""
    if not listing.conditions and not listing.any_of:
        return search.total(connection, Query((Selection(listing.type),)))
    source, where = _source(listing), _where(listing)
    found: int = connection.execute(
        f"SELECT count(*) FROM {source.text} WHERE {where.text}", source.parameters + where.parameters
    ).fetchone()[0]
    return found


def statement(listing: Listing) -> tuple[str, tuple[object, ...]]:
    """Return the SELECT of a listing, without its limits, and its values."""
    column = ORDERS[listing.order]
    source = _source(listing)
    where = _where(listing)
    direction = " DESC" if listing.descending else ""
    missing = " NULLS LAST" if column == "displayName" else ""
    order = f"r.{column}{direction}{missing}, r.seq{direction}" if column != "seq" else f"r.seq{direction}"
    sql = f"SELECT {COLUMNS} FROM {source.text} WHERE {where.text} ORDER BY {order}"
    return sql, source.parameters + where.parameters


def _source(listing: Listing) -> Sql:
    """Return the rows to look through: of a search what each of its indexes finds, joined from there."""
    if not listing.any_of:
        return Sql("resources r")
    found = [
        Sql(f"SELECT r.seq FROM resources r WHERE {OF_TYPE[listing.type]} AND ") + condition
        for condition in listing.any_of
    ]
    union = found[0]
    for each in found[1:]:
        union = union + " UNION " + each
    return Sql("(") + union + ") found CROSS JOIN resources r ON r.seq = found.seq"


def _where(listing: Listing) -> Sql:
    where = Sql(OF_TYPE[listing.type])
    for condition in listing.conditions:
        where = where + " AND (" + condition + ")"
    return where
