"""From a client's body to the stored text: the fields read as marshmallow's own Schema would read them."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import EXCLUDE, Schema, ValidationError

from schemas.errors import InvalidSyntax, InvalidValue
from schemas.fields import is_unassigned
from schemas.json import parse_json, to_text
from schemas.resource import GROUP, RESOURCE_TYPES, USER, ResourceType, describe

UNASSIGNED: tuple[Any, ...] = (None, "", [], {})
VALUES: list[Any] = [
    "text", " ", "True", "x" * 70_000, "a\0", 5, 0, True, False, ["a"], [""], [None, {}], {"value": "a"}, {"VALUE": ""},
    {"givenName": "G", "nonsense": 1}, {"givenName": 5}, [{"value": "a", "primary": True}] * 2,
    [{"display": "no value"}, {"value": 1}], {"department": "D", "manager": {"value": "m"}}, *UNASSIGNED,
]  # fmt: skip


def by_schema(kind: ResourceType, body: dict[str, Any]) -> Any:
    """The document that a marshmallow Schema of the same fields makes of canonical names, or its errors in words."""
    keys = {key: key.replace(".", "_") for key in kind.fields}
    fields = {keys[key]: copy.copy(field) for key, field in kind.fields.items()}
    for key, field in kind.fields.items():
        fields[keys[key]].data_key = key
        fields[keys[key]].name = field.name
    sent = {key: value for key, value in body.items() if not is_unassigned(value)}
    try:
        loaded = Schema.from_dict(dict(fields))(unknown=EXCLUDE).load(sent)
    except ValidationError as error:
        return describe(error.messages)
    found = {key: loaded.get(keys[key]) for key in kind.fields if key != "password"}
    return {key: value for key, value in found.items() if not is_unassigned(value)}


def sent_to(kind: ResourceType) -> st.SearchStrategy[dict[str, Any]]:
    """Bodies of some attributes under their canonical names, in any order."""
    name = "userName" if kind is USER else "displayName"
    sent = st.dictionaries(st.sampled_from(list(kind.fields)), st.sampled_from(VALUES), max_size=6)
    return st.one_of(sent, sent.map(lambda body: {**body, name: "ada", "schemas": [kind.urn]}))


@pytest.mark.parametrize("kind", [USER, GROUP], ids=lambda kind: kind.name)
@given(data=st.data())
def test_a_body_is_read_as_by_a_schema(kind: ResourceType, data: st.DataObject) -> None:
    body = {**data.draw(sent_to(kind)), "schemas": [kind.urn]}
    expected = by_schema(kind, body)
    if isinstance(expected, str):
        with pytest.raises(InvalidValue) as raised:
            kind.load(body)
        assert raised.value.detail == expected
        return
    document = kind.load(body)
    used = [urn for urn in kind.extensions if urn in expected or urn in kind.computed_urns]
    assert document.pop("schemas") == [kind.urn, *used]
    assert (document, list(document)) == (expected, list(expected))


def test_everything_wrong_is_named_in_the_order_of_the_declaration() -> None:
    sent = {"roles": [{"display": "x"}], "active": "maybe", "password": 1, "name": {"familyName": 2}, "USERNAME": ""}
    with pytest.raises(InvalidValue) as raised:
        USER.load({"schemas": [USER.urn], **sent})
    assert raised.value.detail == (
        "userName: is required. name.familyName: must be a string, not a number. "
        "active: must be true or false, not a string. password: must be a string, not a number. "
        "roles[0].value: is required."
    )


def test_a_stored_document_loads_as_itself() -> None:
    body = {
        "userName": "ada", "password": "secret", "title": "T", "ACTIVE": "False", "groups": [{"value": "g"}],
        "roles": ["managed:admin"], "emails": [{"type": "work", "value": "a@x"}], "department": "D",
    }  # fmt: skip
    document = USER.load(body)
    assert "password" not in document and "groups" not in document
    assert to_text(USER.load(parse_json(to_text(document).encode()))) == to_text(document)


@pytest.mark.parametrize("value", [*UNASSIGNED, "a", " ", 0, 0.0, 1, True, False, [None], [""], {"a": None}])
def test_unassigned_are_null_and_what_is_empty(value: Any) -> None:
    assert is_unassigned(value) is any(value == one and type(value) is type(one) for one in UNASSIGNED)


def test_fields_know_what_they_are_called() -> None:
    for kind in RESOURCE_TYPES.values():
        assert [field.name for field in kind.fields.values()] == list(kind.fields)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
trees = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(trees)
def test_text_of_a_value_is_compact_json(value: Any) -> None:
    text = to_text(value)
    assert text == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert parse_json(text.encode()) == value


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', "[NaN]", "[1e999]", '["\\ud800"]', '{"a":1}}', "[" * 100_000])
def test_what_is_wrong_with_json_is_told_each_time(text: str) -> None:
    told = []
    for _ in range(2):
        with pytest.raises(InvalidSyntax) as raised:
            parse_json(text.encode())
        told.append(raised.value.detail)
    assert told[0] == told[1]
