"""Values that real clients send wrong: refused whole and nothing changes, or read as what they stand for."""

import json
from typing import Any

import pytest
from flask import Flask

from tests.support.client import Answer, ScimClient
from tests.support.resources import BULK, ENTERPRISE, Body, group, patch, refused, user, user_id

MALFORMED: list[Any] = [[{}], [None], [""], [[]], {}, "[{}]", [{"value": ""}], [{"display": "x"}]]
WAYS = ["PUT", "replace", "add", "replace without a path", "add without a path"]


def send(client: ScimClient, way: str, path: str, name: str, value: Any, body: Body) -> Answer:
    """Send a value of one attribute by PUT, with the attributes of `body`, or by PATCH."""
    if way == "PUT":
        return client.put(path, {**body, name: value})
    op, _, pathless = way.partition(" ")
    operation = {"op": op, "value": {name: value}} if pathless else {"op": op, "path": name, "value": value}
    return client.patch(path, {"Operations": [operation]})


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("value", MALFORMED, ids=json.dumps)
@pytest.mark.parametrize("way", WAYS)
def test_malformed_members_change_nothing(generic: ScimClient, way: str, value: Any, mixed: bool) -> None:
    ann, bob = user_id(generic, "ann"), user_id(generic, "bob")
    before = group(generic, "G", ann)
    value = [{"value": bob}, *value] if mixed and isinstance(value, list) else value
    answer = send(generic, way, f"/Groups/{before['id']}", "members", value, {"displayName": "G"})
    refused(answer, 400, "invalidValue", "members[")
    assert generic.get(f"/Groups/{before['id']}").body == before


@pytest.mark.parametrize("value", MALFORMED, ids=json.dumps)
@pytest.mark.parametrize("way", WAYS)
def test_malformed_roles_change_nothing(generic: ScimClient, way: str, value: Any) -> None:
    before = user(generic, "ann", roles=["managed:admin"])
    value = [{"value": "managed:viewer"}, *value] if isinstance(value, list) else value
    answer = send(generic, way, f"/Users/{before['id']}", "roles", value, {"userName": "ann", "active": False})
    refused(answer, 400, "invalidValue", "roles[")
    assert generic.get(f"/Users/{before['id']}").body == before


@pytest.mark.parametrize("value", [None, "", [], "[]"])
@pytest.mark.parametrize("way", ["PUT", "replace", "replace without a path"])
def test_nothing_and_an_empty_array_clear_members(generic: ScimClient, way: str, value: Any) -> None:
    path = f"/Groups/{group(generic, 'G', user_id(generic, 'ann'))['id']}"
    answer = send(generic, way, path, "members", value, {"displayName": "G"})
    assert (answer.status, answer.body.get("members", [])) == (200, [])


@pytest.mark.parametrize("value", [[{}], [None], [""], [[]], {}])
def test_a_removal_of_malformed_members_removes_nobody(generic: ScimClient, value: Any) -> None:
    before = group(generic, "G", user_id(generic, "ann"))
    answer = generic.patch(f"/Groups/{before['id']}", patch("remove", "members", value))
    assert (answer.status, answer.body) == (200, before)


def test_bulk_refuses_the_operations_with_malformed_members_alone(generic: ScimClient) -> None:
    before = group(generic, "G", user_id(generic, "ann"))
    path = f"/Groups/{before['id']}"
    operations = [
        {"method": "PUT", "path": path, "data": {"displayName": "G", "members": [{}]}},
        {"method": "PATCH", "path": path, "data": patch("replace", "members", {})},
        {"method": "POST", "path": "/Groups", "bulkId": "g", "data": {"displayName": "H", "members": [None]}},
        {"method": "PATCH", "path": path, "data": patch("remove", "members", [{}])},
    ]
    answer = generic.post("/Bulk", {"schemas": [BULK], "Operations": operations})
    assert [result["status"] for result in answer.body["Operations"]] == ["400", "400", "400", "200"]
    assert generic.get(path).body == before
    assert generic.get("/Groups").body["totalResults"] == 1


@pytest.mark.parametrize("members", ["everybody", 5, True, False, "ann, bob"])
@pytest.mark.parametrize("way", WAYS)
def test_members_of_a_wrong_type_say_which_is_wanted(generic: ScimClient, way: str, members: Any) -> None:
    path = f"/Groups/{group(generic, 'G', user_id(generic, 'ann'))['id']}"
    answer = send(generic, way, path, "members", members, {"displayName": "G"})
    refused(answer, 400, "invalidValue", "members: must be an array of objects such as")
    assert "push" not in answer.body["detail"]


