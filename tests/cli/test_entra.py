"""`flask entra` against this deployment and against a server by URL."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import Result
from flask import Flask

from scim.emulator.sample import sample_organisation
from tests.conftest import MakeApp, MakeServer
from tests.support.commands import run_json
from tests.support.jwt import claims, key_set, new_key, signed

WARNED = {"validator.create_user"}


def run_entra(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["entra", *arguments])


def test_perch_passes_with_default_settings(app: Flask, tmp_path: Path) -> None:
    written = tmp_path / "entra.xml"
    result = run_entra(app, "test", "--json", "--junit", str(written))
    found = json.loads(result.stdout)
    assert [row for row in found["results"] if row["outcome"] == "failed"] == []
    assert (result.exit_code, found["app"], found["passed"], found["leftOver"]) == (0, "entra", True, [])
    outcomes = {row["id"]: row["outcome"] for row in found["results"]}
    assert {name for name, outcome in outcomes.items() if outcome == "warning"} == WARNED
    assert {name for name, outcome in outcomes.items() if outcome == "skipped"} == {
        "gallery.validate_credentials",
        "gallery.federated_identity",
    }
    steps = {
        step: sum(name.startswith(f"{step}.") for name in outcomes) for step in ("gallery", "validator", "preview")
    }
    assert steps == {"gallery": 25, "validator": 25, "preview": 7}
    refused = next(row for row in found["results"] if row["id"] == "validator.create_user")
    assert "--unknown-roles create" in refused["got"]
    cases = ElementTree.parse(written).findall(".//testcase")
    assert len(cases) == len(outcomes)
    assert len(ElementTree.parse(written).findall(".//skipped")) == 2


def test_perch_passes_where_the_key_may_create_roles(make_app: MakeApp) -> None:
    app = make_app(PERCH_UNKNOWN_ROLES="create")
    found = json.loads(run_entra(app, "test", "--only", "validator", "--json").stdout)
    assert {row["outcome"] for row in found["results"]} == {"passed"}


def test_one_row_or_the_failed_ones(app: Flask) -> None:
    found = json.loads(run_entra(app, "test", "--only", "gallery.disable_user", "--only", "preview", "--json").stdout)
    assert [row["id"] for row in found["results"]][:2] == ["gallery.disable_user", "preview.several_attributes"]
    assert len(found["results"]) == 8
    assert found["counts"]["passed"] == 8
    found = json.loads(run_entra(app, "test", "--only", "preview", "--failed", "--json").stdout)
    assert (found["results"], found["counts"]["passed"]) == ([], 7)
    mistake = run_entra(app, "test", "--only", "gallery.disable")
    assert mistake.exit_code == 2 and "gallery.disable_user" in mistake.output


def test_options_that_do_not_go_together(app: Flask) -> None:
    oauth = ["--token-url", "http://127.0.0.1:9/t", "--client-id", "c"]
    url = ["--url", "http://127.0.0.1:9"]
    assert "--client-secret together" in run_entra(app, "test", *url, *oauth).output
    assert "not both" in run_entra(app, "test", *url, "--key", "k", *oauth, "--client-secret", "s").output
    assert "gave no token" in run_entra(app, "test", *url, *oauth, "--client-secret", "s").output
    assert "Give --url with --key, or with --token" in run_entra(app, "test", *oauth, "--client-secret", "s").output
    assert "Give --url with --key;" in run_entra(app, "sync", __file__, *url).output


def test_nobody_listens(app: Flask) -> None:
    result = run_entra(app, "test", "--url", "http://127.0.0.1:9/scim/v2", "--key", "k")
    assert result.exit_code == 1
    assert "no answer: Failed to establish a new connection" in result.stderr
    assert "Nobody answers there: start the server" in result.stderr


def test_sync_brings_an_organisation_and_then_its_changes(app: Flask, tmp_path: Path) -> None:
    organisation = sample_organisation(8, 2, 1, ["managed:admin"])
    file = tmp_path / "org.json"
    file.write_text(json.dumps(organisation))
    done = json.loads(run_entra(app, "sync", str(file), "--json").stdout)
    assert done["failures"] == [] and done["done"]["assign"] >= 5
    assert (tmp_path / "org.entra-state.jsonl").exists()
    assert json.loads(run_entra(app, "sync", str(file), "--json").stdout)["requests"] == 0
    imported = run_json(app, "okta", "import")
    held = {user["userName"]: user for user in imported["users"]}
    login = next(name for name, user in held.items() if user["roles"])
    person = next(item for item in organisation["people"] if item["login"] == login)
    person |= {"familyName": "Changed"}
    for group in organisation["groups"]:
        group["members"] = [member for member in group["members"] if member != login]
    file.write_text(json.dumps(organisation))
    assert json.loads(run_entra(app, "sync", str(file), "--json").stdout)["failures"] == []
    found = {user["userName"]: user for user in run_json(app, "okta", "import")["users"]}
    assert len(found) == len(held)
    if found[login]["active"]:
        assert found[login]["lastName"] == "Changed"


@pytest.mark.parametrize("settings", [{}, {"PERCH_KEY_RATE": "100"}], ids=["any rate", "limited"])
def test_a_real_server_passes(make_server: MakeServer, app: Flask, settings: dict[str, str]) -> None:
    server = make_server(workers=2, settings={"PERCH_FUSE": "off", **settings})
    server.start()
    key = server.create_key("Entra", "--idp", "entra")
    result = run_entra(app, "test", "--url", server.base_url + "/", "--key", key, "--json")
    found = json.loads(result.stdout)
    assert [row for row in found["results"] if row["outcome"] == "failed"] == []
    assert (result.exit_code, found["leftOver"]) == (0, [])


def test_a_base_url_that_lacks_a_part_gets_one_that_answers(make_server: MakeServer, app: Flask) -> None:
    server = make_server(workers=1)
    server.start()
    key = server.create_key("Entra", "--idp", "entra")
    for url in (server.base_url.removesuffix("/scim/v2"), server.base_url + "/Users"):
        result = run_entra(app, "test", "--only", "connection", "--url", url, "--key", key)
        assert result.exit_code == 1
        assert f"try --url {server.base_url}." in result.stderr
    for url in (server.origin, f"{server.origin}/api"):
        arguments = ("test", "--only", "connection", "--url", url, "--key", "perch_a_b")
        assert "try --url" not in run_entra(app, *arguments).stderr, "Perch asks for a key at any path"


def test_tokens_by_secret_and_by_workload_identity(make_server: MakeServer, app: Flask, tmp_path: Path) -> None:
    server = make_server(workers=1)
    server.start()
    made = server.prepare_json("keys", "create", "Entra", "--idp", "entra", "--oauth")
    key, keys, token = new_key(kind="RSA"), tmp_path / "keys.json", tmp_path / "token.txt"
    keys.write_text(json.dumps(key_set(key)))
    trusted = (
        "--issuer",
        "https://login.example/v2.0",
        "--subject",
        "object",
        "--audience",
        "app",
        "--jwks",
        str(keys),
    )
    server.prepare("keys", "trust", made["id"], *trusted)
    token.write_text(signed(key, claims("https://login.example/v2.0", "object", "app"), "RS256"))
    token_url = f"{server.base_url.removesuffix('/scim/v2')}/oauth/token"
    words = ["--url", server.base_url, "--token-url", token_url, "--client-id", made["clientId"]]
    result = app.test_cli_runner(env={"PERCH_CLIENT_SECRET": made["clientSecret"]}).invoke(
        args=["entra", "test", *words, "--client-assertion", str(token), "--only", "gallery", "--json"]
    )
    found = {row["id"].removeprefix("gallery."): row for row in json.loads(result.stdout)["results"]}
    assert found["validate_credentials"]["got"] == found["federated_identity"]["got"] == "a token for 60 minutes"
    assert result.exit_code == 0
    assert made["clientSecret"] not in result.output
