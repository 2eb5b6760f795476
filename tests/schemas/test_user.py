"""The schema of users: both extensions, misplaced attributes, roles and manager in the shapes that clients send."""

from typing import Any

import pytest

from schemas.errors import InvalidValue
from schemas.tolerances import Tolerance
from schemas.user import ACCESS_URN, ENTERPRISE_URN, URN
from tests.support.resource_types import USER
from tests.support.tolerances import collect

ENTERPRISE = {"employeeNumber": "7", "department": "D", "manager": {"value": "m"}}
ACCESS = {
    "loginAllowed": True,
    "effectiveRoles": [{"value": "managed:admin", "display": "Admin", "type": "direct"}],
}


def loaded(**sent: Any) -> dict[str, Any]:
    return USER.load({"schemas": [URN], "userName": "ada", **sent})


def test_a_user_with_both_extensions_loads_and_dumps() -> None:
    document = loaded(**{ENTERPRISE_URN.upper(): {"DEPARTMENT": "D", **ENTERPRISE}, ACCESS_URN: ACCESS})
    assert document == {"schemas": [URN, ENTERPRISE_URN, ACCESS_URN], "userName": "ada", ENTERPRISE_URN: ENTERPRISE}
    answer = {**document, "id": "1", ACCESS_URN: ACCESS, "roles": ["managed:admin"]}
    assert USER.schema.dump(answer) == answer
    assert USER.schema.validate(answer) == {}
    assert list(USER.schema.dump({ACCESS_URN: ACCESS, ENTERPRISE_URN: {}})) == [ENTERPRISE_URN, ACCESS_URN]


def test_an_error_in_an_extension_is_named_with_its_urn() -> None:
    with pytest.raises(InvalidValue) as raised:
        loaded(**{ENTERPRISE_URN: {"department": 5, "manager": {"value": {}, "$ref": 1}}})
    assert raised.value.detail == (
        f"{ENTERPRISE_URN}.department: must be a string, not a number. "
        f"{ENTERPRISE_URN}.manager.$ref: must be a string, not a number."
    )


def test_dump_leaves_out_undeclared_attributes() -> None:
    dumped = USER.schema.dump(
        {"userName": "ada", "colour": 1, "name": {"givenName": "A", "nick": 1}, ACCESS_URN: {"x": 1}}
    )
    assert dumped == {"userName": "ada", "name": {"givenName": "A"}, ACCESS_URN: {}}


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({"department": "D"}, {ENTERPRISE_URN: {"department": "D"}}),
        (
            {"Department": "D", ENTERPRISE_URN: {"division": "V"}},
            {ENTERPRISE_URN: {"division": "V", "department": "D"}},
        ),
        ({URN: {"title": "T", "roles": ["a"]}}, {"title": "T", "roles": [{"value": "a"}]}),
    ],
)
def test_a_misplaced_attribute_is_put_in_its_place(sent: dict[str, Any], found: dict[str, Any]) -> None:
    with collect() as used:
        document = loaded(**sent)
    assert {key: value for key, value in document.items() if key not in ("schemas", "userName")} == found
    assert Tolerance.MISPLACED_ATTRIBUTE in used and not used.ignored


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ("a", [{"value": "a"}]),
        (["a", "b", "a"], [{"value": "a"}, {"value": "b"}]),
        ([{"value": "a", "display": "A", "type": "t", "primary": "True"}], None),
        ([{"value": "a", "displayName": "A"}], [{"value": "a", "display": "A"}]),
        ([{"value": '{"value": "a", "displayName": "A"}'}], [{"value": "a", "display": "A"}]),
        (['{"value": "a"}'], [{"value": "a"}]),
    ],
)
def test_roles_load_in_every_shape(sent: Any, found: Any) -> None:
    expected = found or [{"value": "a", "display": "A", "type": "t", "primary": True}]
    assert loaded(roles=sent)["roles"] == expected


@pytest.mark.parametrize(
    ("name", "sent", "found"),
    [
        ("emails", [{"value": "a", "type": "work"}, {"value": "A", "type": "Work", "primary": True}],
         [{"value": "a", "type": "work", "primary": True}]),
        ("emails", ["a", "A", {"value": "a", "type": "work"}], [{"value": "a"}, {"value": "a", "type": "work"}]),
        ("phoneNumbers", [{"value": "1", "display": "x"}, {"value": "1", "display": "y"}],
         [{"value": "1", "display": "x"}]),
        ("ims", [{"value": "a", "type": "aim"}, {"value": "a", "type": "icq"}, {"value": "b", "type": "aim"}], None),
        ("photos", [{"value": "https://x/A"}, {"value": "https://x/a"}, {"value": "https://x/A"}],
         [{"value": "https://x/A"}, {"value": "https://x/a"}]),
        ("x509Certificates", ["aGVq", "aGVQ", "aGVq"], [{"value": "aGVq"}, {"value": "aGVQ"}]),
        ("entitlements", [{"type": "t", "value": "e"}, {"value": "E", "type": "T", "display": "d", "primary": False}],
         [{"value": "e", "type": "t"}]),
        ("addresses", [{"locality": "L"}, {"locality": "l", "primary": True}, {"locality": "L", "country": "GB"}],
         [{"locality": "L", "primary": True}, {"locality": "L", "country": "GB"}]),
        ("roles", [{"value": "a", "type": "t"}, {"value": "a", "type": "u", "primary": True}, "A"],
         [{"value": "a", "type": "t", "primary": True}, {"value": "A"}]),
    ],
)  # fmt: skip
def test_equal_elements_are_kept_once(name: str, sent: Any, found: Any) -> None:
    with collect() as used:
        assert loaded(**{name: sent})[name] == (found or sent)
    assert set(used) <= {Tolerance.BARE_VALUE}


