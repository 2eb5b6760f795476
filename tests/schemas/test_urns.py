"""The names of schemas and messages before the RFCs, where a client may send them."""

from typing import Any

import pytest

from schemas.bulk import BULK_REQUEST
from schemas.errors import InvalidSyntax, InvalidValue
from schemas.messages import PATCH_OP, SEARCH_REQUEST
from schemas.tolerances import Tolerance
from schemas.urns import former_names
from schemas.user import ENTERPRISE_URN
from scim.protocol.projection import Projection
from tests.support.resource_types import GROUP, RESOURCE_TYPES, USER
from tests.support.tolerances import collect

SCIM_1, DRAFT = "urn:scim:schemas:core:1.0", "urn:scim:schemas:core:2.0"


@pytest.mark.parametrize(
    ("type_name", "sent"),
    [
        ("User", SCIM_1),
        ("User", DRAFT),
        ("User", "URN:SCIM:SCHEMAS:CORE:1.0"),
        ("User", f"{DRAFT}:User"),
        ("User", f"{SCIM_1}:user"),
        ("User", "urn:ietf:params:scim:schemas:core:2.0"),
        ("User", "urn:ietf:params:scim:schemas:core:1.0:User"),
        ("Group", SCIM_1),
        ("Group", DRAFT),
        ("Group", f"{DRAFT}:Group"),
    ],
)
def test_a_resource_may_name_its_schema_as_before_the_rfcs(type_name: str, sent: str) -> None:
    body = {"userName": "ada"} if type_name == "User" else {"displayName": "Crew"}
    for schemas in ([sent], sent, ["urn:x", sent]):
        with collect() as used:
            document = RESOURCE_TYPES[type_name].load({"schemas": schemas, **body})
        assert document["schemas"][0] == RESOURCE_TYPES[type_name].schema.urn
        assert set(used) == {Tolerance.FORMER_URN}


@pytest.mark.parametrize(
    "sent", [f"{DRAFT}:Group", "urn:scim:schemas:core:3.0", "urn:scim:schemas:extension:enterprise:1.0", "urn:scim", ""]
)
def test_another_name_is_refused(sent: str) -> None:
    with pytest.raises(InvalidValue, match="must contain urn:ietf"):
        USER.load({"schemas": [sent], "userName": "ada"})


def test_the_present_name_beside_a_former_one_needs_no_tolerance() -> None:
    with collect(strict=True) as used:
        USER.load({"schemas": [SCIM_1, USER.schema.urn.upper()], "userName": "ada"})
    assert not used


@pytest.mark.parametrize(
    "key",
    [
        "urn:scim:schemas:extension:enterprise:1.0",
        "urn:scim:schemas:extension:enterprise:2.0",
        "urn:scim:schemas:extension:Enterprise:2.0:User",
        "urn:ietf:params:scim:schemas:extension:enterprise:1.0:User",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0",
    ],
)
def test_an_extension_may_have_its_former_name_as_key(key: str) -> None:
    body = {"schemas": [USER.schema.urn, key], "userName": "ada", key: {"department": "D"}}
    with collect() as used:
        document = USER.load({**body, ENTERPRISE_URN: {"division": "E"}})
    assert document[ENTERPRISE_URN] == {"department": "D", "division": "E"}
    assert (dict(used), used.ignored) == ({Tolerance.FORMER_URN: key}, {})
    with collect(strict=True), pytest.raises(InvalidSyntax, match="before the RFCs"):
        USER.load(body)


def test_core_attributes_inside_a_former_core_name_are_read() -> None:
    document = USER.load({"userName": "ada", SCIM_1: {"title": "Dr"}})
    assert document["title"] == "Dr"
    with collect() as used:
        assert "title" not in USER.load({"userName": "ada", f"{DRAFT}:Group": {"title": "Dr"}})
    assert list(used.ignored) == [f"{DRAFT}:Group"]


@pytest.mark.parametrize("message", [PATCH_OP, SEARCH_REQUEST, BULK_REQUEST], ids=lambda message: message.title)
def test_a_message_may_have_its_former_name(message: Any) -> None:
    title = message.title
    for sent in (
        f"urn:ietf:params:scim:schemas:core:2.0:{title}",
        f"urn:scim:schemas:core:2.0:{title}",
        f"urn:scim:api:messages:2.0:{title}",
        SCIM_1,
        DRAFT,
    ):
        with collect() as used:
            assert message.raw({"schemas": [sent], "Operations": [], "x": 1}) is not None
        assert dict(used) == {Tolerance.FORMER_URN: sent.lower()}
    for sent in (f"{DRAFT}:Other", USER.schema.urn, "urn:ietf:params:scim:api:messages:3.0:" + title):
        with pytest.raises(InvalidSyntax, match="schemas"):
            message.raw({"schemas": [sent]})


def test_a_projection_may_name_attributes_by_former_names() -> None:
    document = {"id": "1", "userName": "ada", ENTERPRISE_URN: {"department": "D", "division": "E"}}
    for name in (f"{SCIM_1}:userName", SCIM_1):
        assert Projection.parse([name], None, USER.schema).apply(document) == {"id": "1", "userName": "ada"}
    left = Projection.parse(None, ["urn:scim:schemas:extension:enterprise:1.0:division"], USER.schema).apply(document)
    assert left[ENTERPRISE_URN] == {"department": "D"}


def test_a_present_name_is_never_taken_for_a_former_one() -> None:
    schemas = [kind.schema for kind in RESOURCE_TYPES.values()]
    declared = {urn for schema in schemas for urn in (schema.urn, *schema.extensions)}
    assert not any(urn.lower() in former_names(other) for urn in declared for other in declared)
    assert former_names("urn:okta:scim:schemas:core:1.0:Role") == frozenset()
    with collect(strict=True) as used:
        for schema in schemas:
            for bound in schema.paths():
                assert schema.resolve(bound.extension or schema.urn, bound.attribute.name).attribute is bound.attribute
    assert not used
    assert GROUP.schema.declared_urn(SCIM_1) == GROUP.schema.urn
