"""The `[[attributes]]` tables of the workspace file."""

from typing import Any

import pytest
from marshmallow import ValidationError

from schemas import ResourceTypes
from schemas.declarations import Declaration, DeclarationSchema, read_declaration, together

URN = "urn:ietf:params:scim:schemas:extension:acme:2.0:User"
PLAIN: dict[str, Any] = {"schema": URN, "name": "badge", "type": "string"}
CARD: dict[str, Any] = {**PLAIN, "type": "complex", "sub": [{"name": "value", "type": "string"}]}


@pytest.mark.parametrize(
    "table",
    [
        PLAIN,
        {**PLAIN, "resource": "Group"},
        {**PLAIN, "schema": "urn:acme:Group", "multiValued": True, "caseExact": True, "canonicalValues": ["a", "b"]},
        {**PLAIN, "schema": "urn:acme:badges", "resource": "User", "type": "integer", "uniqueness": "server"},
        {**PLAIN, "name": "extension_0f_badge-no", "type": "dateTime", "indexed": True, "description": "When."},
        {**PLAIN, "schema": "urn:acme:it's!$&*;=@~%20/x:User", "type": "reference", "caseExact": True},
        {**CARD, "multiValued": True, "indexed": True, "uniqueness": "server"},
        {**CARD, "sub": [{"name": "$ref", "type": "reference"}, {"name": "lost", "type": "boolean"}]},
        {**CARD, "sub": [{"name": "x", "type": "string", "caseExact": True, "canonicalValues": ["q"]}]},
    ],
)
def test_a_table_is_read_and_written_alike(table: dict[str, Any]) -> None:
    declared = read_declaration(table)
    assert declared.table() == table
    assert read_declaration(declared.table()) == declared


def test_defaults_are_left_out() -> None:
    defaults = {"resource": "User", "multiValued": False, "caseExact": False, "canonicalValues": [], "indexed": False}
    more = {"uniqueness": "none", "description": "", "sub": []}
    assert read_declaration({**PLAIN, **defaults, **more}).table() == PLAIN


@pytest.mark.parametrize(
    ("table", "keys"),
    [
        ({}, {"schema", "name", "type"}),
        ({**PLAIN, "kind": "x", "Type": "string"}, {"kind", "Type"}),
        ({**PLAIN, "schema": "acme:User"}, {"schema"}),
        ({**PLAIN, "schema": "urn:a:User"}, {"schema"}),
        ({**PLAIN, "schema": "urn:acme:bad ges:User"}, {"schema"}),
        ({**PLAIN, "schema": 'urn:acme:"x":User'}, {"schema"}),
        ({**PLAIN, "schema": "urn:acme:" + "x" * 200 + ":User"}, {"schema"}),
        ({**PLAIN, "schema": "urn:acme:\u212abadges:User"}, {"schema"}),
        ({**PLAIN, "schema": "urn:acme:badges"}, {"resource"}),
        ({**PLAIN, "resource": "Role"}, {"resource"}),
        ({**PLAIN, "schema": "urn:ietf:params:scim:schemas:core:2.0:User"}, {"schema"}),
        ({**PLAIN, "schema": "URN:IETF:params:scim:schemas:core:2.0:Device"}, {"schema"}),
        ({**PLAIN, "schema": "urn:ietf:params:scim:schemas:extension:Enterprise:2.0:User"}, {"schema"}),
        ({**PLAIN, "schema": "urn:scim:schemas:extension:enterprise:1.0", "resource": "User"}, {"schema"}),
        ({**PLAIN, "schema": "urn:ietf:params:scim:api:messages:2.0:PatchOp:User"}, {"schema"}),
        ({**PLAIN, "schema": "urn:okta:scim:schemas:core:1.0:Role", "resource": "User"}, {"schema"}),
        ({**PLAIN, "schema": "urn:Perch:anything:User"}, {"schema"}),
        ({**PLAIN, "name": "1st", "type": "text"}, {"name", "type"}),
        ({**PLAIN, "name": "a.b"}, {"name"}),
        ({**PLAIN, "name": "x" * 101}, {"name"}),
        ({**PLAIN, "name": ""}, {"name"}),
        ({**PLAIN, "type": 5, "multiValued": "perhaps"}, {"type", "multiValued"}),
        ({**PLAIN, "type": "boolean", "caseExact": True}, {"caseExact"}),
        ({**PLAIN, "type": "integer", "canonicalValues": ["1"]}, {"canonicalValues"}),
        ({**PLAIN, "canonicalValues": [1]}, {"canonicalValues"}),
        ({**PLAIN, "type": "boolean", "uniqueness": "server"}, {"uniqueness"}),
        ({**PLAIN, "uniqueness": "global"}, {"uniqueness"}),
        ({**PLAIN, "sub": [{"name": "a", "type": "string"}]}, {"sub"}),
        ({**PLAIN, "type": "complex"}, {"sub"}),
        ({**CARD, "sub": []}, {"sub"}),
        ({**CARD, "sub": "value"}, {"sub"}),
        ({**CARD, "sub": [*CARD["sub"], {"name": "Value", "type": "string"}]}, {"sub"}),
        ({**CARD, "indexed": True, "sub": [{"name": "number", "type": "integer"}]}, {"indexed"}),
    ],
)
def test_each_fault_is_at_its_key(table: dict[str, Any], keys: set[str]) -> None:
    assert set(DeclarationSchema().validate(table)) == keys


