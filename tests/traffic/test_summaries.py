"""Summaries of requests in plain words: a table of cases."""

import json
from typing import Any

import pytest

from schemas.user import URN as USER
from scim.traffic.summaries import below_base, in_words
from tests.support.resource_types import GROUP

CASES: list[tuple[str, str | None, str, Any, str]] = [
    ("GET /Users?startIndex=1&count=2", "okta", "", None, "Okta tests the connection"),
    ("GET /Users?startIndex=1&count=100", "okta", "", None, "Okta imports users, the first page"),
    ("GET /Users?startIndex=101&count=100", "okta", "", None, "Okta imports users, from number 101 on"),
    ("GET /Users?cursor=abc", "generic", "", None, "The client imports users, a further page"),
    ("GET /Groups?startIndex=1&count=100", "okta", "", None,
     "Okta lists the groups: a connection test or the start of an import"),
    ("GET /Groups", "generic", "", None, "The client lists the groups"),
    ("GET /Users", None, "", None, "Somebody without a valid key lists the users"),
    ("GET /Users?filter=userName%20eq%20%22ada%22&startIndex=1&count=100", "okta", "", None,
     "Okta looks the user up before pushing"),
    ("GET /Users?filter=userName+eq+%22ada%22", "generic", "", None, "The client looks the user up"),
    ("GET /Users?filter=userName%20eq%20%229f1c2a7e-2f0e-4a51-8f55-8b0c3f2f9d11%22", "entra", "", None,
     "Entra tests the connection"),
    ("GET /Users?filter=externalId%20eq%20%22x%22", "entra", "", None,
     "Entra looks the user up by externalId before pushing"),
    ("GET /Users?filter=emails%5Btype%20eq%20%22work%22%5D.value%20eq%20%22a%22", "entra", "", None,
     "Entra looks the user up by e-mail before pushing"),
    ("GET /Users?filter=title%20pr", "generic", "", None, "The client searches users"),
    ("GET /Groups?filter=displayName%20eq%20%22x%22&startIndex=1&count=100", "okta", "", None,
     "Okta looks the group up by name before pushing"),
    ("GET /Groups?excludedAttributes=members&filter=id%20eq%20%22x%22%20and%20members%20eq%20%22y%22", "entra", "",
     None, "Entra asks whether the group has a member"),
    ("GET /Users/1", "okta", "", None, "Okta reads the user before changing it"),
    ("GET /Groups/1", "generic", "", None, "The client reads the group"),
    ("GET /Roles?startIndex=1&count=100", "okta", "", None, "Okta discovers the roles"),
    ("GET /Roles/x", "okta", "", None, "Okta reads the role"),
    ("GET /ServiceProviderConfig", None, "", None, "Somebody without a valid key asks what this server can do"),
    ("GET /Schemas", "okta", "", None, "Okta reads the schemas"),
    ("GET /Me", "generic", "", None, "The client asks for /Me, which Perch does not have"),
    ("GET /Nothing", "generic", "", None, "The client asks for something that is not here"),
    ("GET /", "generic", "", None, "The client searches users and groups"),
    ("GET ?filter=id%20pr", "generic", "", None, "The client searches users and groups"),
    ("POST /.search", "generic", "", {}, "The client searches users and groups"),
    ("POST /Users/.search", "generic", "", {}, "The client searches users"),
    ("POST /Bulk", "generic", "", {"Operations": [{}]}, "The client sends 1 operation at once"),
    ("POST /Users", "okta", "", {"userName": "a", "active": True}, "Okta creates the user"),
    ("POST /Users/", "okta", "", {"userName": "a", "active": False}, "Okta creates the user, deactivated"),
    ("POST /Users", "okta", "REACTIVATED", {"userName": "a"},
     "Okta creates the user, who is here deactivated, which re-activates it"),
    ("POST /Users", "okta", "", "not JSON", "Okta creates the user"),
    ("PUT /Users/1", "okta", "", {"active": False}, "Okta deactivates the user"),
    ("PUT /Users/1", "entra", "", {"Active": "False"}, "Entra deactivates the user"),
    ("PUT /Users/1", "okta", "", {"active": True}, "Okta updates the user with the whole profile"),
    ("PUT /Users/1", "okta", "", {"roles": ["a:b"]}, "Okta updates the user with the whole profile and its roles"),
    ("PUT /Groups/1", "okta", "", {"members": [{}, {}]}, "Okta replaces the group with 2 members"),
    ("PUT /Groups/1", "okta", "", None, "Okta replaces the group"),
    ("PUT /Groups/1", "okta", "", '{"members": [{"va', "Okta replaces the group"),
    ("PUT /Groups/1", "okta", "", {"displayName": "A"}, "Okta replaces the group, without members"),
    ("PATCH /Groups/1", "okta", "", None, "Okta changes the group"),
    ("POST /Bulk", "generic", "", None, "The client sends operations at once"),
    ("POST /Bulk", "generic", "", {"Operations": []}, "The client sends 0 operations at once"),
    ("PUT /Groups/1", "okta", "", {"members": None}, "Okta replaces the group, without members"),
    ("POST /Groups", "okta", "", {"members": []}, "Okta creates the group"),
    ("DELETE /Groups/1", "okta", "", None, "Okta deletes the group, which was unlinked"),
    ("DELETE /Users/1", "entra", "", None, "Entra deletes the user"),
    ("PATCH /Users/1", "okta", "", [{"op": "replace", "value": {"active": False}}], "Okta deactivates the user"),
    ("PATCH /Users/1", "entra", "", [{"op": "Replace", "path": "active", "value": "True"}],
     "Entra re-activates the user"),
    ("PATCH /Users/1", "entra", "", [{"op": "Replace", "path": "name.givenName", "value": "A"},
     {"op": "Add", "path": 'emails[type eq "work"].value', "value": "a"}],
     "Entra changes name of the user and changes emails of the user"),
    ("PATCH /Users/1", "entra", "", [{"op": "Remove", "path": f"{USER}:title"}], "Entra clears title of the user"),
    ("PATCH /Users/1", "entra", "", [{"op": "Add", "path": "roles", "value": []}],
     "Entra changes the roles of the user"),
    ("PATCH /Users/1", "entra", "", [{"value": {"id": "1"}}], "Entra changes the user"),
    ("PATCH /Users/1", "entra", "", [3], "Entra changes the user"),
    ("PATCH /Users/1", "entra", "", [{"op": "add", "path": x, "value": 1} for x in ("a", "b", "c", "d")],
     "Entra changes a of the user and changes b of the user and changes c of the user and more"),
    ("PATCH /Groups/1", "okta", "", [{"op": "replace", "value": {"id": "1", "displayName": "x"}}],
     "Okta renames the group"),
    ("PATCH /Groups/1", "okta", "", [{"op": "add", "path": "members", "value": [{}, {}, {}]}],
     "Okta adds 3 members to the group"),
    ("PATCH /Groups/1", "okta", "", [{"op": "remove", "path": 'members[value eq "1"]'}],
     "Okta removes 1 member from the group"),
    ("PATCH /Groups/1", "entra", "", [{"op": "Remove", "path": "members", "value": [{}, {}]}],
     "Entra removes 2 members from the group"),
    ("PATCH /Groups/1", "entra", "", [{"op": "Remove", "path": "members"}], "Entra empties the group"),
    ("PATCH /Groups/1", "okta", "", [{"op": "replace", "path": "members", "value": [{}]}],
     "Okta replaces the group's members by 1"),
    ("PATCH /Groups/1", "okta", "", [{"op": "replace", "path": "members", "value": []}], "Okta empties the group"),
    ("OPTIONS /Users/1", "okta", "", None, "Okta asks for OPTIONS, which SCIM does not have"),
]  # fmt: skip


@pytest.mark.parametrize(("request_line", "idp", "tolerance", "body", "words"), CASES)
def test_each_request_has_its_summary(
    request_line: str, idp: str | None, tolerance: str, body: Any, words: str
) -> None:
    method, path = request_line.split(" ", 1)
    sent = {"Operations": body} if method == "PATCH" else body
    assert in_words(method, f"/workspace/scim/v2{path}", sent, idp, [tolerance]) == words


@pytest.mark.parametrize("body", [None, 1, "x", [], {}, {"Operations": None}, {"members": 3, "active": []}])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "BREW"])
@pytest.mark.parametrize("path", ["", "/", "/Users", "/Users/1", "/Groups", "/Bulk", "/Users?filter=%&&=", "/%ff"])
def test_any_request_has_a_summary(method: str, path: str, body: Any) -> None:
    assert in_words(method, f"/w/scim/v2{path}", json.loads(json.dumps(body)), "okta").startswith("Okta ")


def test_the_base_path_is_removed() -> None:
    assert below_base(f"/w/scim/v2{GROUP.endpoint}?count=1") == "/Groups?count=1"
    assert below_base("/w/scim/v2") == "/"
    assert below_base("/w/scim/v22/Users") == "/w/scim/v22/Users"
