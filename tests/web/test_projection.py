"""The parameters attributes and excludedAttributes on every operation (RFC 7644 section 3.9)."""

import pytest
from flask import Flask

from tests.support.client import ScimClient
from tests.support.resources import ACCESS, ENTERPRISE, FULL, group, patch, refused, user
from tests.support.statements import traced


def test_projection_applies_to_all_operations(okta: ScimClient) -> None:
    asked, left_out = "?attributes=userName,emails.type", f"?excludedAttributes=emails,{ENTERPRISE},title"
    created = okta.post("/Users" + asked, FULL).body
    path = f"/Users/{created['id']}"
    picked = [
        created,
        okta.get(path + asked).body,
        okta.put(path + asked, FULL).body,
        okta.patch(path + asked, patch("replace", "title", "Boss")).body,
        okta.get("/Users" + asked).body["Resources"][0],
        okta.post("/Users/.search", {"attributes": ["USERNAME", "emails.type"]}).body["Resources"][0],
    ]
    for document in picked:
        assert document == {
            "id": created["id"], "schemas": document["schemas"], "userName": "ann", "emails": [{"type": "work"}],
        }  # fmt: skip
    for document in (
        okta.get(path + left_out).body,
        okta.put(path + left_out, FULL).body,
        okta.patch(path + left_out, patch("replace", "title", "Boss")).body,
        okta.get("/Users" + left_out).body["Resources"][0],
    ):
        assert document.keys().isdisjoint({"emails", "title", ENTERPRISE})
        assert document.keys() >= {"id", "meta", "userName", "roles", ACCESS}


def test_projection_reaches_into_extensions(okta: ScimClient) -> None:
    ann = user(okta, "ann", roles=["managed:admin"], **{ENTERPRISE: {"department": "D", "division": "E"}})
    path = f"/Users/{ann['id']}?attributes="
    assert okta.get(path + f"{ENTERPRISE}:department").body[ENTERPRISE] == {"department": "D"}
    assert okta.get(path + f"{ACCESS}:loginAllowed").body[ACCESS] == {"loginAllowed": True}
    assert okta.get(path + f"{ACCESS}:effectiveRoles.value").body[ACCESS] == {
        "effectiveRoles": [{"value": "managed:admin"}]
    }
    both = okta.get(path + "userName&excludedAttributes=emails")
    refused(both, 400, "invalidValue", "cannot be combined")
    assert okta.get(path + "noSuchThing").body.keys() == {"id", "schemas"}


@pytest.mark.parametrize(
    "query", ["excludedAttributes=members", "attributes=displayName", "excludedattributes=Members"]
)
def test_members_left_out_are_not_read(app: Flask, okta: ScimClient, query: str) -> None:
    one = group(okta, "G", user(okta, "ann")["id"])
    for path in (f"/Groups/{one['id']}?{query}", f"/Groups?{query}", f"/Groups?{query}&filter=displayName+eq+%22g%22"):
        with traced(app) as statements:
            assert okta.get(path).status == 200
        assert statements
        assert not [statement for statement in statements if "FROM members m" in statement], path
    with traced(app) as statements:
        okta.get(f"/Groups/{one['id']}")
    assert [statement for statement in statements if "members" in statement]
