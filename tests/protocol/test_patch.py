"""PATCH on documents: the cases of tests/cases/patch.json, and rules that hold for random operations."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import BadRequest, ScimError
from schemas.filters.binding import bind_value_filter
from schemas.filters.parser import parse_path
from schemas.messages import PatchOperation, read_patch
from scim.protocol.patch import apply
from scim.protocol.patch_members import MemberEdit
from scim.protocol.patch_paths import read_target
from tests.support.resource_types import GROUP, RESOURCE_TYPES, USER
from tests.support.tolerances import collect

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
CASES = json.loads((Path(__file__).parents[1] / "cases" / "patch.json").read_text(encoding="utf-8"))


def operations(sent: list[Any]) -> list[PatchOperation]:
    return read_patch({"schemas": [PATCH_OP], "Operations": sent})


def expected_edit(kind: Any, *rest: str) -> MemberEdit:
    if kind != "remove-where":
        return MemberEdit(kind, rest)
    node = parse_path(f"members[{rest[0]}]").filter
    assert node is not None
    return MemberEdit(kind, (), bind_value_filter(node, GROUP.schema, GROUP.schema.resolve(None, "members")))


def loaded(case: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    kind = RESOURCE_TYPES[case.get("resourceType", "User")]
    return kind.load_changed({"schemas": [kind.schema.urn], **document})


def test_there_are_many_cases() -> None:
    assert len(CASES) >= 120


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_case_has_its_result(case: dict[str, Any]) -> None:
    document, kind = case["document"], RESOURCE_TYPES[case.get("resourceType", "User")]
    before = copy.deepcopy(document)
    with collect() as used:
        if "error" in case:
            with pytest.raises(BadRequest) as raised:
                apply(kind.schema, document, operations(case["operations"]))
            assert (raised.value.scimType, document) == (case["error"], before)
            assert case.get("says", "Operations[0]: ") in raised.value.detail
            return
        patched = apply(kind.schema, document, operations(case["operations"]))
    assert patched.document == case["expected"]
    assert list(patched.member_edits) == [expected_edit(*edit) for edit in case.get("members", [])]
    assert sorted(tolerance.name for tolerance in used) == case.get("tolerances", [])
    assert list(used.ignored) == case.get("ignored", list(used.ignored))
    assert document == before
    assert {**loaded(case, patched.document), "schemas": None} == {**case["expected"], "schemas": None}


def test_every_tolerance_of_patch_has_a_case() -> None:
    shown = {name for case in CASES for name in case.get("tolerances", [])}
    assert shown >= {
        "OPERATION_CASE", "DOTTED_KEYS", "TEXT_BOOLEAN", "TEXT_BOOLEAN_FILTER", "CREATED_FROM_FILTER",
        "REMOVE_WITH_VALUE", "BARE_VALUE", "SINGLE_VALUE_ARRAY", "LONE_ELEMENT", "EMPTY_MANAGER", "JSON_TEXT",
        "MISPLACED_ATTRIBUTE", "IGNORED_ID", "LITERAL_CASE", "FORMER_URN", "UNKNOWN_PATH", "NO_OPERATIONS",
    }  # fmt: skip


def test_a_plain_name_is_found_as_by_the_grammar() -> None:
    for schema in (kind.schema for kind in RESOURCE_TYPES.values()):
        for name in schema.attributes:
            found = read_target(schema, name)
            assert (found.text, found.bound) == (name, read_target(schema, name.upper()).bound)


elements = st.fixed_dictionaries(
    {"value": st.sampled_from("abc")},
    optional={"type": st.sampled_from(["work", "home"]), "primary": st.booleans(), "display": st.sampled_from("xy")},
)
paths = st.sampled_from(
    [
        "emails", "roles", "emails.type", "emails.value", "roles.display", "name", "name.givenName", "manager",
        'emails[type eq "work"]', 'emails[type eq "work"].value', 'roles[primary eq "True"].value', "roles.primary",
        'emails[primary eq true and value eq "a"].primary', 'roles[value eq "b"]', "title", "active", None,
    ]
)  # fmt: skip
values = st.one_of(
    st.none(), st.booleans(), st.sampled_from(["", "a", "b", "True"]), elements, st.lists(elements, max_size=3),
    st.just({"givenName": "G"}), st.fixed_dictionaries({"emails": st.lists(elements, max_size=2)}),
)  # fmt: skip
sent_operations = st.lists(
    st.builds(
        lambda op, path, value: {"op": op, "path": path, "value": value},
        st.sampled_from(["add", "replace", "remove"]),
        paths,
        values,
    ),
    min_size=1,
    max_size=5,
)


def primaries(document: dict[str, Any], name: str) -> int:
    return sum(element.get("primary") is True for element in document.get(name, []))


@given(sent_operations, st.lists(elements, max_size=3))
def test_random_operations_keep_a_document_valid(sent: list[Any], emails: list[Any]) -> None:
    document: dict[str, Any] = {"userName": "ada", **({"emails": emails} if emails else {})}
    for element in emails[1:]:
        element.pop("primary", None)
    before = copy.deepcopy(document)
    try:
        patched = apply(USER.schema, document, operations(sent)).document
        again = apply(USER.schema, patched, operations(sent)).document
    except ScimError as error:
        assert error.status == 400 and error.detail.startswith("Operations[")
        return
    finally:
        assert document == before
    assert max(primaries(patched, "emails"), primaries(patched, "roles")) <= 1
    assert all(value not in ([], {}, "", None) for value in again.values())


@given(st.lists(elements, min_size=1, max_size=3), st.lists(elements, max_size=3))
def test_adding_twice_adds_once(new: list[Any], held: list[Any]) -> None:
    for element in (*new, *held):
        element.pop("primary", None)
    add = operations([{"op": "add", "path": "emails", "value": new}])
    once = apply(USER.schema, {"userName": "ada", "emails": held}, add).document
    assert apply(USER.schema, once, add).document == once
