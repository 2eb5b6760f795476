"""Bounds of a JSON text, counted on its bytes before it is parsed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import json_bounds
from schemas.errors import InvalidSyntax, PayloadTooLarge
from schemas.json_bounds import MAX_NESTING, check_bounds, check_values

NASTY_TEXTS = st.text(st.sampled_from('[]{},"\\\\a'), max_size=8)
trees = st.recursive(
    st.integers() | NASTY_TEXTS,
    lambda inner: st.lists(inner, min_size=1) | st.dictionaries(NASTY_TEXTS, inner, min_size=1),
    max_leaves=40,
)


def values_of(tree: Any) -> int:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return 1 + sum(map(values_of, inner))


def depth_of(tree: Any) -> int:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(trees, st.sampled_from([1, 7, 65536]))
def test_values_are_counted_outside_of_strings(tree: Any, size: int) -> None:
    before, json_bounds.CHUNK = json_bounds.CHUNK, size
    try:
        data, count = json.dumps(tree).encode(), values_of(tree) - 1
        if depth_of(tree) > MAX_NESTING:
            return
        check_bounds(data, count)
        check_values(tree, count)
        if count:
            with pytest.raises(PayloadTooLarge):
                check_values(tree, count - 1)
            with pytest.raises(PayloadTooLarge):
                check_bounds(data, count - 1)
    finally:
        json_bounds.CHUNK = before


@given(trees, st.booleans())
def test_nesting_is_counted_outside_of_strings(tree: Any, objects: bool) -> None:
    depth = depth_of(tree)
    for wanted in (MAX_NESTING, MAX_NESTING + 1):
        data = json.dumps(tree)
        for _ in range(wanted - depth):
            data = f'{{"[": {data}}}' if objects else f"[{data}]"
        if wanted == MAX_NESTING and depth <= MAX_NESTING:
            check_bounds(data.encode(), 10**6)
        else:
            with pytest.raises(InvalidSyntax, match="32 levels"):
                check_bounds(data.encode(), 10**6)


@pytest.mark.parametrize(
    "text", ["[" * 10_000, '["]",' * 10_000, "]" * 10_000, '"' * 9999, "[" * 33 + "]" * 32 + "}", '{"a' * 100]
)
def test_what_is_no_json_is_refused_or_left_to_the_parser(text: str) -> None:
    try:
        check_bounds(text.encode(), 10**6)
    except InvalidSyntax:
        return
    with pytest.raises(ValueError):
        json.loads(text)


def test_strings_that_close_brackets_do_not_hide_depth() -> None:
    opened = '["]",' * 40 + "1" + ',"["]' * 40
    assert depth_of(json.loads(opened)) == 40
    with pytest.raises(InvalidSyntax):
        check_bounds(opened.encode(), 10**6)
