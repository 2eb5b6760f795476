"""JSON as clients send it and as Perch writes it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidSyntax
from schemas.json import CompactJson, begins_as_json, parse_json, structure_in, to_text

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(trees)
def test_to_text_writes_compact_json(value: Any) -> None:
    text = to_text(value)
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if spelled_once(value):
        assert parse_json(text.encode()) == CompactJson.loads(text) == CompactJson.loads(text.encode()) == value
    else:
        with pytest.raises(InvalidSyntax, match="differ in case only"):
            parse_json(text.encode())


def spelled_once(value: Any) -> bool:
    """Tell whether no object in a value has two keys that differ in case only."""
    if isinstance(value, dict):
        inner = list(value.values())
        return len({key.lower() for key in value}) == len(value) and all(map(spelled_once, inner))
    return not isinstance(value, list) or all(map(spelled_once, value))


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


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        ('{"userName": "a", "USERNAME": "a"}', "userName", "USERNAME"),
        ('{"Value": 1, "x": [{"y": {"op": 1, "Op": 1}}]}', "op", "Op"),
        ('[{"value": 1}, {"VALUE": 1}, {"a": 1, "value": 1, "b": 1, "Value": 1}]', "value", "Value"),
        ('{"urn:x:User": {}, "urn:X:User": {}}', "urn:x:User", "urn:X:User"),
    ],
)
def test_a_key_in_two_cases_is_a_duplicate(text: str, one: str, other: str) -> None:
    with pytest.raises(InvalidSyntax) as raised:
        parse_json(text.encode())
    assert (
        raised.value.detail == f"The keys {one!r} and {other!r} in a JSON object differ in case only; send one of them."
    )


def test_two_objects_may_spell_a_key_differently() -> None:
    assert parse_json(b'[{"value": 1}, {"VALUE": {"Value": 2}}]') == [{"value": 1}, {"VALUE": {"Value": 2}}]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": 1}', {"a": 1}), (' [ {"a" :1}\n]\t', [{"a": 1}]), ("[]", []), (" { } ", {}), ("[1]", [1]),
        ("[[]]", [[]]),
        ("[VPN] users", None), ("{x}", None), ("[a]", None), ("{", None), ("[", None), ("", None), (" ", None),
        ("1", None),
        ('"[]"', None), ("x [1]", None), ("[1] x", None), ("[[" * 50_000, None), ("\u00a0[1]", None),
    ],
)  # fmt: skip
def test_an_object_or_array_is_read_from_text(text: str, found: Any) -> None:
    assert structure_in(text) == found


@pytest.mark.parametrize(
    "text",
    ['{"a"', '{ "a": 1', '[{"a": 1}', '[ {', '["a"', ' [\n"a" ] x', '{"a": 1, "A": 2}', '["\\ud800"]', '{"a": NaN}',
     '[{"a":' * 50_000],
)  # fmt: skip
def test_text_that_begins_as_json_must_be_json(text: str) -> None:
    assert begins_as_json(text)
    with pytest.raises(InvalidSyntax):
        structure_in(text)


@pytest.mark.parametrize("text", ["[]", "{}", " [ ] ", "{\n}"])
def test_an_empty_object_or_array_begins_as_json(text: str) -> None:
    assert begins_as_json(text) and not begins_as_json(text + "x")
