"""Which attributes an answer holds (RFC 7644 section 3.9)."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InvalidValue
from scim.protocol.projection import Projection
from tests.support import resource_types

USER, GROUP = resource_types.USER.schema, resource_types.GROUP.schema

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"
WORK = {"value": "a@work", "type": "work", "primary": True}
HOME = {"value": "a@home"}
ADA: dict[str, Any] = {
    "schemas": [USER.urn, ENTERPRISE, ACCESS],
    "id": "1",
    "userName": "ada",
    "name": {"familyName": "L", "givenName": "A"},
    "active": False,
    "emails": [WORK, HOME],
    "roles": [{"value": "m:a", "display": "A"}],
    "meta": {"resourceType": "User", "version": 'W/"1.1"'},
    ENTERPRISE: {"department": "D", "manager": {"value": "7", "displayName": "Boss"}},
    ACCESS: {"loginAllowed": False},
}
ALWAYS = {"schemas": ADA["schemas"], "id": "1"}


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in ADA.items() if name not in names}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (["active"], {"active": False}),
        (["ACTIVE"], {"active": False}),
        (["active,name"], {"active": False, "name": ADA["name"]}),
        ([" active ", ""], {"active": False}),
        (["colour"], {}),
        (["name.colour", "urn:x:active", "a b", "."], {}),
        (["name.givenName"], {"name": {"givenName": "A"}}),
        (["NAME.GIVENNAME", "name.familyName"], {"name": ADA["name"]}),
        (["name", "name.givenName"], {"name": ADA["name"]}),
        (["name.givenName", "name"], {"name": ADA["name"]}),
        (["name.middleName"], {}),
        (["emails.value"], {"emails": [{"value": "a@work"}, HOME]}),
        (["emails.type"], {"emails": [{"type": "work"}]}),
        (["meta.version"], {"meta": {"version": 'W/"1.1"'}}),
        (["id", "schemas"], {}),
        (["username"], {"userName": "ada"}),
        ([f"{USER.urn}:active"], {"active": False}),
        ([f"{USER.urn.upper()}:NAME.givenName"], {"name": {"givenName": "A"}}),
        ([f"{ENTERPRISE}:department"], {ENTERPRISE: {"department": "D"}}),
        ([f"{ENTERPRISE}:manager.value"], {ENTERPRISE: {"manager": {"value": "7"}}}),
        ([ENTERPRISE.upper()], {ENTERPRISE: ADA[ENTERPRISE]}),
        ([ENTERPRISE, f"{ENTERPRISE}:department"], {ENTERPRISE: ADA[ENTERPRISE]}),
        ([f"{ACCESS}:loginAllowed"], {ACCESS: {"loginAllowed": False}}),
        (["password"], {}),
    ],
)
def test_attributes_selects_what_it_names(attributes: list[str], expected: dict[str, Any]) -> None:
    before = copy.deepcopy(ADA)
    assert Projection.parse(attributes, None, USER).apply(ADA) == {**ALWAYS, **expected}
    assert before == ADA


def test_the_core_urn_means_all_core_attributes() -> None:
    projected = Projection.parse([USER.urn], None, USER).apply(ADA)
    assert projected == without("meta", ENTERPRISE, ACCESS)


@pytest.mark.parametrize(
    ("excluded", "expected"),
    [
        (["active"], without("active")),
        (["ACTIVE", "emails"], without("active", "emails")),
        (["id", "schemas"], ADA),
        (["colour", "name.colour"], ADA),
        (["name.givenName"], {**ADA, "name": {"familyName": "L"}}),
        (["name.givenName", "name.familyName"], without("name")),
        (["emails.value"], {**ADA, "emails": [{"type": "work", "primary": True}]}),
        (["meta"], without("meta")),
        ([ENTERPRISE], without(ENTERPRISE)),
        ([f"{ENTERPRISE}:manager"], {**ADA, ENTERPRISE: {"department": "D"}}),
        ([f"{ENTERPRISE}:manager.displayName"], {**ADA, ENTERPRISE: {"department": "D", "manager": {"value": "7"}}}),
        ([f"{ENTERPRISE}:manager", f"{ENTERPRISE}:department"], without(ENTERPRISE)),
        ([ACCESS], without(ACCESS)),
    ],
)
def test_excluded_attributes_leaves_out_what_it_names(excluded: list[str], expected: dict[str, Any]) -> None:
    assert Projection.parse(None, excluded, USER).apply(ADA) == expected


@pytest.mark.parametrize("names", [None, [], [""], [" , "]])
def test_empty_parameters_are_the_default(names: list[str] | None) -> None:
    projection = Projection.parse(names, names, USER)
    assert projection.is_default
    assert projection.apply(ADA) == ADA


def test_named_attributes_are_not_the_default() -> None:
    assert not Projection.parse(["active"], None, USER).is_default
    assert not Projection.parse(["colour"], None, USER).is_default
    assert not Projection.parse(None, ["active"], USER).is_default


def test_both_parameters_together_are_refused() -> None:
    with pytest.raises(InvalidValue, match="excludedAttributes"):
        Projection.parse(["active"], ["name"], USER)


def test_a_password_never_appears() -> None:
    assert "password" not in Projection.parse(None, None, USER).apply({**ADA, "password": "x"})
    assert "password" not in Projection.parse(["password"], None, USER).apply({**ADA, "password": "x"})


@pytest.mark.parametrize(
    ("attributes", "excluded", "wanted"),
    [
        (None, None, True),
        (None, ["members"], False),
        (None, ["MEMBERS"], False),
        (None, [f"{GROUP.urn}:members"], False),
        (None, ["members.value"], True),
        (["displayName"], None, False),
        (["members"], None, True),
        (["Members.Value"], None, True),
        (["colour"], None, False),
    ],
)
def test_wants_tells_whether_members_are_read(
    attributes: list[str] | None, excluded: list[str] | None, wanted: bool
) -> None:
    assert Projection.parse(attributes, excluded, GROUP).wants("members") is wanted


def test_wants_covers_extensions_and_attributes_always_or_never_returned() -> None:
    asked = Projection.parse([f"{ACCESS}:loginAllowed"], None, USER)
    assert asked.wants(ACCESS) and asked.wants("id")
    assert not asked.wants(ENTERPRISE) and not asked.wants("password") and not asked.wants("colour")
    default = Projection.parse(None, None, USER)
    assert default.wants(ACCESS) and not default.wants("password")


names = st.lists(
    st.sampled_from(["active", "name", "name.givenName", "emails.value", ENTERPRISE, f"{ENTERPRISE}:department"])
)


@given(names)
def test_an_attribute_that_is_not_wanted_does_not_appear(chosen: list[str]) -> None:
    for projection in (Projection.parse(chosen, None, USER), Projection.parse(None, chosen, USER)):
        projected = projection.apply(ADA)
        assert all(projection.wants(name) for name in projected)
        assert {name: projected[name] for name in ALWAYS} == ALWAYS
        assert projection.apply(projected) == projected
