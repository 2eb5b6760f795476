"""JSON as clients send it and as Perch writes it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidSyntax
from schemas.json import CompactJson, parse_json, to_text

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(trees)
def test_to_text_writes_compact_json(value: Any) -> None:
    text = to_text(value)
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert parse_json(text.encode()) == CompactJson.loads(text) == CompactJson.loads(text.encode()) == value


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', "[NaN]", "[1e999]", '["\\ud800"]', '{"a":1}}', "[" * 100_000])
def test_an_error_in_json_is_the_same_each_time(text: str) -> None:
    details = []
    for _ in range(2):
        with pytest.raises(InvalidSyntax) as raised:
            parse_json(text.encode())
        details.append(raised.value.detail)
    assert details[0] == details[1]


def test_a_duplicate_key_is_named() -> None:
    with pytest.raises(InvalidSyntax) as raised:
        parse_json(b'{"a": {"b": 1, "x": 2, "x": 2}}')
    assert raised.value.detail == "Duplicate key 'x' in a JSON object; send it once."


def test_text_with_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InvalidSyntax):
        CompactJson.loads('["\ud800"]')
