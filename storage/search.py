"""Pages of resources: by index, at any depth for the price of the first page, and by key for cursors."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from schemas import role
from schemas.errors import NotFound
from storage.migrations import BLOCK_SHIFT, WIDE_BLOCK_SHIFT
from storage.resources import COLUMNS, OF_TYPE, OTHER_COLUMNS, Row
from storage.sql.columns import Sql
from storage.sql.ordering import SEQUENCE, Order, order_by

CREATION = order_by(None)

# Where a resource stands in an order: its key and its sequence number.
Place = tuple[Any, int]

# The catalogue as resources, so that one search serves every resource type; its documents hold no secrets.
ROLES = f"""(
    SELECT seq, slug AS id, 'Role' AS type, version, created, lastModified, NULL AS userName,
        casefold(name) AS displayName, NULL AS externalId, NULL AS active,
        json_patch(
            json_object('schemas', json_array('{role.URN}'), 'displayName', name),
            iif(description IS NULL, '{{}}', json_object('description', description))
        ) AS document
    FROM roles
)"""


@dataclass(frozen=True, slots=True)
class Selection:
    """The resources of one type that a condition on `r` picks; an empty condition picks all.

    `total` gives a SELECT of how many those are, where one is cheaper than to count those that the condition picks.
    """

    type: str
    condition: str = ""
    parameters: tuple[Any, ...] = ()
    total: Callable[[], Sql | None] | None = None

    @property
    def sql(self) -> str:
        """The whole condition."""
        return f"{OF_TYPE[self.type]} AND ({self.condition})" if self.condition else OF_TYPE[self.type]


@dataclass(frozen=True, slots=True)
class Query:
    """What to search, and in which order."""

    selections: tuple[Selection, ...]
    order: Order = CREATION

    @property
    def source(self) -> str:
        """The rows to search."""
        return ROLES if self.selections[0].type == "Role" else "resources"

    @property
    def columns(self) -> str:
        """What is read of each."""
        return OTHER_COLUMNS if self.selections[0].type == "Role" else COLUMNS

    @property
    def where(self) -> str:
        """The whole condition."""
        if len(self.selections) == 1:
            return self.selections[0].sql
        return " OR ".join(f"({selection.sql})" for selection in self.selections)

    @property
    def values(self) -> tuple[Any, ...]:
        """The values bound to `where`."""
        return tuple(value for chosen in self.selections for value in chosen.parameters)

    @property
    def order_by(self) -> str:
        """The ORDER BY list; ties are in the order of creation."""
        return ", ".join((*self.order.terms, "r.seq"))

    @property
    def whole_type(self) -> str | None:
        """The type's name when the query asks for all of one stored type, in whatever order."""
        chosen = self.selections[0]
        plain = len(self.selections) == 1 and not chosen.condition and chosen.type != "Role"
        return chosen.type if plain else None


def get_role(connection: sqlite3.Connection, slug: str) -> Row:
    """Return a role of the catalogue as a resource, by its slug.

    :raises NotFound: when there is none.
    """
    row = connection.execute(f"SELECT {OTHER_COLUMNS} FROM {ROLES} r WHERE r.id = ?", (slug,)).fetchone()
    if row is None:
        raise NotFound(f"There is no Role with the id '{slug[:100]}'.")
    return Row(*row)


def page(connection: sqlite3.Connection, query: Query, offset: int, count: int) -> tuple[list[Row], int]:
    """Return `count` resources after the first `offset`, and how many there are in all (RFC 7644 section 3.4.2.4)."""
    if query.whole_type and query.order == CREATION:
        return _unfiltered(connection, query.whole_type, offset, count), total(connection, query)
    if not count:
        return [], total(connection, query)
    sql = f"SELECT {query.columns} FROM {query.source} r WHERE {query.where} ORDER BY {query.order_by} LIMIT ? OFFSET ?"
    rows = list(map(Row._make, connection.execute(sql, (*query.values, count, offset)).fetchall()))
    if len(rows) < count and (rows or not offset):
        return rows, offset + len(rows)
    return rows, total(connection, query)


def total(connection: sqlite3.Connection, query: Query) -> int:
    """Return how many resources match; without a condition the blocks know."""
    if query.whole_type:
        counting = Sql("SELECT ifnull(sum(count), 0) FROM wide_blocks WHERE type = ?", (query.whole_type,))
    else:
        counting = _cheaper(query) or Sql(f"SELECT count(*) FROM {query.source} r WHERE {query.where}", query.values)
    found: int = connection.execute(counting.text, counting.parameters).fetchone()[0]
    return found


def _cheaper(query: Query) -> Sql | None:
    """Return a cheaper way to count, if there is one."""
    chosen = query.selections[0]
    return chosen.total() if len(query.selections) == 1 and chosen.total else None


def _unfiltered(connection: sqlite3.Connection, type_name: str, offset: int, count: int) -> list[Row]:
    """Skip whole blocks by their counts, so that a deep page steps over one block's rows at most."""
    place = _block_of(connection, type_name, offset) if offset else (0, 0)
    if not count or place is None:
        return []
    block, skipped = place
    sql = f"SELECT {COLUMNS} FROM resources r WHERE {OF_TYPE[type_name]} AND r.seq >= ? ORDER BY r.seq LIMIT ? OFFSET ?"
    values = (block << BLOCK_SHIFT, count, offset - skipped)
    return list(map(Row._make, connection.execute(sql, values).fetchall()))


def _block_of(connection: sqlite3.Connection, type_name: str, offset: int) -> tuple[int, int] | None:
    """Return the block with the row behind `offset` others and how many come before the block; None beyond the end."""
    first, before = 0, 0
    for table, wider in (("wide_blocks", WIDE_BLOCK_SHIFT - BLOCK_SHIFT), ("blocks", 0)):
        sql = f"SELECT block, count FROM {table} WHERE type = ? AND block >= ? ORDER BY block"
        for block, count in connection.execute(sql, (type_name, first)):
            if before + count > offset:
                first = block << wider
                break
            before += count
        else:
            return None
    return first, before


def after(
    connection: sqlite3.Connection, query: Query, place: Place | None, count: int
) -> tuple[list[Row], Place | None]:
    """Return `count` resources beyond a place in the query's order, and the place of the last if more follow.

    That is what a cursor holds (RFC 9865 section 2).
    """
    order, beyond = query.order, query.order.after(*place) if place else Sql("1")
    keyed = order.key != SEQUENCE
    sql = (
        f"SELECT {query.columns}{f', {order.key}' if keyed else ''} FROM {query.source} r "
        f"WHERE ({query.where}) AND {beyond.text} ORDER BY {query.order_by} LIMIT ?"
    )
    found = connection.execute(sql, (*query.values, *beyond.parameters, count + 1)).fetchall()
    page = found[:count]
    rows = list(map(Row._make, [row[:-1] for row in page] if keyed else page))
    if not rows or len(found) == len(rows):
        return rows, None
    last = rows[-1].seq
    return rows, (page[-1][-1] if keyed else last, last)
