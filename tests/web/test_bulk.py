"""/Bulk (RFC 7644 section 3.7): references, circles, failOnErrors and limits; each operation is atomic."""

from typing import Any

import pytest
from flask import Flask

from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_json

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
Operation = dict[str, Any]


def post(path: str, bulk_id: str, **data: Any) -> Operation:
    return {"method": "POST", "path": path, "bulkId": bulk_id, "data": data}


def person(name: str, **more: Any) -> Operation:
    return post("/Users", name, userName=name, **more)


def team(name: str, *members: str) -> Operation:
    return post("/Groups", name, displayName=name, members=[{"value": f"bulkId:{member}"} for member in members])


def run(client: ScimClient, *operations: Operation, **more: Any) -> list[Operation]:
    """Run a bulk request; return the results."""
    answer = client.post("/Bulk", {"schemas": [BULK], "Operations": list(operations), **more})
    assert answer.status == 200, answer
    assert answer.body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]
    results: list[Operation] = answer.body["Operations"]
    return results


def statuses(results: list[Operation]) -> list[str]:
    return [result["status"] for result in results]


def id_of(result: Operation) -> str:
    return str(result["location"].rpartition("/")[2])


def members(client: ScimClient, result: Operation) -> set[str]:
    return {member["value"] for member in client.get(f"/Groups/{id_of(result)}").body.get("members", [])}


def test_a_circle_of_groups_that_fails_creates_none_of_them(generic: ScimClient) -> None:
    outer, inner = team("outer", "inner"), team("inner", "outer")
    outer["data"]["members"].append({"value": "nobody"})
    results = run(generic, outer, inner, person("ann"))
    assert statuses(results) == ["400", "400", "201"]
    assert generic.get("/Groups").body["totalResults"] == 0
    outer["data"]["members"].pop()
    assert statuses(run(generic, outer, inner)) == ["201", "201"]


def test_a_circle_cut_by_fail_on_errors_reports_the_groups_that_exist(generic: ScimClient) -> None:
    first, second = team("first", "second", "taken"), team("second", "first")
    assert generic.post("/Users", {"userName": "taken"}).status == 201
    results = run(generic, first, second, person("taken"), person("late"), failOnErrors=1)
    listed = {group["displayName"] for group in generic.get("/Groups").body["Resources"]}
    made = {result["bulkId"] for result in results if result["status"] == "201"}
    assert listed == made
    assert "late" not in {result["bulkId"] for result in results}


def test_an_existing_user_survives_a_circle_that_fails(okta: ScimClient) -> None:
    ann = okta.post("/Users", {"userName": "ann", "active": False}).body["id"]
    manager = {"manager": {"value": "bulkId:bob"}}
    results = run(
        okta,
        person("ann", **{ENTERPRISE: manager}),
        person("bob", roles=["none"], **{ENTERPRISE: {"manager": "bulkId:ann"}}),
    )
    assert "400" in statuses(results)
    assert okta.get(f"/Users/{ann}").status == 200


def test_put_patch_and_delete_work_in_bulk(okta: ScimClient) -> None:
    ann, bob = run(okta, person("ann"), person("bob"))
    first, second = f"/Users/{id_of(ann)}", f"/Users/{id_of(bob)}"
    results = run(
        okta,
        {"method": "PUT", "path": first, "data": {"userName": "anna"}},
        {"method": "patch", "path": first, "data": {"Operations": [{"op": "add", "path": "title", "value": "T"}]}},
        {"method": "DELETE", "path": second},
    )
    assert statuses(results) == ["200", "200", "204"]
    assert (okta.get(first).body["userName"], okta.get(first).body["title"]) == ("anna", "T")
    assert okta.get(second).status == 404
    assert [result["location"] for result in results] == [ann["location"], ann["location"], bob["location"]]
    assert results[1]["version"] == okta.get(first).headers["ETag"]


def test_a_result_has_bulk_id_location_and_version(okta: ScimClient) -> None:
    (result,) = run(okta, person("ann"))
    assert result == {
        "method": "POST", "bulkId": "ann", "status": "201", "location": result["location"],
        "version": okta.get(f"/Users/{id_of(result)}").headers["ETag"],
    }  # fmt: skip


def test_references_resolve_backward_and_forward(okta: ScimClient) -> None:
    results = run(okta, team("Late", "ann", "Inner"), person("ann"), team("Inner", "bob"), person("bob"))
    assert statuses(results) == ["201"] * 4
    late, ann, inner, bob = results
    assert members(okta, late) == {id_of(ann), id_of(inner)}
    assert members(okta, inner) == {id_of(bob)}


def test_references_resolve_in_paths_and_extensions(okta: ScimClient) -> None:
    change = {"Operations": [{"op": "add", "path": "members", "value": [{"value": "bulkId:ann"}]}]}
    results = run(
        okta,
        {"method": "PATCH", "path": "/Groups/bulkId:G", "data": change},
        person("boss"),
        person("ann", **{ENTERPRISE: {"manager": {"value": "bulkId:boss"}}}),
        team("G"),
    )
    assert statuses(results) == ["200", "201", "201", "201"]
    assert members(okta, results[3]) == {id_of(results[2])}
    manager = okta.get(f"/Users/{id_of(results[2])}").body[ENTERPRISE]["manager"]
    assert manager["value"] == id_of(results[1])


def test_circular_references_resolve(okta: ScimClient) -> None:
    results = run(okta, team("A", "B"), team("B", "C"), team("C", "A", "ann"), person("ann"))
    assert statuses(results) == ["201"] * 4
    a, b, c, ann = results
    assert (members(okta, a), members(okta, b), members(okta, c)) == ({id_of(b)}, {id_of(c)}, {id_of(a), id_of(ann)})
    groups = okta.get(f"/Users/{id_of(ann)}").body["groups"]
    assert {(group["display"], group["type"]) for group in groups} == {
        ("A", "indirect"), ("B", "indirect"), ("C", "direct"),
    }  # fmt: skip
    for result in results[:3]:
        assert result["version"].split(".")[0] == okta.get(f"/Groups/{id_of(result)}").headers["ETag"].split(".")[0]


