"""`flask okta` against this deployment and against a server by URL."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from scim.emulator.dialects import OKTA_APPS
from scim.emulator.runner import PASSED
from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.commands import run_command, run_json
from tests.support.okta_fixture import OktaWorld, okta_world
from tests.support.server import ROOT, clean_environment

__all__ = ["okta_world"]


def run_okta(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["okta", *arguments])


def with_roles(app: Flask) -> Flask:
    run_command(app, "roles", "add", "checks:first", "First")
    run_command(app, "roles", "add", "checks:second", "Second")
    return app


def imported_counts(app: Flask) -> dict[str, Any]:
    found = run_json(app, "okta", "import")
    return {name: len(found[name]) for name in ("users", "groups")}


@pytest.mark.parametrize("dialect", OKTA_APPS)
def test_perch_passes(app: Flask, dialect: str) -> None:
    result = run_okta(with_roles(app), "test", "--app", dialect)
    assert result.exit_code == 0, result.output
    assert re.search(r"\d\d+ passed, 0 failed, 0 warnings, 0 skipped", result.stdout)
    assert imported_counts(app) == {"users": 0, "groups": 0}
    assert {key["state"] for key in run_json(app, "keys", "list")} == {"revoked"}


@pytest.mark.parametrize("dialect", OKTA_APPS)
def test_the_results_are_one_json_document(app: Flask, dialect: str) -> None:
    found = json.loads(run_okta(with_roles(app), "test", "--app", dialect, "--json").stdout)
    assert found["passed"] is True
    assert found["leftOver"] == []
    assert {result["outcome"] for result in found["results"]} == {PASSED}
    assert found["counts"]["passed"] == len(found["results"])
    assert all(result["request"] for result in found["results"])


def test_a_run_cleans_up_in_spite_of_the_fuse_which_counts_the_losses_of_others_only(
    make_app: MakeApp, make_client: MakeClient
) -> None:
    app = make_app(PERCH_FUSE="on")
    client = make_client(app=app)
    for name in ("ada", "eve", "kim"):
        identifier = client.post("/Users", {"userName": name, "active": True}).body["id"]
        lost = run_json(app, "fuse", "status")["lost"]
        result = run_okta(app, "test")
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        assert run_json(app, "fuse", "status")["lost"] == lost
        assert client.delete(f"/Users/{identifier}").status == 204
        assert run_json(app, "fuse", "status")["lost"] == lost + 1
    assert imported_counts(app) == {"users": 0, "groups": 0}


@pytest.mark.parametrize("arguments", [("entra", "test"), ("profile", "test", "interop")])
def test_the_fuse_counts_no_users_of_other_tests(make_app: MakeApp, arguments: tuple[str, ...]) -> None:
    app = make_app(PERCH_FUSE="on")
    result = app.test_cli_runner().invoke(args=[*arguments])
    assert "could not be deleted" not in result.output
    assert run_json(app, "fuse", "status")["lost"] == 0


def test_the_fuse_counts_the_losses_of_a_sync(make_app: MakeApp, tmp_path: Path) -> None:
    app = make_app(PERCH_FUSE="on")
    file, organisation = tmp_path / "org.json", json.loads(run_okta(app, "sample", "2", "--groups", "1").stdout)
    for state in ("active", "deactivated"):
        organisation["people"][0]["status"] = state
        file.write_text(json.dumps(organisation))
        result = run_okta(app, "sync", str(file))
        assert result.exit_code == 0, result.output
    assert run_json(app, "fuse", "status")["lost"] == 1


def test_without_roles_the_checks_of_roles_are_skipped_with_the_reason(app: Flask) -> None:
    for role in run_json(app, "roles", "list"):
        run_command(app, "roles", "remove", role["slug"])
    result = run_okta(app, "test")
    assert result.exit_code == 0, result.output
    assert "needs a role: /Roles lists none; give one with --role SLUG" in result.stdout


def test_roles_can_be_named(app: Flask) -> None:
    result = run_okta(with_roles(app), "test", "--role", "checks:unknown", "--json")
    found = {item["id"]: item for item in json.loads(result.stdout)["results"]}
    assert result.exit_code == 1
    assert found["roles.strings"]["outcome"] == "failed"
    assert "checks:unknown" in found["roles.strings"]["got"]
    assert found["roles.strings"]["otherwise"].startswith("Provisioning breaks")


@pytest.mark.parametrize("dialect", OKTA_APPS)
def test_a_real_server_passes(make_server: MakeServer, dialect: str) -> None:
    server = make_server(workers=2, settings={"PERCH_FUSE": "off"})
    server.start()
    key = server.create_key("Okta", "--idp", "okta")
    command = [sys.executable, "-m", "flask", "okta", "test", "--url", server.base_url + "/", "--key", key]
    result = subprocess.run(
        [*command, "--app", dialect, "--json"],
        cwd=ROOT,
        env=clean_environment({"PERCH_DATABASE": str(server.folder / "other.db")}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = json.loads(result.stdout)
    assert [item for item in found["results"] if item["outcome"] == "failed"] == []
    assert (result.returncode, found["passed"], found["leftOver"]) == (0, True, [])


def test_a_server_that_does_not_reply(app: Flask) -> None:
    result = run_okta(app, "test", "--url", "http://127.0.0.1:9/scim/v2", "--key", "k", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert found["passed"] is False
    assert "http://127.0.0.1:9/scim/v2: no answer" in found["error"]


def test_url_and_key_go_together(app: Flask) -> None:
    assert "Give --url with --key" in run_okta(app, "test", "--url", "http://127.0.0.1:9").output
    assert "Give --url with --key" in run_okta(app, "import", "--key", "k").output
    assert "--url needs a base URL with https://" in run_okta(app, "test", "--url", "127.0.0.1/x", "--key", "k").output


def test_import_shows_what_okta_would_import(okta_world: OktaWorld, tmp_path: Path) -> None:
    okta_world.role("checks:first", "First")
    identifier = okta_world.assign("ada@example.com", roles=["checks:first"])
    okta_world.push_group("Support", ["ada@example.com"])
    okta_world.send("POST", "/Users", {"userName": "robot"})
    saved = tmp_path / "import.json"
    found = okta_world.flask("okta", "import", "--json", "--save", str(saved))
    assert json.loads(saved.read_text()) == found
    assert found["users"][0] | {"externalId": ""} == {
        "id": identifier,
        "externalId": "",
        "userName": "ada@example.com",
        "firstName": "Ada",
        "lastName": "Roe",
        "email": "ada@example.com",
        "active": True,
        "roles": ["checks:first"],
        "problem": "",
    }
    assert found["groups"] == [{"id": okta_world.groups["Support"], "name": "Support", "members": [identifier]}]
    assert found["problems"] == ["robot: no first name, no last name, no email"]
    assert "robot" in okta_world.flask("okta", "import")


def test_the_fixture_does_what_its_docstring_shows(okta_world: OktaWorld) -> None:
    okta_world.role("billing:reader", "Billing reader")
    okta_world.assign("ada@example.com", roles=["billing:reader"])
    okta_world.push_group("Support", ["ada@example.com"])
    okta_world.push_group("Support", [])
    okta_world.push_group("Support", ["ada@example.com"])
    okta_world.update("ada@example.com", title="Countess")
    found = okta_world.user("ada@example.com")
    assert (found["title"], found["roles"], found["active"]) == ("Countess", ["billing:reader"], True)
    assert [member["value"] for member in okta_world.group("Support")["members"]] == [found["id"]]
    okta_world.deactivate("ada@example.com")
    assert okta_world.user("ada@example.com")["active"] is False
    okta_world.unlink_group("Support")
    assert okta_world.user("ada@example.com")["id"] == okta_world.assign("ada@example.com")
