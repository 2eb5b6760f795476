"""The order of bulk operations, and the ids in place of their references (RFC 7644 section 3.7)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.bulk import BulkOperation, BulkRequest, read_bulk
from schemas.errors import InvalidValue
from scim.protocol.bulk_plan import BulkStep, plan, references, resolve, should_stop, split_path, without

ENDPOINTS = ("/Users", "/Groups")


def post(name: str, *members: str, endpoint: str = "/Groups") -> dict[str, Any]:
    data = {"displayName": name, "members": [{"value": f"bulkId:{member}"} for member in members]}
    return {"method": "POST", "path": endpoint, "bulkId": name, "data": data}


def request(*operations: dict[str, Any]) -> BulkRequest:
    return read_bulk({"Operations": list(operations)}, 1000)


def steps(*operations: dict[str, Any]) -> list[tuple[int, str, bool]]:
    planned = plan(request(*operations), ENDPOINTS)
    assert planned.errors == {}
    return [(step.index, "".join(sorted(step.withheld)), step.completes) for step in planned.steps]


PATCH_A = {"method": "PATCH", "path": "/Groups/bulkId:a", "data": {"Operations": []}}
MEMBER_PATH = {
    "method": "PATCH",
    "path": "/Groups/7",
    "data": {"Operations": [{"op": "remove", "path": 'members[value eq "bulkId:a"]'}]},
}


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([post("a"), post("b")], [(0, "", False), (1, "", False)]),
        ([post("a"), post("b", "a")], [(0, "", False), (1, "", False)]),
        ([post("b", "a"), post("a")], [(1, "", False), (0, "", False)]),
        ([post("c", "b"), post("b", "a"), post("a")], [(2, "", False), (1, "", False), (0, "", False)]),
        ([PATCH_A, post("a")], [(1, "", False), (0, "", False)]),
        ([MEMBER_PATH, post("a")], [(1, "", False), (0, "", False)]),
        ([{"method": "DELETE", "path": "/Users/7"}, post("a")], [(0, "", False), (1, "", False)]),
        # A circle of two: the second is created without its reference, then the first, then the second gets it.
        ([post("a", "b"), post("b", "a")], [(1, "a", False), (0, "", False), (1, "", True)]),
        ([post("a", "a")], [(0, "a", False), (0, "", True)]),
        (
            [post("a", "b"), post("b", "c"), post("c", "a"), post("d", "c")],
            [(2, "a", False), (1, "", False), (0, "", False), (2, "", True), (3, "", False)],
        ),
    ],
)
def test_operations_run_after_those_they_refer_to(
    operations: list[dict[str, Any]], expected: list[tuple[int, str, bool]]
) -> None:
    assert steps(*operations) == expected


@pytest.mark.parametrize(
    ("operation", "scim_type", "says"),
    [
        ({"method": "GET", "path": "/Users"}, "invalidSyntax", "method"),
        ({"method": "POST", "path": "/Users", "data": {}}, "invalidSyntax", "bulkId"),
        ({"method": "POST", "path": "/Users", "bulkId": "x"}, "invalidSyntax", "data"),
        ({"method": "PUT", "path": "/Users/1", "data": []}, "invalidSyntax", "data"),
        ({"method": "PATCH", "path": "/Users/1", "data": "x"}, "invalidSyntax", "data"),
        ({"method": "POST", "path": "/Users/1", "bulkId": "x", "data": {}}, None, "path"),
        ({"method": "DELETE", "path": "/Users"}, "invalidPath", "path"),
        ({"method": "DELETE", "path": "/Cats/1"}, "invalidPath", "/Cats/1"),
        ({"method": "DELETE", "path": "/Users/1/2"}, "invalidPath", "path"),
        ({"method": "DELETE", "path": "/Users/.search"}, "invalidPath", "path"),
        ({"method": "DELETE", "path": "/"}, "invalidPath", "path"),
        ({"method": "DELETE", "path": "/Users/bulkId:nobody"}, "invalidValue", "bulkId:nobody"),
        (post("x", "nobody"), "invalidValue", "bulkId:nobody"),
        (post("a"), "invalidValue", "taken by Operations[0]"),
    ],
)
def test_a_wrong_operation_fails_alone(operation: dict[str, Any], scim_type: str | None, says: str) -> None:
    planned = plan(request(post("a"), operation, post("b", "a")), ENDPOINTS)
    assert [step.index for step in planned.steps] == [0, 2]
    error = planned.errors[1]
    assert (error.scimType, list(planned.errors)) == (scim_type, [1])
    assert error.detail.startswith("Operations[1]") and says in error.detail


def test_a_reference_to_a_wrong_operation_fails_when_it_is_resolved() -> None:
    first = post("a", "b")
    planned = plan(request(first, post("b", "nobody"), post("c")), ENDPOINTS)
    assert set(planned.errors) == {1}
    assert planned.steps == [BulkStep(0), BulkStep(2)]
    with pytest.raises(InvalidValue, match="bulkId:b"):
        resolve(first["data"], {"c": "1"})


def test_a_path_may_be_written_in_several_ways() -> None:
    for path in ("/Users/7", "Users/7", "/Users/7/"):
        assert split_path(BulkOperation(0, "DELETE", path), ENDPOINTS) == ("/Users", "7")
    assert split_path(BulkOperation(0, "POST", "/Users"), ENDPOINTS) == ("/Users", None)


DATA: dict[str, Any] = {
    "displayName": "about bulkId: things",
    "members": [{"type": "User", "value": "bulkId:a", "$ref": "../Users/bulkId:a"}, {"value": "7"}],
    "urn:x:User": {"manager": {"value": "bulkId:b c"}},
    "Operations": [{"op": "remove", "path": 'members[value eq "bulkId:d" or value eq "bulkId:e"]'}, "bulkId:f"],
    "count": 3,
}


def test_references_are_found_anywhere() -> None:
    assert list(references(DATA)) == ["a", "a", "b c", "d", "e", "f"]
    assert list(references("/Groups/bulkId:g")) == ["g"]


def test_references_are_replaced_anywhere() -> None:
    ids = {name: f"id-{name[0]}" for name in ("a", "b c", "d", "e", "f")}
    assert resolve(DATA, ids) == {
        "displayName": "about bulkId: things",
        "members": [{"type": "User", "value": "id-a", "$ref": "../Users/id-a"}, {"value": "7"}],
        "urn:x:User": {"manager": {"value": "id-b"}},
        "Operations": [{"op": "remove", "path": 'members[value eq "id-d" or value eq "id-e"]'}, "id-f"],
        "count": 3,
    }
    assert resolve("/Groups/bulkId:a", ids) == "/Groups/id-a"


def test_a_reference_to_a_missing_resource_fails() -> None:
    with pytest.raises(InvalidValue, match="bulkId:a"):
        resolve(DATA, {})


def test_withheld_references_leave_nothing_behind() -> None:
    assert without(DATA, {"a", "b c", "f"}) == {
        "displayName": "about bulkId: things",
        "members": [{"value": "7"}],
        "urn:x:User": {},
        "Operations": [DATA["Operations"][0]],
        "count": 3,
    }
    assert without({"members": ["bulkId:a"], "title": None}, {"a"}) == {"members": [], "title": None}
    assert without({"members": [None, {"value": "bulkId:a"}, {}]}, {"a"}) == {"members": [None, {}]}


def test_a_chain_of_a_thousand_is_planned() -> None:
    chain = [post(str(n), str(n + 1)) for n in range(999)] + [post("999")]
    assert [index for index, _, _ in steps(*chain)] == list(reversed(range(1000)))
    circle = [*chain[:-1], post("999", "0")]
    planned = steps(*circle)
    assert planned[0] == (999, "0", False) and planned[-1] == (999, "", True) and len(planned) == 1001


edges = st.lists(st.lists(st.integers(0, 7), max_size=3), min_size=8, max_size=8)


@given(edges)
def test_random_references_are_all_resolved(targets: list[list[int]]) -> None:
    operations = [post(str(index), *map(str, dict.fromkeys(names))) for index, names in enumerate(targets)]
    planned = plan(request(*operations), ENDPOINTS)
    ids: dict[str, str] = {}
    done: dict[int, Any] = {}
    for step in planned.steps:
        assert step.completes == (step.index in done)
        done[step.index] = resolve(without(operations[step.index]["data"], step.withheld), ids)
        ids[str(step.index)] = f"id-{step.index}"
    for index, operation in enumerate(operations):
        assert done[index] == resolve(operation["data"], ids)


def test_the_run_stops_at_the_limit_of_errors() -> None:
    assert [should_stop(errors, 2) for errors in range(4)] == [False, False, True, True]
    assert not should_stop(1000, None)