def test_an_operation_with_an_unknown_reference_fails_alone(okta: ScimClient) -> None:
    results = run(okta, team("A", "nobody"), person("ann"))
    assert statuses(results) == ["400", "201"]
    assert "nobody" in results[0]["response"]["detail"]
    assert "location" not in results[0]


def test_a_reference_to_a_failed_operation_fails_too(okta: ScimClient) -> None:
    results = run(okta, person("ann", active="perhaps"), team("A", "ann"), person("bob"))
    assert statuses(results)[0::2] == ["400", "201"]
    assert results[1]["status"].startswith("4")
    assert okta.get("/Groups").body["totalResults"] == 0


@pytest.mark.parametrize(
    ("limit", "done"), [(None, ["201", "409", "409", "201"]), (2, ["201", "409", "409"]), (1, ["201", "409"])]
)
def test_fail_on_errors_ends_the_run(okta: ScimClient, limit: int | None, done: list[str]) -> None:
    operations = [person("ann"), {**person("ANN"), "bulkId": "2"}, {**person("Ann"), "bulkId": "3"}, person("bob")]
    more = {} if limit is None else {"failOnErrors": limit}
    results = run(okta, *operations, **more)
    assert statuses(results) == done
    assert okta.get("/Users").body["totalResults"] == done.count("201")
    assert results[1]["response"]["scimType"] == "uniqueness"


def test_each_operation_is_atomic(app: Flask, okta: ScimClient) -> None:
    (made,) = run(okta, team("G"))
    path = f"/Groups/{id_of(made)}"
    before, entries = okta.get(path).body, run_json(app, "journal")
    half = [
        {"op": "replace", "path": "displayName", "value": "H"},
        {"op": "add", "path": "members", "value": [{"value": "unknown"}]},
    ]
    results = run(okta, {"method": "PATCH", "path": path, "data": {"Operations": half}}, person("ann"))
    assert statuses(results) == ["400", "201"]
    assert okta.get(path).body == before
    assert len(run_json(app, "journal")) == len(entries) + 1


def test_the_version_of_an_operation_is_a_condition(okta: ScimClient) -> None:
    (made,) = run(okta, person("ann"))
    path = f"/Users/{id_of(made)}"
    change = {"Operations": [{"op": "replace", "path": "title", "value": "T"}]}
    results = run(
        okta,
        {"method": "PATCH", "path": path, "version": 'W/"9.9"', "data": change},
        {"method": "PATCH", "path": path, "version": made["version"], "data": change},
        {"method": "DELETE", "path": path, "version": made["version"]},
    )
    assert statuses(results) == ["412", "200", "412"]


@pytest.mark.parametrize(
    "operation",
    [
        {"method": "POST", "path": "/Users", "data": {"userName": "x"}},
        {"method": "POST", "path": "/Nothing", "bulkId": "1", "data": {}},
        {"method": "POST", "path": "/Roles", "bulkId": "1", "data": {"displayName": "x"}},
        {"method": "GET", "path": "/Users/1"},
        {"method": "PUT", "path": "/Users", "data": {"userName": "x"}},
        {"method": "DELETE", "path": "/Users/unknown"},
        {"method": "PATCH", "path": "/Users/unknown", "data": {"Operations": []}},
        {"method": "POST", "path": "/Users", "bulkId": "1"},
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": []},
    ],
)
def test_wrong_operations_fail_alone(okta: ScimClient, operation: Operation) -> None:
    answer = okta.post("/Bulk", {"schemas": [BULK], "Operations": [operation, person("ann")]})
    if answer.status == 200:
        wrong, right = answer.body["Operations"]
        assert (wrong["status"][0], right["status"]) == ("4", "201")
        assert wrong["response"]["detail"]
    else:
        assert answer.status == 400, answer
        assert okta.get("/Users").body["totalResults"] == 0


def test_requests_over_the_limits_are_413(make_app: MakeApp, make_client: MakeClient) -> None:
    client = make_client(app=make_app(PERCH_MAX_BODY="200000"))
    limits = client.get("/ServiceProviderConfig").body["bulk"]
    assert limits == {"supported": True, "maxOperations": 1000, "maxPayloadSize": 200000}
    many = [{"method": "DELETE", "path": f"/Users/{number}"} for number in range(1001)]
    assert len(run(client, *many[:1000])) == 1000
    for operations in (many, [person("ann", title="t" * 200000)]):
        answer = client.post("/Bulk", {"schemas": [BULK], "Operations": operations})
        assert (answer.status, answer.body["status"]) == (413, "413")
    assert client.get("/Users").body["totalResults"] == 0


def test_results_keep_the_order_of_many_operations(okta: ScimClient) -> None:
    results = run(
        okta, *[person(f"u{number:03}") for number in range(350)], team("All", *[f"u{n:03}" for n in range(350)])
    )
    assert statuses(results) == ["201"] * 351
    assert [result["bulkId"] for result in results[:350]] == [f"u{number:03}" for number in range(350)]
    assert len(members(okta, results[350])) == 350


def test_an_okta_post_in_bulk_reactivates_a_user(okta: ScimClient) -> None:
    (made,) = run(okta, person("ann", active=False))
    again, group = run(okta, person("ann"), team("G", "ann"))
    assert (again["status"], id_of(again)) == ("201", id_of(made))
    assert members(okta, group) == {id_of(made)}