def test_faults_of_sub_attributes_are_at_their_keys() -> None:
    sub = [{"name": "value", "type": "string"}, {"name": "a b", "type": "complex"}, {"type": "string", "sub": []}]
    with pytest.raises(ValidationError) as caught:
        DeclarationSchema().load({**CARD, "sub": sub, "name": "?"})
    found: Any = caught.value.messages
    assert set(found) == {"sub", "name"}
    assert {index: set(keys) for index, keys in found["sub"].items()} == {1: {"name", "type"}, 2: {"name", "sub"}}


def test_declarations_must_fit_each_other() -> None:
    tables = [
        PLAIN,
        {**PLAIN, "name": "BADGE"},
        {**PLAIN, "schema": URN.upper().replace(":USER", ":User"), "name": "other"},
        {**PLAIN, "name": "team", "resource": "Group"},
        {**PLAIN, "name": "fine"},
    ]
    found = together([read_declaration(table) for table in tables])
    assert {position: set(keys) for position, keys in found.items()} == {1: {"name"}, 2: {"schema"}, 3: {"resource"}}


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"description": "x", "caseExact": True, "canonicalValues": ["a"], "indexed": True}, True),
        ({"uniqueness": "server"}, True),
        ({"type": "integer"}, False),
        ({"multiValued": True}, False),
        ({"name": "Badge"}, False),
    ],
)
def test_a_change_says_whether_stored_values_still_fit(change: dict[str, Any], kept: bool) -> None:
    assert read_declaration({**PLAIN, **change}).keeps_values_of(read_declaration(PLAIN)) is kept


def test_sub_attributes_may_be_added_and_not_changed() -> None:
    more = read_declaration({**CARD, "sub": [*CARD["sub"], {"name": "lost", "type": "boolean"}]})
    other = read_declaration({**CARD, "sub": [{"name": "value", "type": "integer"}]})
    assert more.keeps_values_of(read_declaration(CARD))
    assert not read_declaration(CARD).keeps_values_of(more)
    assert not other.keeps_values_of(read_declaration(CARD))


@pytest.mark.parametrize("name", ["Meta", "fields", "load", "context", "schemas", "dump", "opts"])
def test_any_name_can_be_declared(name: str) -> None:
    declared = Declaration("User", URN, name, "string")
    types = ResourceTypes.of({1: declared}, 1)
    document = types["User"].load({"userName": "ada", URN: {name: "7"}})
    assert document[URN] == {name: "7"}
    assert types["User"].schema.loads(types["User"].schema.dumps(document)) == document
