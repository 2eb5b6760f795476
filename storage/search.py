"""Pages of resources: by offset, with deep pages as quick as the first, by key for cursors, and the console's lists."""

import json
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from sqlite3 import Connection
from typing import Any

from schemas import role
from schemas.errors import NotFound, TooMany
from schemas.text import compose
from storage.migrations.directory import BLOCK_SHIFT
from storage.migrations.scale import WIDE_BLOCK_SHIFT
from storage.resources import COLUMNS, OF_TYPE, OTHER_COLUMNS, ResourceRow
from storage.sql.fragments import Sql
from storage.sql.ordering import SEQUENCE, Order, order_by
from storage.sql.tables import first_value
from storage.word_search import MOST_COUNTED, MOST_FOUND, find, matches

CREATION = order_by(None)
# The orders of the console's lists; each has an index (type, column, seq), so that no page is sorted.
ORDERS = {"name": "displayName", "userName": "userName", "created": "seq", "changed": "lastModified"}

# Characters of the documents of one page; rows that are fetched at once; the place of a row's document.
MOST_DOCUMENTS, FETCHED, DOCUMENT = 24_000_000, 100, ResourceRow._fields.index("document")

# Where a resource stands in an order: its key and its sequence number.
Place = tuple[Any, int]

# The catalogue with the columns of `resources`, so that one search serves every resource type.
ROLES = f"""(
    SELECT seq, slug AS id, 'Role' AS type, version, created, lastModified, NULL AS userName,
        fold(name) AS displayName, NULL AS externalId, NULL AS active,
        json_patch(
            json_object('schemas', json_array('{role.URN}'), 'displayName', name),
            iif(description IS NULL, '{{}}', json_object('description', description))
        ) AS document
    FROM roles
)"""


@dataclass(frozen=True, slots=True)
class Selection:
    """The resources of one type; `condition` on `r` picks some of them, and includes the type.

    `total` gives a SELECT that counts them without looking at `r`, where there is one.
    """

    type: str
    condition: Sql | None = None
    total: Callable[[], Sql | None] | None = None

    @property
    def where(self) -> Sql:
        """The whole condition."""
        if self.condition is None:
            return Sql(OF_TYPE[self.type])
        return Sql("(") + self.condition + ")"


