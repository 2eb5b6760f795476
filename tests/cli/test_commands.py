"""The commands init, workspace, keys and admin-password without a server, wrong settings, and keys over HTTP."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask

from app import create_app
from scim.service import passwords
from scim.settings import WrongSetting
from tests.conftest import MakeApp
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import run_command, run_json, scim_path
from tests.support.server import run_flask

KEY = re.compile(r"perch_[0-9a-f]+_[A-Za-z0-9_-]{43,}")


def invoke(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=list(arguments))


def fails(app: Flask, *arguments: str) -> str:
    """Run a command that must fail with one line on standard error and nothing on standard output."""
    result = invoke(app, *arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    return str(result.stderr)


def client_with(app: Flask, key: str, provider: str = "generic") -> ScimClient:
    return ScimClient(wsgi_transport(app), scim_path(app), key, provider)


def password_opens(app: Flask, password: str) -> bool:
    perch = app.extensions["perch"]
    with perch.database.read() as connection:
        return passwords.matches(connection, perch.settings, password)


# flask init


def test_init_prints_secrets_the_first_time_only(app: Flask) -> None:
    first = invoke(app, "init")
    assert first.exit_code == 0
    found = dict(line.split(":", 1) for line in first.stdout.splitlines()[:4])
    assert found["Base URL"].strip() == f"http://127.0.0.1:8000{scim_path(app)}"
    assert found["Console"].strip() == "http://127.0.0.1:8000/console/"
    assert password_opens(app, found["Console password"].strip())
    key = found["Okta access key"].strip()
    assert KEY.fullmatch(key)
    assert client_with(app, key, "okta").get("/Users?startIndex=1&count=2").status == 200
    second = invoke(app, "init")
    assert second.exit_code == 0
    assert [line.split(":")[0] for line in second.stdout.splitlines()] == ["Base URL", "Console"]


def test_init_makes_no_password_where_one_is_set(make_app: MakeApp) -> None:
    app = make_app(PERCH_ADMIN_PASSWORD="from the environment")
    told = run_command(app, "init")
    assert "Console password" not in told
    assert "from the environment" not in told
    assert KEY.search(told)
    assert password_opens(app, "from the environment")


def test_init_makes_no_second_key(app: Flask) -> None:
    run_command(app, "keys", "create", "mine")
    told = run_command(app, "init")
    assert "Console password" in told
    assert not KEY.search(told)


def test_init_uses_the_settings(make_app: MakeApp) -> None:
    told = run_command(make_app(PERCH_WORKSPACE="acme", PERCH_PUBLIC_URL="https://perch.example.com"), "init")
    assert "https://perch.example.com/acme/scim/v2\n" in told
    assert "https://perch.example.com/console/\n" in told


# flask workspace, admin-password


def test_workspace(app: Flask, tmp_path: Path) -> None:
    found = run_json(app, "workspace")
    assert found.keys() == {"id", "scimPath", "database"}
    assert found["scimPath"] == f"/{found['id']}/scim/v2"
    assert found["database"] == str(tmp_path / "perch.db")
    assert found["id"] in run_command(app, "workspace")


def test_the_workspace_is_kept_unless_set(make_app: MakeApp) -> None:
    kept = run_json(make_app(), "workspace")["id"]
    other = make_app(PERCH_WORKSPACE="acme")
    assert run_json(other, "workspace")["id"] == "acme"
    key = run_json(other, "keys", "create", "k")["key"]
    assert client_with(other, key).get("/Users").status == 200
    assert run_json(make_app(), "workspace")["id"] == kept
    wrong = ScimClient(wsgi_transport(other), f"/{kept}/scim/v2", key).get("/Users")
    assert wrong.status == 404
    assert "no such workspace" in wrong.body["detail"]


def test_admin_password(app: Flask, make_app: MakeApp) -> None:
    run_command(app, "init")
    first = invoke(app, "admin-password")
    second = run_command(app, "admin-password").strip()
    assert (first.exit_code, first.stdout.count("\n")) == (0, 1)
    assert not password_opens(app, first.stdout.strip())
    assert password_opens(app, second)
    overruled = invoke(make_app(PERCH_ADMIN_PASSWORD="x" * 12), "admin-password")
    assert "PERCH_ADMIN_PASSWORD is set and takes precedence" in overruled.stderr
    assert overruled.stdout.count("\n") == 1


def test_the_password_is_stored_as_a_hash(app: Flask, tmp_path: Path) -> None:
    password = run_command(app, "admin-password").strip()
    with closing(sqlite3.connect(tmp_path / "perch.db")) as connection:
        kept = dict(connection.execute("SELECT name, value FROM workspace"))
    assert len(password) == 22 and password not in str(kept)
    assert kept["admin_password"].startswith("scrypt:32768:8:3$")


# flask keys


def test_create_prints_the_key_once(app: Flask, tmp_path: Path) -> None:
    result = invoke(app, "keys", "create", "Okta prod")
    key = result.stdout.strip()
    assert KEY.fullmatch(key)
    assert "not shown again" in result.stderr
    listed = run_json(app, "keys", "list")[0]
    assert (listed["name"], listed["idp"], listed["access"], listed["rolesAs"], listed["state"]) == (
        "Okta prod", "okta", "provision", "strings", "live",
    )  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "perch.db")) as connection:
        dump = "\n".join(connection.iterdump())
    assert key.split("_", 2)[2] not in dump
    assert key not in run_command(app, "keys", "list") + json.dumps(listed)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--idp", "entra"), {"idp": "entra", "rolesAs": "objects"}),
        (("--idp", "generic"), {"idp": "generic", "rolesAs": "objects"}),
        (("--roles-as", "objects"), {"idp": "okta", "rolesAs": "objects"}),
        (("--idp", "entra", "--roles-as", "strings"), {"idp": "entra", "rolesAs": "strings"}),
        (("--access", "read"), {"access": "read", "expires": None}),
    ],
)
def test_create_takes_options(app: Flask, options: tuple[str, ...], expected: dict[str, Any]) -> None:
    made = invoke(app, "keys", "create", "k", *options, "--json")
    assert json.loads(made.stdout).keys() == {"id", "name", "key"}
    assert made.stderr == ""
    listed = run_json(app, "keys", "list")[0]
    assert {name: listed[name] for name in expected} == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create"),
        ("keys", "create", " "),
        ("keys", "create", "k", "--idp", "ldap"),
        ("keys", "create", "k", "--access", "all"),
        ("keys", "create", "k", "--roles-as", "lists"),
        ("keys", "create", "k", "--expires-in", "soon"),
        ("keys", "create", "k", "--expires-in", "-1"),
        ("keys", "set", "id"),
        ("nothing",),
    ],
)
def test_wrong_usage(app: Flask, arguments: tuple[str, ...]) -> None:
    result = invoke(app, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: " in result.stderr


@pytest.mark.parametrize("verb", [("set", "--name", "x"), ("revoke",)])
def test_unknown_key(app: Flask, verb: tuple[str, ...]) -> None:
    said = fails(app, "keys", verb[0], "none", *verb[1:])
    assert "There is no access key with the id 'none'; `flask keys list` shows them." in said


def test_a_revoked_key_stops_at_once(app: Flask) -> None:
    made = run_json(app, "keys", "create", "k")
    client = client_with(app, made["key"])
    assert client.get("/Users").status == 200
    run_command(app, "keys", "revoke", made["id"])
    refused = client.get("/Users")
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert "revoked" in refused.body["detail"]
    first = run_json(app, "keys", "list")[0]
    assert first["state"] == "revoked"
    run_command(app, "keys", "revoke", made["id"])
    assert run_json(app, "keys", "list")[0]["revoked"] == first["revoked"]


def test_a_key_expires_on_time(app: Flask) -> None:
    made = run_json(app, "keys", "create", "k", "--expires-in", "0")
    later = run_json(app, "keys", "create", "k", "--expires-in", "0.5")
    refused = client_with(app, made["key"]).get("/Users")
    assert (refused.status, "expired" in refused.body["detail"]) == (401, True)
    assert client_with(app, later["key"]).get("/Users").status == 200
    assert {key["state"] for key in run_json(app, "keys", "list")} == {"expired", "live"}
    run_command(app, "keys", "set", made["id"], "--expires-in", "1")
    assert client_with(app, made["key"]).get("/Users").status == 200


def test_set_changes_name_and_shape(app: Flask) -> None:
    made = run_json(app, "keys", "create", "k")
    client = client_with(app, made["key"], "okta")
    assert client.post("/Users", {"userName": "a", "roles": ["managed:admin"]}).body["roles"] == ["managed:admin"]
    run_command(app, "keys", "set", made["id"], "--name", "new", "--roles-as", "objects")
    assert run_json(app, "keys", "list")[0]["name"] == "new"
    shown = client.get("/Users").body["Resources"][0]["roles"]
    assert shown == [{"value": "managed:admin", "display": "Admin"}]


def test_a_read_key_reads_only(app: Flask) -> None:
    user = client_with(app, run_json(app, "keys", "create", "k")["key"]).post("/Users", {"userName": "a"}).body
    reader = client_with(app, run_json(app, "keys", "create", "My reader", "--access", "read")["key"])
    search = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}
    assert reader.get(f"/Users/{user['id']}").status == 200
    assert reader.get("/Schemas").status == 200
    assert reader.post("/Users/.search", search).status == 200
    assert reader.post("/.search", search).status == 200
    for method, path in (
        ("POST", "/Users"), ("PUT", f"/Users/{user['id']}"), ("PATCH", f"/Users/{user['id']}"),
        ("DELETE", f"/Users/{user['id']}"), ("POST", "/Groups"), ("POST", "/Bulk"),
    ):  # fmt: skip
        refused = reader.request(method, path, {"userName": "b"})
        assert refused.status == 403, (method, path)
        assert "'My reader' may only read" in refused.body["detail"]


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER  {}", "{}", "basic"])
def test_a_key_is_accepted_in_every_form(app: Flask, form: str) -> None:
    client = client_with(app, run_json(app, "keys", "create", "k")["key"])
    header = client.basic if form == "basic" else form.format(client.key)
    assert client.get("/Users", {"Authorization": header}).status == 200


@pytest.mark.parametrize("header", [None, "", "non-token", "Bearer", "Bearer perch_x_y", "Basic !", "Basic cGVyY2g6"])
def test_a_wrong_key_is_refused_before_anything_else(app: Flask, header: str | None) -> None:
    client = client_with(app, run_json(app, "keys", "create", "k")["key"])
    for path in ("/Users", "/nothing", "/Users/1", "/Schemas"):
        refused = client.get(path, {"Authorization": header})
        assert refused.status == 401
        assert (refused.body["status"], refused.body["schemas"]) == (
            "401", ["urn:ietf:params:scim:api:messages:2.0:Error"],
        )  # fmt: skip
        assert refused.headers["WWW-Authenticate"] == 'Bearer realm="Perch"'
    assert client.get("/ServiceProviderConfig", {"Authorization": header}).status == 200


def test_a_key_with_another_secret_is_refused(app: Flask) -> None:
    made = run_json(app, "keys", "create", "k")
    assert client_with(app, made["key"][:-2] + "xx").get("/Users").status == 401
    assert client_with(app, made["key"] + "x").get("/Users").status == 401


# Settings


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("PERCH_UNKNOWN_ROLES", "maybe", "must be one of reject, create, ignore"),
        ("PERCH_MAX_BODY", "32MB", "must be a whole number from 1"),
        ("PERCH_MAX_BODY", "0", "must be a whole number from 1"),
        ("PERCH_TRAFFIC", "ALL", "must be one of off, errors, all"),
        ("PERCH_FUSE", "true", "must be on or off"),
        ("PERCH_FAULTS", "1", "must be on or off"),
        ("PERCH_WORKSPACE", "has space", "must be 1 to 64 letters, digits"),
        ("PERCH_WORKSPACE", "a/b", "must be 1 to 64 letters, digits"),
        ("PERCH_PUBLIC_URL", "perch.example.com", "must be an origin such as https://perch.example.com"),
        ("PERCH_PUBLIC_URL", "https://perch.example.com/scim", "must be an origin"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(WrongSetting) as raised:
        create_app({"PERCH_DATABASE": str(tmp_path / "perch.db"), name: value})
    assert str(raised.value).startswith(f"{name}={value!r} {told}")
    assert not (tmp_path / "perch.db").exists()


def test_a_wrong_setting_stops_the_start_with_one_line(tmp_path: Path) -> None:
    result = run_flask(tmp_path / "perch.db", "workspace", PERCH_FUSE="maybe")
    assert result.returncode != 0
    assert result.stdout == ""
    assert "PERCH_FUSE='maybe' must be on or off." in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.strip().count("\n") == 0


def test_a_command_that_cannot_open_the_file_says_so_in_one_line(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "perch.db").write_bytes(b"this is no database" * 400)
    assert "damaged" in fails(make_app(opened=False), "workspace")


def test_public_url_is_where_resources_are(make_app: MakeApp) -> None:
    app = make_app(PERCH_PUBLIC_URL="https://perch.example.com/", PERCH_WORKSPACE="acme")
    client = client_with(app, run_json(app, "keys", "create", "k")["key"])
    made = client.post("/Users", {"userName": "a"})
    url = f"https://perch.example.com/acme/scim/v2/Users/{made.body['id']}"
    assert made.headers["Location"] == made.body["meta"]["location"] == url
    group = client.post("/Groups", {"displayName": "g", "members": [{"value": made.body["id"]}]}).body
    assert group["members"][0]["$ref"] == url
    assert client.get("/ServiceProviderConfig").body["meta"]["location"].startswith("https://perch.example.com/acme/")


@pytest.mark.parametrize(
    "words",
    [
        ("backup", "x" * 300),
        ("restore", "x" * 300),
        ("okta", "test", "--only", "connector", "--junit", "missing/rows.xml"),
        ("entra", "test", "--only", "gallery", "--junit", "x" * 300),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_that_names_it(app: Flask, words: tuple[str, ...]) -> None:
    result = invoke(app, *words)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"Error: {words[-1]}: ") and "correct the path" in result.stderr
    assert "Traceback" not in result.output
