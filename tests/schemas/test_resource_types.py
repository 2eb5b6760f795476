"""The resource types of a deployment, and an extension that is added to users at run time."""

import gc
import json
import weakref
from typing import Any, cast

import pytest
from flask import Flask

from schemas import ResourceTypes, discovery
from schemas.errors import InvalidFilter
from schemas.fields import Boolean, Complex, Integer, String
from schemas.filters.binding import bind
from schemas.filters.evaluation import evaluate
from schemas.filters.parser import parse_filter
from schemas.group import GroupSchema
from schemas.messages import read_patch
from schemas.resource import Extension, ResourceSchema, ScimSchema
from schemas.role import RoleSchema
from schemas.user import UserSchema
from scim.protocol.patch import apply
from scim.protocol.projection import Projection
from tests.support.client import ScimClient
from tests.support.resource_types import RESOURCE_TYPES

URN = "urn:example:scim:schemas:extension:badges:1.0:User"


def with_badges() -> ResourceTypes:
    """Return the resource types of a deployment whose users have badges."""

    class Badges(ScimSchema):
        class Meta(ScimSchema.Meta):
            register = False
            urn = URN
            name = "Badges"
            description = "Badges of people"

        number = Integer("The badge's number.")
        colour = String("The badge's colour.")
        items = String("Things of the person.", multiValued=True)
        card = Complex({"value": String("The card's id."), "lost": Boolean("Whether it is lost.")}, "The card.")

    users = UserSchema.from_dict({"badges": Extension.of(Badges)}, name="UserSchema")
    return ResourceTypes(cast(ResourceSchema, users()), GroupSchema(), RoleSchema())


TYPES = with_badges()
BADGES = {"number": 7, "colour": "Red", "items": ["a", "b"], "card": {"value": "c", "lost": False}}


def loaded() -> dict[str, Any]:
    return TYPES["User"].load({"userName": "ada", URN.upper(): BADGES})


def test_types_are_found_by_name_and_by_endpoint() -> None:
    assert [(kind.name, kind.endpoint, kind.writable) for kind in RESOURCE_TYPES.values()] == [
        ("User", "/Users", True), ("Group", "/Groups", True), ("Role", "/Roles", False),
    ]  # fmt: skip
    assert RESOURCE_TYPES.writable == {"/Users": RESOURCE_TYPES["User"], "/Groups": RESOURCE_TYPES["Group"]}


def test_an_added_extension_loads_and_dumps() -> None:
    document = loaded()
    assert document[URN] == BADGES and URN in document["schemas"]
    assert TYPES["User"].schema.dump(document) == document
    assert TYPES["User"].schema.loads(TYPES["User"].schema.dumps(document)) == document
    messages: Any = TYPES["User"].schema.validate({"userName": "ada", "Number": "x"})
    assert messages == {URN: {"number": ["must be a whole number, not a string."]}}


def test_other_deployments_ignore_an_added_extension() -> None:
    assert URN not in RESOURCE_TYPES["User"].load({"userName": "ada", URN: BADGES})
    with pytest.raises(InvalidFilter):
        bind(parse_filter(f"{URN}:number eq 7"), RESOURCE_TYPES["User"].schema)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        (f"{URN}:number gt 6", True),
        (f'{URN}:colour eq "RED"', True),
        (f'{URN}:items eq "b"', True),
        (f'{URN}:items eq "c"', False),
        (f'{URN}:card.value eq "c"', True),
        (f"{URN} pr", True),
    ],
)
def test_filters_work_on_an_added_extension(text: str, matches: bool) -> None:
    assert evaluate(bind(parse_filter(text), TYPES["User"].schema), loaded()) is matches


def test_patch_and_projection_work_on_an_added_extension() -> None:
    operations = [
        {"op": "replace", "path": f"{URN}:colour", "value": "Blue"},
        {"op": "add", "value": {"number": "8", f"{URN}:card.lost": True}},
        {"op": "remove", "path": f"{URN}:items"},
    ]
    schema = TYPES["User"].schema
    patched = apply(schema, loaded(), read_patch({"Operations": operations})).document
    assert patched[URN] == {"number": 8, "colour": "Blue", "card": {"value": "c", "lost": True}}
    projection = Projection.parse([f"{URN}:colour"], None, schema)
    assert projection.apply({**patched, "id": "1"})[URN] == {"colour": "Blue"}


def test_discovery_shows_an_added_extension() -> None:
    (user, *_) = discovery.type_documents(TYPES, "https://x")
    assert {"schema": URN, "required": False} in user["schemaExtensions"]
    shown = {schema["id"]: schema for schema in discovery.schema_documents(TYPES, "https://x", [], "objects")}
    assert [attribute["name"] for attribute in shown[URN]["attributes"]] == list(BADGES)
    assert (shown[URN]["name"], shown[URN]["description"]) == ("Badges", "Badges of people")


def test_a_deployment_serves_an_added_extension(app: Flask, generic: ScimClient) -> None:
    app.extensions["perch"]._types = with_badges()
    created = generic.post("/Users", {"userName": "ada", URN: BADGES})
    path = f"/Users/{created.body['id']}"
    assert (created.status, generic.get(path).body[URN]) == (201, BADGES)
    generic.post("/Users", {"userName": "bob"})
    for text in (f"{URN}:number eq 7", f'{URN}:items eq "a"', f"{URN}:card.lost eq false"):
        found = generic.get(f"/Users?filter={text.replace(' ', '%20').replace(chr(34), '%22')}").body
        assert [user["userName"] for user in found["Resources"]] == ["ada"], text
    change = {"Operations": [{"op": "replace", "path": f"{URN}:number", "value": 8}]}
    assert generic.patch(path, change).body[URN] == {**BADGES, "number": 8}
    assert URN in json.dumps(generic.get("/Schemas").body)


def test_no_class_outlives_its_resource_types() -> None:
    types = with_badges()
    kept = weakref.ref(type(types["User"].schema))
    assert kept() is not None
    del types
    gc.collect()
    assert kept() is None
