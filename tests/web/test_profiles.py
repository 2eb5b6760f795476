"""Keys that follow the interop profile: what they may not send is refused, what they are told is true."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.conftest import MakeClient
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import run_command, run_json, scim_path
from tests.support.resources import ENTERPRISE, PATCH_OP, patch, refused, user

USER = "urn:ietf:params:scim:schemas:core:2.0:User"


@pytest.fixture
def profiled(make_client: MakeClient) -> ScimClient:
    return make_client("generic", "--profile", "interop")


def person(user_name: str, **more: Any) -> dict[str, Any]:
    return {"schemas": [USER], "userName": user_name, **more}


def op(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


@pytest.mark.parametrize(
    "body",
    [
        person("x", nope=1),
        person("x", password="correct horse"),
        person("x", PASSWORD="correct horse"),
        person("x", name={"nope": "x"}),
        person("x", emails=[{"value": "a@b", "nope": 1}]),
        person("x", **{"urn:x:y:2.0:User": {"a": 1}}),
        {**person("x"), "schemas": [USER, "urn:x:y:2.0:User"]},
        person("x", **{ENTERPRISE: {"nope": 1}}),
        {"userName": "x"},
        person("x", department="misplaced"),
    ],
)
def test_what_the_schemas_do_not_list_is_refused(
    profiled: ScimClient, generic: ScimClient, body: dict[str, Any]
) -> None:
    answer = profiled.post("/Users", body)
    assert answer.status == 400 and answer.body["scimType"] in ("invalidSyntax", "invalidPath"), answer
    assert generic.post("/Users", body).status == 201


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "value": {"title": "x"}},
        {"op": "add", "value": {"title": "x"}},
        {"op": "add", "path": "", "value": {"title": "x"}},
        {"op": "remove"},
        {"op": "remove", "path": " "},
        {"op": "remove", "path": "nope"},
        {"op": "replace", "path": "title", "value": "x", "nope": 1},
        {"op": "replace", "path": "nope", "value": 1},
        {"op": "replace", "path": "urn:x:y:2.0:User:nope", "value": 1},
        {"op": "replace", "path": "password", "value": "correct horse"},
        {"op": "replace", "path": "name", "value": {"nope": 1}},
    ],
)
def test_operations_name_their_attribute(profiled: ScimClient, operation: dict[str, Any]) -> None:
    made = profiled.post("/Users", person("ann"))
    refused(profiled.patch(f"/Users/{made.body['id']}", op(operation)), 400, "invalidSyntax", "profile")
    assert profiled.get(f"/Users/{made.body['id']}").body["meta"]["version"] == made.body["meta"]["version"]


def test_messages_have_no_unknown_attributes(profiled: ScimClient, generic: ScimClient) -> None:
    made = profiled.post("/Users", person("ann")).body["id"]
    change = {**op({"op": "replace", "path": "title", "value": "x"}), "nope": 1}
    api = "urn:ietf:params:scim:api:messages:2.0:"
    search = {"schemas": [f"{api}SearchRequest"], "filters": 'userName eq "ann"'}
    operation = {"method": "PATCH", "path": f"/Users/{made}", "data": change}
    bulk = {"schemas": [f"{api}BulkRequest"], "Operations": [operation]}
    for client, status in ((generic, 200), (profiled, 400)):
        answers = [client.patch(f"/Users/{made}", change), client.post("/Users/.search", search)]
        answers += [client.post("/Bulk", {**bulk, "nope": 1}), client.post("/.search", search)]
        foreign = {**op({"op": "replace", "path": "title", "value": "x"}), "schemas": [PATCH_OP, USER]}
        answers.append(client.patch(f"/Users/{made}", foreign))
        assert [answer.status for answer in answers] == [status] * 5
        assert status == 200 or {answer.body["scimType"] for answer in answers} == {"invalidSyntax"}
    assert client.post("/Bulk", bulk).body["Operations"][0]["status"] == "400"


def test_read_only_attributes_are_ignored_and_members_may_be_filtered(profiled: ScimClient) -> None:
    made = profiled.post("/Users", person("ann", id="mine", groups=[{"value": "x"}], meta={"version": "x"}))
    assert made.status == 201 and made.body["id"] != "mine"
    schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"]
    team = profiled.post(
        "/Groups", {"schemas": schemas, "displayName": "T", "members": [{"value": made.body["id"]}]}
    ).body
    path = f'members[value eq "{made.body["id"]}"]'
    assert profiled.patch(f"/Groups/{team['id']}", op({"op": "remove", "path": path})).status in (200, 204)
    assert profiled.get(f"/Groups/{team['id']}").body["members"] == []


def test_replace_of_a_complex_attribute_replaces_all_of_it_and_add_merges(
    profiled: ScimClient, generic: ScimClient
) -> None:
    name = {"givenName": "Ann", "familyName": "Lee"}
    for client, kept in ((profiled, {"familyName": "Ray"}), (generic, {"givenName": "Ann", "familyName": "Ray"})):
        made = user(generic, f"p{client is profiled}", name=name)["id"]
        change = {"op": "replace", "path": "name", "value": {"familyName": "Ray"}}
        assert client.patch(f"/Users/{made}", op(change)).body["name"] == kept
        merged = {"op": "add", "path": "name", "value": {"middleName": "M"}}
        assert client.patch(f"/Users/{made}", op(merged)).body["name"] == {**kept, "middleName": "M"}


def test_a_deactivated_person_is_not_made_again(app: Flask, make_client: MakeClient) -> None:
    client = make_client("okta", "--profile", "interop")
    assert client.post("/Users", person("ann", active=False)).status == 201
    refused(client.post("/Users", person("ann", active=True)), 409, "uniqueness")


def test_the_schemas_are_exactly_what_the_key_can_do(profiled: ScimClient, generic: ScimClient) -> None:
    def types(client: ScimClient) -> dict[str, Any]:
        (found,) = [each for each in client.get("/Schemas").body["Resources"] if each["id"] == USER]
        return {each["name"]: each for each in found["attributes"]}

    exact, usual = types(profiled), types(generic)
    assert "password" in usual and usual.keys() - exact.keys() == {"password"}
    for attribute in exact.values():
        for sub in attribute.get("subAttributes", ()):
            if attribute["multiValued"] and sub["name"] == "type":
                assert sub["canonicalValues"], attribute["name"]
    roles = {sub["name"]: sub for sub in usual["roles"]["subAttributes"]}
    assert "canonicalValues" not in roles["type"]


def test_the_config_claims_conformance_to_such_a_key_only(
    app: Flask, profiled: ScimClient, generic: ScimClient
) -> None:
    assert profiled.get("/ServiceProviderConfig").body["interopProfileConformant"] is True
    nobody = ScimClient(wsgi_transport(app), scim_path(app), "", "generic")
    for client in (generic, nobody, ScimClient(wsgi_transport(app), scim_path(app), "perch_x_y", "generic")):
        answer = client.get("/ServiceProviderConfig")
        assert answer.status == 200 and "interopProfileConformant" not in answer.body


def test_a_profile_is_set_and_taken_away(app: Flask, profiled: ScimClient) -> None:
    (key,) = run_json(app, "keys", "list")
    assert key["profile"] == "interop"
    run_command(app, "keys", "set", key["id"], "--profile", "none")
    assert profiled.post("/Users", {"userName": "x", "nope": 1}).status == 201
    made = profiled.post("/Users", {"userName": "y"}).body["id"]
    assert profiled.patch(f"/Users/{made}", patch("replace", None, {"title": "x"})).status == 200
    run_command(app, "keys", "set", key["id"], "--profile", "interop")
    assert profiled.post("/Users", person("z", nope=1)).status == 400


def test_a_client_of_ipsie_has_assertions_and_no_secret(app: Flask, tmp_path: Path) -> None:
    run = app.test_cli_runner()
    assert run.invoke(args=["keys", "create", "x", "--profile", "ipsie"]).exit_code == 2
    assert run.invoke(args=["keys", "create", "x", "--profile", "ipsie", "--oauth", "--access", "read"]).exit_code == 2
    made = run_json(app, "keys", "create", "x", "--idp", "generic", "--oauth", "--profile", "ipsie")
    assert made["clientSecret"] is None
    added = run.invoke(args=["keys", "secrets", "add", made["id"]])
    assert added.exit_code == 1 and "assertions only" in added.stderr
    signer = RSAKey.generate_key(2048, {"kid": "k"})
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [signer.as_dict(private=False)]}))
    run_command(app, "keys", "trust", made["id"], "--jwks", str(file))
    # A command can only guess the origin; the request says it.
    path = "/" + made["tokenUrl"].split("/", 3)[3]
    now, audience = int(time.time()), f"http://localhost{path}"
    claims = {"iss": made["id"], "sub": made["id"], "aud": audience, "exp": now + 60, "iat": now, "jti": "1"}
    form = {
        "grant_type": "client_credentials", "client_id": made["id"],
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": jwt.encode({"alg": "RS256", "kid": "k"}, claims, signer),
    }  # fmt: skip
    http = app.test_client()
    answer = http.post(path, data={**form, "scope": "scim.read"})
    assert answer.status_code == 200 and answer.get_json()["scope"] == "scim", "IPSIE has this scope only"
    client = ScimClient(wsgi_transport(app), scim_path(app), answer.get_json()["access_token"], "generic")
    assert client.post("/Users", person("ann")).status == 201
    assert client.post("/Users", person("bob", nope=1)).status == 400
    assert client.get("/ServiceProviderConfig").body["interopProfileConformant"] is True
    assert client.get("/Users").headers["RateLimit-Policy"] == '"key";q=400;w=4'


def test_a_key_or_a_secret_keeps_a_client_from_ipsie(app: Flask, profiled: ScimClient) -> None:
    run = app.test_cli_runner()
    client = run_json(app, "keys", "create", "x", "--oauth")
    reader = run_json(app, "keys", "create", "reader", "--oauth", "--access", "read")["id"]
    run_command(app, "keys", "secrets", "revoke", reader, run_json(app, "keys", "secrets", "list", reader)[0]["id"])
    for identifier in (run_json(app, "keys", "list")[0]["id"], client["id"], reader):
        result = run.invoke(args=["keys", "set", identifier, "--profile", "ipsie"])
        assert result.exit_code == 1 and "may write and has no secret" in result.stderr
    (secret,) = run_json(app, "keys", "secrets", "list", client["id"])
    run_command(app, "keys", "secrets", "revoke", client["id"], secret["id"])
    run_command(app, "keys", "set", client["id"], "--profile", "ipsie")
