"""Lists of users and groups as CSV and JSON files, written while they are read."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from werkzeug.wrappers import Response

from schemas.datetimes import now, to_json
from schemas.errors import TooMany
from scim.console.blueprint import console
from scim.console.lists import listing, named_group, read_query
from scim.console.users import summaries
from scim.observability.printable import no_formula
from scim.web.requests import perch
from storage import members, roles, search
from storage.database import Connection
from storage.resources import ResourceRow
from storage.search import Listing

Record = tuple[Any, ...]
Read = Callable[[Connection, list[ResourceRow]], list[Record]]

AT_ONCE = 200
BYTE_ORDER_MARK = "\ufeff"
PERSON = (
    "id", "userName", "name", "email", "externalId", "active", "loginAllowed", "roles", "groups", "created", "changed"
)  # fmt: skip
GROUP = ("id", "displayName", "externalId", "members", "roles", "created", "changed")


@console.get("/users.<any(csv, json):form>")
def export_users(form: str) -> Response:
    """Return the people of a list as a file."""
    query = read_query()
    with perch().database.read() as connection:
        group, _ = named_group(connection, query.group)
    return _file("users", form, listing("User", query, group), PERSON, _people)


@console.get("/groups.<any(csv, json):form>")
def export_groups(form: str) -> Response:
    """Return the groups of a list as a file."""
    return _file("groups", form, listing("Group", read_query()), GROUP, _groups)


def _people(connection: Connection, rows: list[ResourceRow]) -> list[Record]:
    above = members.groups_above(connection, [row.seq for row in rows])
    return [
        (row.id, person["userName"], person["name"], person["email"], _external(row), bool(row.active),
         person["login"], sorted(person["roles"]), [group.display for group in above.get(row.seq, ())],
         to_json(row.created), to_json(row.lastModified))
        for row, person in zip(rows, summaries(connection, rows), strict=True)
    ]  # fmt: skip


def _groups(connection: Connection, rows: list[ResourceRow]) -> list[Record]:
    seqs = [row.seq for row in rows]
    sizes, given = members.counts(connection, seqs), roles.assigned(connection, seqs)
    return [
        (row.id, row.name, _external(row), sizes[row.seq], [role.role for role in given.get(row.seq, ())],
         to_json(row.created), to_json(row.lastModified))
        for row in rows
    ]  # fmt: skip


def _external(row: ResourceRow) -> str:
    return str(json.loads(row.document).get("externalId", ""))


def _file(name: str, form: str, wanted: Listing, fields: Sequence[str], read: Read) -> Response:
    """Return a list as a file; the numbers of its rows are read first, so that no read is open as long as the answer.

    Rows that are deleted meanwhile are left out.
    """
    database = perch().database
    with database.read() as connection:
        seqs = search.list_numbers(connection, wanted)

    def records() -> Iterator[list[Record]]:
        for first in range(0, len(seqs), AT_ONCE):
            with database.read() as connection:
                found = [read(connection, rows) for rows in _rows(connection, seqs[first : first + AT_ONCE])]
            yield from found

    written = _csv(fields, records()) if form == "csv" else _json(fields, records())
    kind = "text/csv; charset=utf-8" if form == "csv" else "application/json"
    headers = {"Content-Disposition": f'attachment; filename="perch-{name}-{now()[:10]}.{form}"'}
    return Response(written, headers=headers, content_type=kind)


def _rows(connection: Connection, seqs: Sequence[int]) -> Iterator[list[ResourceRow]]:
    """Yield rows, in parts where their documents are too large together."""
    try:
        yield search.by_numbers(connection, seqs)
    except TooMany:
        middle = len(seqs) // 2
        yield from _rows(connection, seqs[:middle])
        yield from _rows(connection, seqs[middle:])


def _csv(fields: Sequence[str], parts: Iterable[list[Record]]) -> Iterator[str]:
    """Yield CSV (RFC 4180), with the mark by which spreadsheets know UTF-8."""
    yield BYTE_ORDER_MARK
    for records in chain([[tuple(fields)]], parts):
        text = io.StringIO()
        csv.writer(text).writerows([_cell(value) for value in record] for record in records)
        yield text.getvalue()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return no_formula("; ".join(value) if isinstance(value, list) else str(value))


def _json(fields: Sequence[str], parts: Iterable[list[Record]]) -> Iterator[str]:
    """Yield a JSON array with a line for each record."""
    separator = "[\n"
    for records in parts:
        for record in records:
            yield separator + json.dumps(dict(zip(fields, record, strict=True)), ensure_ascii=False)
            separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"