@pytest.mark.parametrize("way", WAYS)
def test_json_text_is_read_as_the_array_that_it_is(generic: ScimClient, way: str) -> None:
    ann, bob = user_id(generic, "ann"), user_id(generic, "bob")
    path = f"/Groups/{group(generic, 'G', ann)['id']}"
    members = json.dumps([{"value": ann}, {"value": bob}])
    answer = send(generic, way, path, "members", members, {"displayName": "G"})
    assert [member["value"] for member in answer.body["members"]] == [ann, bob]
    emails = json.dumps([{"value": "new@example.com", "type": "work"}])
    answer = send(generic, way, f"/Users/{ann}", "emails", emails, {"userName": "ann"})
    assert answer.body["emails"] == [{"value": "new@example.com", "type": "work"}]


@pytest.mark.parametrize("value", ['[{"value":"a"', '["a" "b"]', '{"value"}', '[{"value":"a","VALUE":"b"}]'])
@pytest.mark.parametrize("way", WAYS)
def test_json_text_with_an_error_changes_nothing(generic: ScimClient, way: str, value: str) -> None:
    before = user(generic, "ann", emails=[{"value": "a@example.com"}])
    answer = send(generic, way, f"/Users/{before['id']}", "emails", value, {"userName": "ann"})
    refused(answer, 400, "invalidValue", "emails: is JSON text with an error")
    assert generic.get(f"/Users/{before['id']}").body == before


def test_json_text_in_a_stored_value_does_not_keep_a_leaver_active(app: Flask, generic: ScimClient) -> None:
    """Perch stored such values once; a PATCH of something else must not be refused for them."""
    ann = user_id(generic, "ann", emails=[{"value": "MARK"}])
    with app.extensions["perch"].database.write() as connection:
        text = json.dumps('[{"value":1}]')[1:-1]
        connection.execute("UPDATE resources SET document = replace(document, 'MARK', ?)", (text,))
    assert generic.get(f"/Users/{ann}").body["emails"] == [{"value": '[{"value":1}]'}]
    assert generic.patch(f"/Users/{ann}", patch("replace", "active", False)).body["active"] is False


TWICE = [
    ("POST", "/Users", '{"userName": "b", "USERNAME": "c"}'),
    ("POST", "/Users", '{"userName": "b", "name": {"givenName": "x", "GIVENNAME": "y"}}'),
    ("POST", "/Users", '{"userName": "b", "emails": [{"value": "x", "Value": ""}]}'),
    ("POST", "/Users", f'{{"userName": "b", "{ENTERPRISE}": {{}}, "{ENTERPRISE.upper()}": {{}}}}'),
    ("PUT", "/Users/{id}", '{"userName": "b", "active": true, "Active": false}'),
    ("PATCH", "/Users/{id}", '{"Operations": [{"op": "replace", "path": "title", "value": "x", "Value": "y"}]}'),
    ("PATCH", "/Users/{id}", '{"Operations": [{"op": "add", "value": {"title": "x", "TITLE": "y"}}]}'),
    ("PATCH", "/Users/{id}", '{"Operations": [{"op": "add", "path": "name", "value": {"given": 1, "Given": 2}}]}'),
    ("PATCH", "/Users/{id}", '{"Operations": [], "operations": [{"op": "replace", "path": "title", "value": "x"}]}'),
    ("POST", "/Users/.search", '{"filter": "", "Filter": "userName pr"}'),
    ("POST", "/Bulk", '{"Operations": [{"method": "DELETE", "path": "/Users/{id}", "Path": "/Users/x"}]}'),
    ("POST", "/Bulk", '{"Operations": [{"method": "PUT", "path": "/Users/{id}", "data": {"id": "b", "Id": "c"}}]}'),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "text"), TWICE)
def test_a_name_in_two_cases_is_refused(generic: ScimClient, method: str, path: str, text: str) -> None:
    before = user(generic, "ann")
    data = text.replace("{id}", before["id"]).encode()
    answer = generic.request(method, path.replace("{id}", before["id"]), data=data)
    refused(answer, 400, "invalidSyntax", "differ in case only")
    assert generic.get("/Users").body["Resources"] == [before]
