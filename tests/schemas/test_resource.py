"""The schemas of users and groups are marshmallow's: load, validate, dump and dumps agree with each other."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import RAISE, ValidationError

from schemas import ResourceType
from schemas.errors import InvalidSyntax, InvalidValue
from schemas.fields import is_unassigned
from schemas.json import to_text
from schemas.values import sentences
from tests.support.resource_types import GROUP, RESOURCE_TYPES, USER
from tests.support.tolerances import collect

UNASSIGNED: tuple[Any, ...] = (None, "", [], {})
VALUES: list[Any] = [
    "text", " ", "True", "x" * 70_000, "a\0", 5, 0, True, False, ["a"], [""], [None, {}], {"value": "a"}, {"VALUE": ""},
    {"givenName": "G", "nonsense": 1}, {"givenName": 5}, [{"value": "a", "primary": True}] * 2,
    [{"display": "no value"}, {"value": 1}], {"department": "D", "manager": {"value": "m"}}, *UNASSIGNED,
]  # fmt: skip
both = pytest.mark.parametrize("kind", [USER, GROUP], ids=lambda kind: kind.name)


def bodies(kind: ResourceType) -> st.SearchStrategy[dict[str, Any]]:
    """Return bodies of some attributes, in any order, with and without the required one."""
    name = "userName" if kind is USER else "displayName"
    sent = st.dictionaries(st.sampled_from(list(kind.schema.by_key)), st.sampled_from(VALUES), max_size=6)
    chosen = st.one_of(sent, sent.map(lambda body: {**body, name: "ada"}))
    return chosen.map(lambda body: {**body, "schemas": [kind.schema.urn]})


def by_field(kind: ResourceType, body: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the values that the fields read one by one, and their errors."""
    found: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for key, field in kind.schema.by_key.items():
        value = body.get(key)
        if field.readOnly:
            continue
        if field.is_cleared_by(value):
            if field.required:
                errors[key] = ["is required."]
            continue
        try:
            read = field.read(value)
        except ValidationError as error:
            errors[key] = error.messages
            continue
        if field.returned != "never" and not is_unassigned(read):
            found[key] = read
    return found, errors


@both
@given(data=st.data())
def test_load_and_validate_agree_with_the_fields(kind: ResourceType, data: st.DataObject) -> None:
    body = data.draw(bodies(kind))
    expected, errors = by_field(kind, body)
    assert kind.schema.validate(body) == errors
    if errors:
        with pytest.raises(ValidationError) as raised:
            kind.schema.load(body)
        assert raised.value.messages == errors
        with pytest.raises(InvalidValue) as refused:
            kind.load(body)
        assert refused.value.detail == sentences(errors)
        return
    document = kind.schema.load(body)
    used = [urn for urn, each in kind.schema.extensions.items() if urn in expected or each.computed]
    assert document.pop("schemas") == [kind.schema.urn, *used]
    assert (document, list(document)) == (expected, list(expected))


@both
@given(data=st.data())
def test_dump_of_a_loaded_document_changes_nothing(kind: ResourceType, data: st.DataObject) -> None:
    body = data.draw(bodies(kind))
    if kind.schema.validate(body):
        return
    document = kind.schema.load(body)
    assert kind.schema.dump(document) == document
    assert kind.schema.load(kind.schema.dump(document)) == document
    text = kind.schema.dumps(document)
    assert text == to_text(document)
    assert kind.schema.loads(text) == document


def test_names_are_read_in_any_case() -> None:
    sent = {"SCHEMAS": [USER.schema.urn.upper()], "USERNAME": "ada", "Emails": [{"VALUE": "a@x"}]}
    document = USER.load(sent)
    assert (document["userName"], document["emails"]) == ("ada", [{"value": "a@x"}])


def test_all_errors_are_named_in_the_order_of_declaration() -> None:
    sent = {"roles": [{"display": "x"}], "active": "maybe", "password": 1, "name": {"familyName": 2}, "USERNAME": ""}
    with pytest.raises(InvalidValue) as raised:
        USER.load({"schemas": [USER.schema.urn], **sent})
    assert raised.value.detail == (
        "userName: is required. name.familyName: must be a string, not a number. "
        "active: must be true or false, not a string. password: must be a string, not a number. "
        "roles[0].value: is required."
    )


def test_ten_of_many_errors_are_named() -> None:
    with pytest.raises(InvalidValue) as raised:
        USER.load({"userName": "ada", "emails": [{"value": number} for number in range(12)]})
    assert raised.value.detail.count("must be a string") == 10
    assert raised.value.detail.endswith(" And 2 more.")


@pytest.mark.parametrize("body", [[], "text", None, 5])
def test_a_body_that_is_no_object_is_refused(body: Any) -> None:
    assert USER.schema.validate(body) == {"_schema": ["Invalid input type."]}
    with pytest.raises(InvalidSyntax, match="The body must be a JSON object, not "):
        USER.load(body)


@pytest.mark.parametrize("urns", [["urn:x"], "urn:x", [GROUP.schema.urn], [5]])
def test_schemas_that_lack_the_core_urn_are_refused(urns: Any) -> None:
    expected = f"must contain {USER.schema.urn} for a User."
    assert USER.schema.validate({"schemas": urns, "userName": 5}) == {"schemas": [expected]}
    with pytest.raises(InvalidValue) as raised:
        USER.load({"schemas": urns, "userName": "ada"})
    assert raised.value.detail == f"schemas: {expected}"


def test_read_only_and_unknown_attributes_are_left_out() -> None:
    with collect() as used:
        document = USER.load({
            "userName": "ada", "password": "secret", "id": "7", "meta": {"version": "x"}, "groups": [{"value": "g"}],
            "colour": "red", "name": {"nick": "a"}, "title": "",
        })  # fmt: skip
    assert set(document) == {"schemas", "userName"}
    assert list(used.ignored) == ["colour", "name.nick"]
    assert "password" not in USER.schema.dump({**document, "password": "secret"})


def test_unknown_attributes_are_errors_with_unknown_RAISE() -> None:
    with pytest.raises(ValidationError) as raised:
        USER.schema.load({"userName": "ada", "colour": "red"}, unknown=RAISE)
    assert raised.value.messages == {"colour": ["Unknown field."]}


def test_many_documents_load_and_dump_at_once() -> None:
    sent = [{"userName": "ada"}, {"userName": "bob", "ACTIVE": "True"}]
    documents = USER.schema.load(sent, many=True)
    assert [document["userName"] for document in documents] == ["ada", "bob"]
    assert USER.schema.dump(documents, many=True) == documents
    messages: Any = USER.schema.validate([{"userName": "ada"}, {}], many=True)
    assert messages == {1: {"userName": ["is required."]}}


def test_dumps_passes_its_options_to_json() -> None:
    assert GROUP.schema.dumps({"displayName": "é"}, indent=1) == '{\n "displayName": "é"\n}'


def test_fields_know_their_keys() -> None:
    for kind in RESOURCE_TYPES.values():
        assert [field.name for field in kind.schema.by_key.values()] == list(kind.schema.by_key)
        assert [sub.dotted for sub in kind.schema.paths() if not sub.sub and not sub.extension] == list(
            kind.schema.attributes
        )
