"""Pages of results by index (RFC 7644 section 3.4.2.4) and by cursor (RFC 9865)."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from schemas.discovery import CURSOR_TIMEOUT, DEFAULT_RESULTS, MAX_RESULTS
from schemas.errors import ExpiredCursor, Gone, InvalidCount, InvalidCursor, InvalidValue, ScimError
from schemas.messages import SearchRequest
from schemas.numbers import LARGEST_INTEGER, whole_number

CURSOR_VERSION = 1
MAC_BYTES = 16


@dataclass(frozen=True, slots=True)
class IndexPage:
    """A page by index: the 1-based `start_index` and how many resources at most (RFC 7644 section 3.4.2.4)."""

    start_index: int = 1
    count: int = DEFAULT_RESULTS


@dataclass(frozen=True, slots=True)
class CursorPage:
    """A page by cursor: the cursor as sent, None for the first page (RFC 9865 section 2)."""

    cursor: str | None = None
    count: int = DEFAULT_RESULTS


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the sort value, None where it is missing, and the row's `seq`."""

    key: str | int | float | None
    seq: int


def read_page(search: SearchRequest) -> IndexPage | CursorPage:
    """Read which page a query asks for (RFC 7644 section 3.4.2.4, RFC 9865 section 2).

    :raises InvalidValue: for a `startIndex` or `count` that is no whole number, or `startIndex` beside `cursor`.
    :raises InvalidCount: for a `count` beside `cursor` that is no whole number from 1.
    :raises InvalidCursor: for a `cursor` that is not text.
    """
    if search.cursor is None:
        start = _number("startIndex", search.startIndex, 1, InvalidValue)
        count = _number("count", search.count, DEFAULT_RESULTS, InvalidValue)
        return IndexPage(min(max(start, 1), LARGEST_INTEGER), min(max(count, 0), MAX_RESULTS))
    if not isinstance(search.cursor, str):
        raise InvalidCursor("cursor: must be text: empty for the first page, else the nextCursor of the page before.")
    if search.startIndex not in (None, ""):
        raise InvalidValue("startIndex: cannot be combined with cursor; send one of them.")
    count = _number("count", search.count, DEFAULT_RESULTS, InvalidCount)
    # A page of none would have no `nextCursor`, which says that nothing follows.
    if count < 1:
        raise InvalidCount(
            f"count: must be from 1 to {MAX_RESULTS} beside cursor; leave out cursor to ask with count=0 for the total."
        )
    return CursorPage(search.cursor or None, min(count, MAX_RESULTS))


def _number(name: str, value: Any, default: int, error: type[ScimError]) -> int:
    if value is None or value == "":
        return default
    number = whole_number(value)
    if number is None:
        raise error(f"{name}: must be a whole number.")
    return number


@lru_cache(maxsize=64)
def query_digest(**parts: Any) -> str:
    """Return a digest of the query that a cursor belongs to: filter, sort, type (RFC 9865 section 2)."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def encode_cursor(secret: bytes, position: Position, now: float, digest: str, era: int = 0) -> str:
    """Return a signed cursor of unreserved characters only (RFC 9865 section 2); `now` in seconds since 1970."""
    content = [CURSOR_VERSION, int(now), digest, int(position.key is None), position.key, position.seq, era]
    body = _to_text(json.dumps(content, separators=(",", ":")).encode())
    return f"{body}.{_signature(secret, body)}"


def decode_cursor(secret: bytes, text: str, now: float, digest: str, era: int = 0) -> Position:
    """Return the position in a cursor that `encode_cursor` made for the same query (RFC 9865 section 2.1).

    :raises InvalidCursor: when it was changed, or made by another server or for another query.
    :raises ExpiredCursor: when it is older than CURSOR_TIMEOUT seconds.
    :raises Gone: when the file was restored since; the row that it names may be another one now.
    """
    body, _, signature = text.partition(".")
    if not hmac.compare_digest(signature.encode("utf-8", "replace"), _signature(secret, body).encode()):
        raise InvalidCursor("cursor: was not made by this server; begin again with an empty cursor.")
    # Cursors of older versions have no era.
    content = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    version, issued, belongs_to, _, key, seq, *eras = json.loads(content)
    if version != CURSOR_VERSION or belongs_to != digest:
        raise InvalidCursor("cursor: belongs to another query; repeat its filter and sorting, or begin again.")
    if (eras or [0]) != [era]:
        raise Gone("cursor: was given before a restore of this server; begin again with an empty cursor.")
    if now - issued > CURSOR_TIMEOUT:
        raise ExpiredCursor(f"cursor: is older than {CURSOR_TIMEOUT} seconds; begin again with an empty cursor.")
    return Position(key, seq)


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signature(secret: bytes, body: str) -> str:
    return _to_text(hmac.digest(secret, b"perch cursor " + body.encode("utf-8", "replace"), "sha256")[:MAC_BYTES])
