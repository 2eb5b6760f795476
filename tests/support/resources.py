"""Requests and checks that tests of several endpoints share."""

from collections.abc import Sequence
from typing import Any

from tests.support.client import Answer, ScimClient

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
Body = dict[str, Any]
FULL: Body = {
    "userName": "ann", "title": "Boss", "active": True, "roles": ["managed:admin"], "externalId": "x",
    "name": {"givenName": "A"}, "emails": [{"value": "a@b", "type": "work", "primary": True}],
    ENTERPRISE: {"department": "D", "manager": {"value": "m"}},
}  # fmt: skip


def user(client: ScimClient, user_name: str, **more: Any) -> Body:
    answer = client.post("/Users", {"userName": user_name, **more})
    assert answer.status == 201, answer
    body: Body = answer.body
    return body


def user_id(client: ScimClient, user_name: str, **more: Any) -> str:
    return str(user(client, user_name, **more)["id"])


def create_users(client: ScimClient, names: Sequence[str], **more: Any) -> list[str]:
    """Create users by bulk requests; return their ids."""
    ids = []
    for start in range(0, len(names), 1000):
        operations = [
            {"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": name, **more}}
            for name in names[start : start + 1000]
        ]
        body = client.post("/Bulk", {"schemas": [BULK], "Operations": operations}).body
        assert {operation["status"] for operation in body["Operations"]} == {"201"}
        ids += [operation["location"].rpartition("/")[2] for operation in body["Operations"]]
    return ids


def group(client: ScimClient, name: str, *members: str) -> Body:
    answer = client.post("/Groups", {"displayName": name, "members": [{"value": member} for member in members]})
    assert answer.status == 201, answer
    body: Body = answer.body
    return body


def group_id(client: ScimClient, name: str, *members: str) -> str:
    return str(group(client, name, *members)["id"])


def patch(op: str, path: str | None = None, value: Any = None) -> Body:
    """Return a PatchOp of one operation, without `schemas`."""
    operation = {"op": op, "path": path, "value": value}
    return {"Operations": [{key: item for key, item in operation.items() if item is not None}]}


def patch_op(*operations: Body) -> Body:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def refused(answer: Answer, status: int, scim_type: str | None = None, detail: str = "") -> None:
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/scim+json"
    assert answer.body["schemas"] == [ERROR]
    assert answer.body["status"] == str(status)
    assert answer.body.get("scimType") == scim_type, answer
    assert detail in answer.body["detail"], answer
