"""Pages by index (RFC 7644 section 3.4.2.4) and by cursor (RFC 9865)."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.discovery import CURSOR_TIMEOUT
from schemas.errors import ExpiredCursor, InvalidCount, InvalidCursor, InvalidValue
from schemas.messages import read_query, read_search
from schemas.numbers import LARGEST_INTEGER
from scim.protocol.paging import (
    CursorPage,
    IndexPage,
    Position,
    decode_cursor,
    encode_cursor,
    query_digest,
    read_page,
)
from scim.service.search import list_text

SECRET = b"s" * 32
NOW = 1_795_000_000.5
DIGEST = query_digest(type="User", filter=None, sortBy=None, sortOrder="ascending")


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, IndexPage(1, 100)),
        ({"startIndex": "5", "count": "7"}, IndexPage(5, 7)),
        ({"startindex": "5", "COUNT": "7"}, IndexPage(5, 7)),
        ({"startIndex": "0"}, IndexPage(1, 100)),
        ({"startIndex": "-3"}, IndexPage(1, 100)),
        ({"count": "-1"}, IndexPage(1, 0)),
        ({"count": "0"}, IndexPage(1, 0)),
        ({"count": "1001"}, IndexPage(1, 1000)),
        ({"count": "9" * 5000, "startIndex": "9" * 5000}, IndexPage(LARGEST_INTEGER, 1000)),
        ({"count": "-" + "9" * 5000, "startIndex": "-" + "9" * 5000}, IndexPage(1, 0)),
        ({"count": "", "startIndex": " 2 "}, IndexPage(2, 100)),
        ({"cursor": ""}, CursorPage(None, 100)),
        ({"cursor": "", "count": "10"}, CursorPage(None, 10)),
        ({"Cursor": "abc", "count": "5000"}, CursorPage("abc", 1000)),
        ({"cursor": "abc", "count": "1"}, CursorPage("abc", 1)),
        ({"cursor": "abc", "count": ""}, CursorPage("abc", 100)),
        ({"cursor": "", "startIndex": ""}, CursorPage(None, 100)),
    ],
)
def test_parameters_give_a_page(parameters: dict[str, str], expected: IndexPage | CursorPage) -> None:
    assert read_page(read_query(parameters)) == expected


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"count": "ten"}, InvalidValue),
        ({"count": "1.5"}, InvalidValue),
        ({"count": "0x10"}, InvalidValue),
        ({"count": "1_000"}, InvalidValue),
        ({"count": "\u0663"}, InvalidValue),
        ({"startIndex": "first"}, InvalidValue),
        ({"cursor": "", "count": "ten"}, InvalidCount),
        ({"cursor": "", "count": "-1"}, InvalidCount),
        ({"cursor": "", "count": "0"}, InvalidCount),
        ({"cursor": "abc", "count": " 00 "}, InvalidCount),
        ({"cursor": "", "startIndex": "1"}, InvalidValue),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error):
        read_page(read_query(parameters))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, IndexPage()),
        ({"startIndex": 3, "count": 4}, IndexPage(3, 4)),
        ({"STARTINDEX": "3", "count": None}, IndexPage(3, 100)),
        ({"count": 10**30}, IndexPage(1, 1000)),
        ({"cursor": None}, IndexPage()),
        ({"cursor": "", "count": 3}, CursorPage(None, 3)),
        ({"cursor": "x", "startIndex": None}, CursorPage("x", 100)),
    ],
)
def test_a_search_request_gives_a_page(body: dict[str, Any], expected: IndexPage | CursorPage) -> None:
    assert read_page(read_search(body)) == expected


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"count": True}, InvalidValue),
        ({"count": 1.5}, InvalidValue),
        ({"startIndex": []}, InvalidValue),
        ({"cursor": 7}, InvalidCursor),
        ({"cursor": "", "count": {}}, InvalidCount),
        ({"cursor": "", "count": 0}, InvalidCount),
        ({"cursor": "", "startIndex": 1}, InvalidValue),
    ],
)
def test_a_wrong_search_request_is_refused(body: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        read_page(read_search(body))


def test_a_list_response_has_the_members_of_its_kind_of_page() -> None:
    schemas = ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]
    by_index = json.loads(list_text(0, [], {"startIndex": 1}))
    assert by_index == {"schemas": schemas, "totalResults": 0, "itemsPerPage": 0, "startIndex": 1, "Resources": []}
    by_cursor = json.loads(list_text(9, ['{"id":"1"}'], {"nextCursor": "x"}))
    assert (by_cursor["nextCursor"], by_cursor["itemsPerPage"], "startIndex" in by_cursor) == ("x", 1, False)


keys = st.one_of(st.none(), st.text(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False))


@given(keys, st.integers(1, 2**63 - 1))
def test_cursors_keep_their_position(key: str | int | float | None, seq: int) -> None:
    position = Position(key, seq)
    text = encode_cursor(SECRET, position, NOW, DIGEST)
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", text)
    assert decode_cursor(SECRET, text, NOW + CURSOR_TIMEOUT - 1, DIGEST) == position


CURSOR = encode_cursor(SECRET, Position("ada", 7), NOW, DIGEST)


def test_an_old_cursor_has_expired() -> None:
    with pytest.raises(ExpiredCursor):
        decode_cursor(SECRET, CURSOR, NOW + CURSOR_TIMEOUT + 2, DIGEST)


@pytest.mark.parametrize(
    "text", ["", ".", "x", "x.y", CURSOR[:-1], CURSOR + "A", "A" + CURSOR, CURSOR.lower(), "\u00e9.\udc80"]
)
def test_a_foreign_cursor_is_invalid(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(SECRET, text, NOW, DIGEST)


def test_a_cursor_belongs_to_its_query_and_workspace() -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(SECRET, CURSOR, NOW, query_digest(type="User", filter="active eq true"))
    with pytest.raises(InvalidCursor):
        decode_cursor(b"t" * 32, CURSOR, NOW, DIGEST)


@given(st.integers(0, len(CURSOR) - 1), st.sampled_from("AZaz09-_."))
def test_a_changed_cursor_is_invalid(place: int, character: str) -> None:
    changed = CURSOR[:place] + character + CURSOR[place + 1 :]
    if changed != CURSOR:
        with pytest.raises(InvalidCursor):
            decode_cursor(SECRET, changed, NOW, DIGEST)


@given(st.text())
def test_random_text_is_not_a_cursor(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode_cursor(SECRET, text, NOW, DIGEST)