@pytest.mark.parametrize(
    ("sent", "primary"),
    [
        (["a", "b"], [True, False]),
        (["a", "b", "c"], [True, False, False]),
        (["a", "A"], [True]),
        (["a", "b", "B"], [True, False]),
    ],
)
@pytest.mark.parametrize("name", ["emails", "phoneNumbers", "ims", "entitlements"])
def test_of_several_primaries_the_first_counts(name: str, sent: list[str], primary: list[bool]) -> None:
    elements = [{"value": value, "type": "t", "primary": True} for value in sent]
    with collect() as used:
        assert [element["primary"] for element in loaded(**{name: elements})[name]] == primary
    assert used == {Tolerance.SEVERAL_PRIMARIES: name}
    with collect(strict=True), pytest.raises(InvalidValue, match="several primary values"):
        loaded(**{name: elements})


@pytest.mark.parametrize("slug", ["a b", "x" * 256, "a\nb", ".", "..", "%2E", ".%2e"])
def test_a_role_needs_a_slug(slug: str) -> None:
    with pytest.raises(InvalidValue, match="role slug"):
        loaded(roles=[slug])


@pytest.mark.parametrize("manager", [{"value": "", "displayName": "Boss"}, {"value": None}, "", []])
def test_an_empty_manager_is_left_out(manager: Any) -> None:
    assert ENTERPRISE_URN not in loaded(**{ENTERPRISE_URN: {"manager": manager}})


def test_roles_as_strings_dump_as_strings() -> None:
    assert USER.derived.dumps({"roles": ["a"]}) == '{"roles":["a"]}'
    assert list(USER.derived.fields) == ["roles", "groups", "access"]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        ({"emails": '[{"value":"a@x.org","type":"work"}]'}, {"emails": [{"value": "a@x.org", "type": "work"}]}),
        ({"emails": '{"value":"a@x.org"}'}, {"emails": [{"value": "a@x.org"}]}),
        ({"addresses": ['{"locality":"B"}', {"country": "CH"}]}, {"addresses": [{"locality": "B"}, {"country": "CH"}]}),
        ({"name": ' { "givenName": "A" }'}, {"name": {"givenName": "A"}}),
        ({"roles": '["a","b"]'}, {"roles": [{"value": "a"}, {"value": "b"}]}),
        ({ENTERPRISE_URN: '{"division":"D"}', "costCenter": ""}, {ENTERPRISE_URN: {"division": "D"}}),
        (
            {"division": "C", ENTERPRISE_URN: '{"costCenter":"D"}'},
            {ENTERPRISE_URN: {"costCenter": "D", "division": "C"}},
        ),
        ({ENTERPRISE_URN: {"manager": '[{"value":"7"}]'}}, {ENTERPRISE_URN: {"manager": {"value": "7"}}}),
        ({URN: '{"title":"T"}'}, {"title": "T"}),
        ({"entitlements": ["[VPN] users", "{x}"]}, {"entitlements": [{"value": "[VPN] users"}, {"value": "{x}"}]}),
        ({"title": '{"a":1}'}, {"title": '{"a":1}'}),
        ({ENTERPRISE_URN: {"division": "[]"}}, {ENTERPRISE_URN: {"division": "[]"}}),
        ({"emails": [{"value": "", "type": "work", "primary": True}]}, {}),
    ],
)  # fmt: skip
def test_json_text_is_read_where_an_object_or_array_is_meant(sent: dict[str, Any], found: dict[str, Any]) -> None:
    document = loaded(**sent)
    assert {key: value for key, value in document.items() if key not in ("schemas", "userName")} == found


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"emails": '[{"value":'}, "emails: is JSON text with an error."),
        ({"emails": ["a", '{"value":']}, "emails[1]: is JSON text with an error."),
        ({"emails": [{"value": '[{"value":"a"}]'}]}, "emails[0].value: must be plain text, not JSON text"),
        ({"name": {"givenName": '["A"]'}}, "name.givenName: must be plain text, not JSON text"),
        ({"roles": [{"value": '["a"]'}]}, "roles[0].value: must be plain text, not JSON text"),
        ({"roles": ['{"display":"A"}']}, "roles[0].value: is required."),
        ({"roles": [{"value": '{"value":"a"'}]}, "roles[0]: is JSON text with an error."),
        ({ENTERPRISE_URN: '{"department"'}, f"{ENTERPRISE_URN}: is JSON text with an error."),
        ({URN: '{"title"'}, f"{URN}: is JSON text with an error."),
        ({"roles": {}}, "roles[0].value: is required."),
    ],
)
def test_json_text_with_an_error_or_at_a_leaf_is_refused(sent: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidValue) as raised:
        loaded(**sent)
    assert raised.value.detail.startswith(says)
