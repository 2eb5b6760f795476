"""Requests with schemas that Perch lacks, with names from before the RFCs, and with nothing to do."""

import pytest
from flask import Flask

from tests.conftest import MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.resources import BULK, ENTERPRISE, Body, group, patch_op, refused, user

TAG = "urn:ietf:params:scim:schemas:extension:Custom:2.0:User:tag"
FOREIGN: list[Body] = [
    {"op": "Replace", "path": TAG, "value": "x"},
    {"op": "remove", "path": TAG},
    {"op": "add", "path": "urn:example:extension:1.0", "value": {"tag": "x"}},
    {"op": "remove", "path": f"{ENTERPRISE}:badge"},
    {"op": "replace", "path": 'urn:example:ext:User:tags[value eq "x"].value', "value": "y"},
]


def ignored(app: Flask) -> list[str]:
    app.extensions["perch.traffic"].writer.flush()
    return [quirk["name"] for report in run_json(app, "quirks") for quirk in report["ignored"]]


@pytest.mark.parametrize("operation", FOREIGN, ids=lambda operation: f"{operation['op']} {operation['path']}")
@pytest.mark.parametrize("endpoint", ["Users", "Groups"])
def test_a_patch_of_an_unknown_name_alone_changes_nothing(
    app: Flask, generic: ScimClient, endpoint: str, operation: Body
) -> None:
    made = user(generic, "ann") if endpoint == "Users" else group(generic, "Crew")
    before = generic.get(f"/{endpoint}/{made['id']}")
    entries = run_json(app, "journal")
    answer = generic.patch(f"/{endpoint}/{made['id']}", patch_op(operation))
    assert (answer.status, answer.body, answer.headers["ETag"]) == (200, before.body, before.headers["ETag"])
    assert run_json(app, "journal") == entries
    assert ignored(app) == [operation["path"].replace('[value eq "x"]', "")]


@pytest.mark.parametrize("operation", FOREIGN, ids=lambda operation: f"{operation['op']} {operation['path']}")
def test_a_leaver_is_deactivated_all_the_same(app: Flask, generic: ScimClient, operation: Body) -> None:
    ann, bob = user(generic, "ann"), user(generic, "bob")
    message = patch_op(operation, {"op": "Replace", "path": "active", "value": "False"})
    assert generic.patch(f"/Users/{ann['id']}", message).body["active"] is False
    bulk = {"schemas": [BULK], "Operations": [{"method": "PATCH", "path": f"/Users/{bob['id']}", "data": message}]}
    assert generic.post("/Bulk", bulk).body["Operations"][0]["status"] == "200"
    assert generic.get(f"/Users/{bob['id']}").body["active"] is False


def test_a_misspelt_bare_name_is_refused_and_changes_nothing(generic: ScimClient) -> None:
    ann = user(generic, "ann")
    for path in ("memebers", "name.givenNames", "actve", "enterprise", 'emails[type eq "work"].valu'):
        message = patch_op({"op": "replace", "path": "active", "value": False}, {"op": "remove", "path": path})
        refused(generic.patch(f"/Users/{ann['id']}", message), 400, "invalidPath", "Operations[1]")
    assert generic.get(f"/Users/{ann['id']}").body == ann


def test_a_strict_key_is_refused_unknown_paths_but_not_unknown_keys(app: Flask, generic: ScimClient) -> None:
    ann = user(generic, "ann")
    run_command(app, "keys", "set", generic.key.split("_")[1], "--strict")
    for operation in FOREIGN:
        sent = patch_op({**operation, "op": operation["op"].lower()})
        refused(generic.patch(f"/Users/{ann['id']}", sent), 400, "invalidPath", "RFC 7644 section 3.5.2")
    body = {"schemas": ann["schemas"], "userName": "bob", "urn:x:1.0:User": {"tag": "x"}}
    assert generic.post("/Users", body).status == 201, "RFC 7644 section 3.3 lets a server ignore what it lacks"
    assert generic.patch(f"/Users/{ann['id']}", patch_op({"op": "add", "value": {"hat": "x"}})).status == 200


def test_no_operations_change_nothing(app: Flask, make_client: MakeClient) -> None:
    client = make_client("entra", app=app)
    ann, crew = user(client, "ann"), group(client, "Crew")
    wrong: Body
    for path, made in ((f"/Users/{ann['id']}", ann), (f"/Groups/{crew['id']}", crew)):
        answer = client.patch(path, patch_op())
        assert (answer.status, answer.body) == (200, made)
        for wrong in ({}, {"Operations": None}, {"Operations": {}}, {"Operations": "[]"}):
            refused(client.patch(path, wrong), 400, "invalidSyntax", "Operations")
    answer = client.post("/Bulk", {"schemas": [BULK], "Operations": []})
    assert (answer.status, answer.body["Operations"]) == (200, [])
    refused(client.post("/Bulk", {"schemas": [BULK]}), 400, "invalidSyntax", "Operations")
    refused(client.patch("/Users/nobody", patch_op()), 404)


def test_sort_order_and_root_searches_take_former_names(generic: ScimClient) -> None:
    for name in ("b", "a"):
        user(generic, name)
    group(generic, "Crew")
    found = generic.get(
        "/Users?sortBy=urn:scim:schemas:core:1.0:userName&attributes=urn:scim:schemas:core:2.0:userName"
    )
    assert [one["userName"] for one in found.body["Resources"]] == ["a", "b"]
    message = {"schemas": ["urn:scim:schemas:core:1.0"], "filter": 'urn:scim:schemas:core:1.0:userName eq "A"'}
    assert generic.post("/.search", message).body["totalResults"] == 1
