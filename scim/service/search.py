"""The search operation (RFC 7644 sections 3.4.2 and 3.4.3): filter, sort, page, project; no Flask."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from schemas import ResourceType, messages
from schemas.errors import InvalidPath
from schemas.filters import binding
from schemas.filters.nodes import FilterNode
from schemas.filters.parser import parse_filter, parse_path
from schemas.json import to_text
from schemas.messages import SearchRequest
from schemas.resource import Bound, UnknownAttribute
from scim.protocol.paging import CursorPage, IndexPage, Position, decode_cursor, encode_cursor, query_digest, read_page
from scim.protocol.projection import Projection
from scim.service.context import Answer, Context
from scim.service.representation import projected, texts
from storage import workspace
from storage.database import Connection
from storage.repository import Snapshot
from storage.resources import ResourceRow
from storage.search import CREATION, Query, Selection
from storage.sql.filters import compile_filter, compile_total
from storage.sql.ordering import Order, order_by

# In seconds of CPU time; a thread that searches for longer slows all other requests of its process down.
LONGEST_SEARCH = 1.8


def search(context: Context, kinds: Sequence[ResourceType], request: SearchRequest) -> Answer:
    """Return a ListResponse of the matching resources, of several types for a search at the root."""
    wanted = read_page(request)
    names = request.attributes, request.excludedAttributes
    projections = {kind.name: Projection.parse(*names, kind.schema) for kind in kinds}
    node = parse_filter(request.filter) if request.filter else None
    query = Query(_selections(context, kinds, node), _order(kinds, request))
    with context.repository.reading(LONGEST_SEARCH) as snapshot:
        if isinstance(wanted, IndexPage):
            rows, total = snapshot.search(query, wanted.start_index - 1, wanted.count)
            extra: dict[str, Any] = {"startIndex": wanted.start_index}
        else:
            rows, total, extra = _cursor_page(snapshot, query, request, wanted)
        found = _documents(context, snapshot.connection, rows, projections)
    # After the read, which keeps the writer of a follower's copy waiting.
    documents = [projected(text, projections[row.type]) for row, text in zip(rows, found, strict=True)]
    return Answer(200, [list_text(total, documents, extra).encode()])


def list_text(total: int, documents: Sequence[str], extra: dict[str, Any]) -> str:
    """Return a ListResponse as JSON text, from resources that are JSON text already."""
    more = "".join([f',"{name}":{to_text(value)}' for name, value in extra.items()])
    return (
        f'{{"schemas":["{messages.LIST_RESPONSE_URN}"],"totalResults":{total},"itemsPerPage":{len(documents)}{more},'
        f'"Resources":[{",".join(documents)}]}}'
    )


def _documents(
    context: Context, connection: Connection, rows: Sequence[ResourceRow], projections: dict[str, Projection]
) -> list[str]:
    if len(projections) == 1:
        return texts(context, connection, rows, next(iter(projections.values())))
    found: dict[int, str] = {}
    for name, projection in projections.items():
        alike = [row for row in rows if row.type == name]
        found |= zip([row.seq for row in alike], texts(context, connection, alike, projection), strict=True)
    return [found[row.seq] for row in rows]


def _selections(context: Context, kinds: Sequence[ResourceType], node: FilterNode | None) -> tuple[Selection, ...]:
    if node is None:
        return tuple(Selection(kind.name) for kind in kinds)
    found = []
    others = [kind.schema for kind in context.resource_types.values()] if len(kinds) > 1 else []
    for kind in kinds:
        bound = binding.bind(node, kind.schema, others)
        sql = compile_filter(bound, context.base, kind.name)
        found.append(Selection(kind.name, sql, partial(compile_total, bound, context.base)))
    return tuple(found)


def _order(kinds: Sequence[ResourceType], request: SearchRequest) -> Order:
    if not request.sortBy:
        return CREATION
    try:
        return order_by(_sort_attribute(kinds, request.sortBy), request.descending)
    except ValueError as error:
        raise InvalidPath(f"sortBy: {error}.") from None


def _sort_attribute(kinds: Sequence[ResourceType], name: str) -> Bound:
    path = parse_path(name)
    if path.filter is not None:
        raise InvalidPath(f"sortBy: '{name[:100]}' must be an attribute without a filter.")
    for kind in kinds:
        try:
            return kind.schema.resolve(path.path.urn, path.path.name, path.path.sub)
        except UnknownAttribute:
            continue
    names = " or ".join(kind.name for kind in kinds)
    raise InvalidPath(f"sortBy: {names} has no attribute '{name[:100]}'.")


def _cursor_page(
    snapshot: Snapshot, query: Query, request: SearchRequest, wanted: CursorPage
) -> tuple[list[ResourceRow], int, dict[str, Any]]:
    """Return a page by cursor (RFC 9865): the rows, the total, and `nextCursor` unless this page is the last."""
    secret = bytes.fromhex(str(workspace.get(snapshot.connection, "secret")))
    types = tuple(selection.type for selection in query.selections)
    digest = query_digest(types=types, filter=request.filter, sortBy=request.sortBy, sortOrder=request.sortOrder)
    era = workspace.era(snapshot.connection)
    begin = decode_cursor(secret, wanted.cursor, time.time(), digest, era) if wanted.cursor else None
    place = (begin.key, begin.seq) if begin else None
    rows, last, total = snapshot.search_after(query, place, wanted.count)
    extra = {"nextCursor": encode_cursor(secret, Position(*last), time.time(), digest, era)} if last else {}
    return rows, total, extra
