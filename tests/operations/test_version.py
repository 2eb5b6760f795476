"""Operators can name the version that runs; callers without a key or sign-in cannot."""

import json
import platform
import re
import sqlite3
from pathlib import Path

import pytest
import requests
from flask import Flask

from app import create_app
from scim.settings import VERSION
from storage.migrations import known
from tests.conftest import MakeApp
from tests.support.commands import create_key, run_command, run_json, scim_path
from tests.support.console import PASSWORD, Console
from tests.support.server import PerchServer
from tests.web.test_routes_need_keys import urls

ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}
TOLD = (VERSION, platform.python_version(), sqlite3.sqlite_version, max(known()))
# What strangers try, beside every route: probes, unknown paths, wrong keys and wrong methods.
PROBES = [
    "/version",
    "/console/version",
    "/console/sign-in",
    "/x/scim/v2/Users",
    "/robots.txt",
    "/.git/HEAD",
    "//",
    "/%00",
]


def test_the_command_names_all_versions(make_app: MakeApp) -> None:
    found = run_json(make_app(), "version")
    assert tuple(found.values()) == TOLD and list(found) == ["version", "python", "sqlite", "schema"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", found["version"]) and re.fullmatch(r"m\d{3}_\w+", found["schema"])
    line = run_command(make_app(), "version")
    assert line.count("\n") == 1 and all(text in line for text in TOLD)


@pytest.mark.parametrize("follow", ["on", "off"])
@pytest.mark.parametrize("file", ["missing", "of another program", "folder"])
def test_the_command_needs_no_usable_database(follow: str, file: str, tmp_path: Path) -> None:
    path = tmp_path / "perch.db"
    if file == "folder":
        path.mkdir()
    elif file != "missing":
        path.write_text("no database")
    before = sorted(tmp_path.iterdir())
    app = create_app({"PERCH_DATABASE": str(path), "PERCH_FOLLOW": follow})
    assert run_json(app, "version")["version"] == VERSION
    assert sorted(tmp_path.iterdir()) == before


def shown(app: Flask, method: str, path: str, **headers: str) -> str:
    """Return the whole answer to a caller from elsewhere, headers included."""
    answer = app.test_client().open(path, method=method, headers=headers, environ_overrides=ELSEWHERE)
    return f"{answer.status}\n{answer.headers}\n{answer.text}"


def test_strangers_learn_no_version(make_app: MakeApp) -> None:
    app = make_app(PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_FAILED_KEYS="100000")
    workspace = scim_path(app).removesuffix("/scim/v2")
    asked = [(method, path) for rule in app.url_map.iter_rules() for method, path in urls(app, rule)]
    asked += [(method, path.replace("/1/", f"{workspace}/")) for method, path in asked if path.startswith("/1/")]
    asked += [(method, path) for path in PROBES for method in ("GET", "POST")]
    asked += [("GET", f"/console/static/{file.name}") for file in Path(app.root_path, "scim/console/static").iterdir()]
    assert ("GET", f"{workspace}/openapi.json") in asked and ("GET", f"{scim_path(app)}/ServiceProviderConfig") in asked
    for method, path in asked:
        for headers in ({}, {"Authorization": "Bearer perch_0123456789_" + "A" * 43}):
            text = shown(app, method, path, **headers)
            assert not [version for version in TOLD if version in text], (method, path, text)


def test_a_follower_tells_strangers_no_version(make_app: MakeApp, tmp_path: Path) -> None:
    app = create_app({"PERCH_DATABASE": str(tmp_path / "copy.db"), "PERCH_FOLLOW": "on"})
    for path in ("/", "/healthz", "/readyz", "/metrics", *PROBES):
        assert not [version for version in TOLD if version in shown(app, "GET", path)], path


def test_a_key_and_a_sign_in_show_the_version(make_app: MakeApp) -> None:
    app = make_app(PERCH_ADMIN_PASSWORD=PASSWORD)
    metrics = shown(app, "GET", "/metrics", Authorization=f"Bearer {create_key(app, 'Prometheus')}")
    assert f'perch_build_info{{version="{VERSION}"}} 1.0' in metrics
    console, footer = Console(app), f'<footer class="faint">Perch {VERSION}</footer>'
    console.sign_in()
    for path in ("/", "/users", "/journal", "/nothing/here"):
        assert console.get(path).text.count(footer) == 1, path
    console.post("/sign-out")
    assert footer not in console.get("/sign-in").text


def test_the_server_names_only_its_program(perch_server: PerchServer) -> None:
    for path in ("/", "/nothing", "/readyz"):
        headers = requests.get(perch_server.origin + path, allow_redirects=False, timeout=60).headers
        assert not re.search(r"\d", headers.get("Server", "")) and VERSION not in json.dumps(dict(headers))
