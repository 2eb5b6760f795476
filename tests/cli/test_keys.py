"""What a key says about unknown roles, and how it overrides PERCH_UNKNOWN_ROLES."""

import pytest
from flask import Flask

from tests.conftest import MakeApp, MakeClient
from tests.support.client import Answer, ScimClient
from tests.support.commands import run_command, run_json
from tests.support.resources import patch, user_id

RANDOM = {"value": "QZXV", "display": "Random", "type": "X", "primary": "True"}


def post(client: ScimClient, name: str) -> Answer:
    return client.post("/Users", {"userName": name, "roles": [RANDOM, {"value": "managed:admin"}]})


def outcome(app: Flask, answer: Answer) -> str:
    """Return the policy that an answer shows."""
    known = "QZXV" in [role["slug"] for role in run_json(app, "roles", "list")]
    if answer.status == 400:
        assert (answer.body["scimType"], known) == ("invalidValue", False)
        return "reject"
    held = [role["value"] for role in answer.body["roles"]]
    assert held == (["QZXV", "managed:admin"] if known else ["managed:admin"])
    return "create" if known else "ignore"


@pytest.mark.parametrize("setting", ["reject", "create", "ignore"])
@pytest.mark.parametrize("own", ["reject", "create", "ignore", "default", None])
def test_the_rule_of_a_key_beats_the_setting(
    make_app: MakeApp, make_client: MakeClient, setting: str, own: str | None
) -> None:
    app = make_app(PERCH_UNKNOWN_ROLES=setting)
    client = make_client("entra", *(("--unknown-roles", own) if own else ()), app=app)
    assert run_json(app, "keys", "list")[0]["unknownRoles"] == (None if own == "default" else own)
    assert outcome(app, post(client, "ada")) == (setting if own in (None, "default") else own)


def test_the_rule_is_changed_and_taken_back_at_once(app: Flask, make_client: MakeClient) -> None:
    client, other = make_client("entra", app=app), make_client("okta", app=app)
    (identifier,) = [key["id"] for key in run_json(app, "keys", "list") if key["idp"] == "entra"]
    ada = user_id(client, "ada")
    for rule in ("reject", "ignore"):
        run_command(app, "keys", "set", identifier, "--unknown-roles", rule)
        assert outcome(app, client.patch(f"/Users/{ada}", patch("replace", "roles", [RANDOM, "managed:admin"]))) == rule
    run_command(app, "keys", "set", identifier, "--unknown-roles", "default", "--name", "Validator")
    (key,) = [key for key in run_json(app, "keys", "list") if key["idp"] == "entra"]
    assert (key["unknownRoles"], key["name"]) == (None, "Validator")
    assert outcome(app, post(client, "bob")) == "reject"
    run_command(app, "keys", "set", identifier, "--unknown-roles", "create")
    assert outcome(app, post(other, "eve")) == "reject", "the rule is the key's alone"
    assert outcome(app, post(client, "bob")) == "create"
    assert "create" in run_command(app, "keys", "list")


def test_an_unknown_rule_is_no_rule(app: Flask) -> None:
    result = app.test_cli_runner().invoke(args=["keys", "create", "k", "--unknown-roles", "maybe"])
    assert (result.exit_code, run_json(app, "keys", "list")) == (2, [])


@pytest.mark.parametrize("idp", ["okta", "entra", "generic"])
def test_a_refusal_tells_the_user_of_microsofts_validator_what_to_set(
    app: Flask, make_client: MakeClient, idp: str
) -> None:
    detail = post(make_client(idp, app=app), "ada").body["detail"]
    command = f"flask keys set {run_json(app, 'keys', 'list')[0]['id']} --unknown-roles create"
    assert (command in detail) is (idp == "entra")
    if idp == "entra":
        run_command(app, *command.split()[1:])
        assert run_json(app, "keys", "list")[0]["unknownRoles"] == "create"