@dataclass(frozen=True, slots=True)
class Query:
    """A search: the resources, and their order."""

    selections: tuple[Selection, ...]
    order: Order = CREATION

    @property
    def source(self) -> str:
        """The rows to search."""
        return ROLES if self.selections[0].type == "Role" else "resources"

    @property
    def columns(self) -> str:
        """The columns to read."""
        return OTHER_COLUMNS if self.selections[0].type == "Role" else COLUMNS

    @property
    def where(self) -> Sql:
        """The whole condition."""
        first, *others = (selection.where for selection in self.selections)
        for other in others:
            first = first + " OR " + other
        return first

    @property
    def order_by(self) -> str:
        """The ORDER BY list; ties are in the order of creation."""
        return ", ".join((*self.order.terms, "r.seq"))

    @property
    def whole_type(self) -> str | None:
        """The type's name when the query asks for all of one stored type, in any order."""
        chosen = self.selections[0]
        plain = len(self.selections) == 1 and chosen.condition is None and chosen.type != "Role"
        return chosen.type if plain else None


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of the console: a type, conditions that all hold, typed words that begin a word each, one of ORDERS."""

    type: str
    conditions: Sequence[Sql] = ()
    words: Sequence[str] = ()
    order: str = "name"
    descending: bool = False

    def statement(self, found: Sequence[int] | None = None) -> Sql:
        """Return the SELECT of the numbers in their order, without limits, of all or of some that a search found."""
        column, direction = ORDERS[self.order], " DESC" if self.descending else ""
        missing = " NULLS LAST" if column == "displayName" else ""
        order = f"r.{column}{direction}{missing}, r.seq{direction}" if column != "seq" else f"r.seq{direction}"
        return Sql("SELECT r.seq") + self.rows(found) + f" ORDER BY {order}"

    def rows(self, found: Sequence[int] | None = None) -> Sql:
        """Return the FROM and WHERE of the list; too many for a search to have found them are tested row by row."""
        if found is None:
            whole = Sql(f" FROM resources r WHERE {OF_TYPE[self.type]} AND ") + matches(self.type, self.words)
        else:
            whole = Sql(" FROM json_each(?) found CROSS JOIN resources r ON r.seq = found.value", (json.dumps(found),))
            whole = whole + f" WHERE {OF_TYPE[self.type]}"
        for condition in self.conditions:
            whole = whole + " AND (" + condition + ")"
        return whole


def get_role(connection: Connection, slug: str) -> ResourceRow:
    """Return a role of the catalogue as a resource, by its slug.

    :raises NotFound: when there is none.
    """
    row = connection.execute(f"SELECT {OTHER_COLUMNS} FROM {ROLES} r WHERE r.id = ?", (compose(slug),)).fetchone()
    if row is None:
        raise NotFound(f"There is no Role with the id '{slug[:100]}'.")
    return ResourceRow(*row)


def page(connection: Connection, query: Query, offset: int, count: int) -> tuple[list[ResourceRow], int]:
    """Return `count` resources after the first `offset`, and how many there are in all (RFC 7644 section 3.4.2.4)."""
    if query.whole_type and query.order == CREATION:
        return _unfiltered(connection, query.whole_type, offset, count), total(connection, query)
    if not count:
        return [], total(connection, query)
    where = query.where
    sql = f"SELECT {query.columns} FROM {query.source} r WHERE {where.text} ORDER BY {query.order_by} LIMIT ? OFFSET ?"
    rows = _rows(connection, Sql(sql, (*where.parameters, count, offset)))
    if len(rows) < count and (rows or not offset):
        return rows, offset + len(rows)
    return rows, total(connection, query)


def total(connection: Connection, query: Query) -> int:
    """Return how many resources match; without a condition, the sum of the blocks."""
    chosen, sql = query.selections[0], None
    if query.whole_type:
        sql = Sql("SELECT ifnull(sum(count), 0) FROM wide_blocks WHERE type = ?", (query.whole_type,))
    elif len(query.selections) == 1 and chosen.total:
        sql = chosen.total()
    sql = sql or Sql(f"SELECT count(*) FROM {query.source} r WHERE ") + query.where
    return int(first_value(connection, sql.text, *sql.parameters))


def count_all(connection: Connection, type_name: str) -> int:
    """Return how many resources of a stored type there are."""
    return total(connection, Query((Selection(type_name),)))


def _unfiltered(connection: Connection, type_name: str, offset: int, count: int) -> list[ResourceRow]:
    """Skip whole blocks by their counts, so that a deep page skips the rows of at most one block."""
    place = _block_of(connection, type_name, offset) if offset else (0, 0)
    if not count or place is None:
        return []
    block, skipped = place
    sql = f"SELECT {COLUMNS} FROM resources r WHERE {OF_TYPE[type_name]} AND r.seq >= ? ORDER BY r.seq LIMIT ? OFFSET ?"
    return _rows(connection, Sql(sql, (block << BLOCK_SHIFT, count, offset - skipped)))


def _block_of(connection: Connection, type_name: str, offset: int) -> tuple[int, int] | None:
    """Return the block with the row at an offset, and how many rows are before the block; None beyond the end."""
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
    connection: Connection, query: Query, place: Place | None, count: int
) -> tuple[list[ResourceRow], Place | None]:
    """Return `count` resources beyond a place (RFC 9865 section 2), and the place of the last if more follow."""
    order, beyond = query.order, query.order.after(*place) if place else Sql("1")
    keyed = order.key != SEQUENCE
    sql = Sql(f"SELECT {query.columns}{f', {order.key}' if keyed else ''} FROM {query.source} r WHERE (") + query.where
    sql = sql + ") AND " + beyond + Sql(f" ORDER BY {query.order_by} LIMIT ?", (count + 1,))
    found = _fetched(connection, sql)
    page = found[:count]
    rows = list(map(ResourceRow._make, [row[:-1] for row in page] if keyed else page))
    if not rows or len(found) == len(rows):
        return rows, None
    last = rows[-1].seq
    return rows, (page[-1][-1] if keyed else last, last)


def list_page(connection: Connection, listing: Listing, offset: int, count: int) -> tuple[list[ResourceRow], int]:
    """Return `count` resources of a listing after the first `offset`, and how many there are in all.

    In a search the total is exact up to MOST_COUNTED; a larger one says at least whether there is a further page.
    """
    found = find(connection, listing.type, listing.words)
    sql = listing.statement(found) + Sql(" LIMIT ? OFFSET ?", (count + 1, offset))
    seqs = [seq for (seq,) in connection.execute(sql.text, sql.parameters)]
    rows = by_numbers(connection, seqs[:count])
    if len(seqs) <= count and (seqs or not offset):
        return rows, offset + len(seqs)
    return rows, max(_total(connection, listing, found), offset + len(seqs) if seqs else 0)


def list_total(connection: Connection, listing: Listing) -> int:
    """Return how many resources a listing has, as `list_page` does."""
    return _total(connection, listing, find(connection, listing.type, listing.words))


def list_numbers(connection: Connection, listing: Listing) -> "array[int]":
    """Return the numbers of all resources of a listing in its order, in eight bytes each."""
    sql = listing.statement(find(connection, listing.type, listing.words))
    return array("q", (seq for (seq,) in connection.execute(sql.text, sql.parameters)))


def by_numbers(connection: Connection, seqs: Sequence[int]) -> list[ResourceRow]:
    """Return the resources with some numbers, in the order of the numbers; those that are gone are left out.

    :raises TooMany: when their documents are too large together.
    """
    listed = json.dumps(list(seqs))
    sql = f"SELECT {COLUMNS} FROM json_each(?) wanted CROSS JOIN resources r ON r.seq = wanted.value"
    found = {row.seq: row for row in _rows(connection, Sql(sql, (listed,)))}
    return [found[seq] for seq in seqs if seq in found]


def group_names(connection: Connection, most: int) -> list[str]:
    """Return the names of the first groups in the order of names."""
    sql = f"SELECT document ->> '$.displayName' FROM resources r WHERE {OF_TYPE['Group']} ORDER BY displayName LIMIT ?"
    return [name for (name,) in connection.execute(sql, (most,))]


def _total(connection: Connection, listing: Listing, found: Sequence[int] | None) -> int:
    if not listing.conditions and found is not None:
        return len(found)
    if not listing.conditions:
        return MOST_FOUND + 1 if listing.words else count_all(connection, listing.type)
    most = MOST_COUNTED + 1 if listing.words else -1
    sql = Sql("SELECT count(*) FROM (SELECT 1") + listing.rows(found) + Sql(" LIMIT ?)", (most,))
    return int(first_value(connection, sql.text, *sql.parameters))


def _rows(connection: Connection, sql: Sql) -> list[ResourceRow]:
    return list(map(ResourceRow._make, _fetched(connection, sql)))


def _fetched(connection: Connection, sql: Sql) -> list[Any]:
    """Return the rows of a page.

    :raises TooMany: when their documents are too large together.
    """
    cursor, found, size = connection.execute(sql.text, sql.parameters), list[Any](), 0
    while rows := cursor.fetchmany(FETCHED):
        found += rows
        size += sum([len(row[DOCUMENT]) for row in rows])
        if size > MOST_DOCUMENTS and len(found) > 1:
            raise TooMany("The resources are too large for one answer; ask for fewer at once with count.")
    return found
