"""`flask doctor` reports each problem with its remedy."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from storage import fuse
from tests.conftest import MakeApp, MakeServer
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.deliverer import delivering
from tests.support.other_program import change_file
from tests.support.server import run_flask


def findings(app: Flask, expected: int = 0) -> dict[str, list[tuple[str, str]]]:
    """Return level and text of the findings by check; each problem must have a remedy."""
    result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    assert result.exit_code == expected, result.output
    report = json.loads(result.stdout)
    assert report["wrong"] is bool(expected)
    assert all(bool(each["remedy"]) == (each["level"] != "ok") for each in report["findings"])
    found: dict[str, list[tuple[str, str]]] = {}
    for each in report["findings"]:
        found.setdefault(each["check"], []).append((each["level"], each["text"]))
    return found


def test_a_sound_deployment_is_ok(app: Flask, okta: ScimClient) -> None:
    okta.post("/Users", {"userName": "ada@example.com", "roles": ["managed:editor"]})
    found = findings(app)
    levels = {check: level for check, [(level, _), *_] in found.items()}
    for check in ("settings", "file", "schema", "pragmas", "integrity", "clock", "keys", "people", "names", "disk"):
        assert levels[check] == "ok", found[check]
    assert levels["public URL"] == "look"


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    result = run_flask(tmp_path / "none.db", "doctor")
    assert result.returncode == 1
    assert f"WRONG file: The database {tmp_path / 'none.db'} (the value of PERCH_DATABASE)" in result.stdout
    assert "flask init" in result.stdout
    assert not (tmp_path / "none.db").exists()


def test_a_damaged_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "perch.db").write_bytes(b"this is no database" * 400)
    result = run_flask(tmp_path / "perch.db", "doctor")
    assert result.returncode == 1
    assert "damaged" in result.stdout
    assert "Traceback" not in result.stderr


def test_dangling_rows_are_reported(app: Flask, okta: ScimClient) -> None:
    okta.post("/Users", {"userName": "ada@example.com"})
    change_file(app.extensions["perch"].database, "INSERT INTO members VALUES (998, 999, 0)")
    assert findings(app, 1)["integrity"][0] == (
        "wrong",
        "a row of members refers to a row of resources that is not there",
    )


def test_a_file_that_others_may_read_is_reported(app: Flask) -> None:
    run_command(app, "workspace")
    app.extensions["perch"].database.path.chmod(0o644)
    assert findings(app)["file"][0][0] == "look"


def test_a_clock_behind_the_file_is_reported(app: Flask, okta: ScimClient) -> None:
    okta.post("/Users", {"userName": "ada@example.com"})
    change_file(app.extensions["perch"].database, "UPDATE resources SET lastModified = '2999-01-01T00:00:00'")
    assert findings(app, 1)["clock"][0][0] == "wrong"


def test_keys_that_expire_soon_or_were_never_used_are_reported(app: Flask) -> None:
    run_command(app, "keys", "create", "ends", "--expires-in", "3")
    run_command(app, "keys", "create", "idle")
    change_file(app.extensions["perch"].database, "UPDATE keys SET created = '2026-01-01T00:00:00' WHERE name = 'idle'")
    texts = sorted(text for level, text in findings(app)["keys"] if level == "look")
    assert len(texts) == 2
    assert "'ends'" in texts[0] and "expires at" in texts[0]
    assert "'idle'" in texts[1] and "never used" in texts[1]


def test_a_missing_provisioning_key_is_reported(app: Flask) -> None:
    run_command(app, "keys", "create", "app", "--access", "read")
    assert findings(app)["keys"] == [("look", "No live key has provision access.")]


def test_people_without_roles_and_unused_roles_are_reported(app: Flask, okta: ScimClient) -> None:
    okta.post("/Users", {"userName": "ada@example.com", "roles": ["managed:editor"]})
    okta.post("/Users", {"userName": "bob@example.com"})
    found = findings(app)
    assert found["people"][0] == ("look", "1 of 2 active people have no role and may not log in.")
    assert "the console lists them under Users." in run_command(app, "doctor")
    assert found["roles"][0][1].startswith("4 roles are assigned to no user and no group: managed:admin")


def test_little_disk_space_is_reported(make_app: MakeApp) -> None:
    app = make_app(PERCH_DISK_FREE="1000000000")
    run_command(app, "workspace")
    assert findings(app, 1)["disk"][0][0] == "wrong"


@pytest.fixture
def public(make_app: MakeApp, make_server: MakeServer) -> Iterator[tuple[Flask, Flask]]:
    """The deployment behind a server's origin, and another one with the same public URL."""
    server = make_server(workers=1)
    server.start()
    there = make_app(PERCH_DATABASE=str(server.database), PERCH_PUBLIC_URL=server.origin)
    elsewhere = make_app(PERCH_PUBLIC_URL=server.origin)
    run_command(elsewhere, "workspace")
    yield there, elsewhere


def test_a_public_url_that_leads_elsewhere_is_reported(public: tuple[Flask, Flask], make_app: MakeApp) -> None:
    there, elsewhere = public
    assert [level for level, _ in findings(there)["public URL"]] == ["look", "ok"]
    assert findings(elsewhere, 1)["public URL"][-1][0] == "wrong"
    nowhere = make_app(PERCH_PUBLIC_URL="http://127.0.0.1:9")
    assert "ConnectionError" in findings(nowhere, 1)["public URL"][-1][1]


def test_a_misspelt_setting_is_reported(tmp_path: Path) -> None:
    run_flask(tmp_path / "perch.db", "init")
    result = run_flask(tmp_path / "perch.db", "doctor", PERCH_TRAFIC="all")
    assert "look  settings: PERCH_TRAFIC" in result.stdout


# What an operator should know now


def webhook(app: Flask) -> str:
    return str(run_json(app, "webhooks", "add", "https://93.184.216.34/perch")["id"])


def test_a_missing_deliverer_is_wrong_while_a_webhook_is_active(app: Flask) -> None:
    assert findings(app)["deliverer"] == [("ok", "No webhook needs one.")]
    identifier = webhook(app)
    assert findings(app, 1)["deliverer"] == [("wrong", "Nobody delivers events to the webhooks; they wait.")]
    with delivering(app):
        assert findings(app)["deliverer"] == [("ok", "It runs.")]
    run_command(app, "webhooks", "pause", identifier)
    assert findings(app)["deliverer"] == [("ok", "No webhook needs one.")]


def test_webhooks_that_fail_or_are_paused_are_worth_a_look(app: Flask) -> None:
    identifiers = [webhook(app) for _ in range(8)]
    database = app.extensions["perch"].database
    with delivering(app):
        assert findings(app)["webhooks"] == [("ok", "None of 8 fails or is paused.")]
        run_command(app, "webhooks", "pause", identifiers[0])
        change_file(database, "UPDATE webhooks SET failures = 2, reason = 'evt_1: 503' WHERE id = ?", identifiers[1])
        (paused, failing) = sorted(findings(app)["webhooks"], key=lambda each: identifiers[1] in each[1])
        assert paused[0] == failing[0] == "look"
        assert re.search(r"is paused since \d{4}-\d\d-\d\d at \d\d:\d\d UTC: paused by an operator", paused[1])
        assert failing[1] == f"The webhook {identifiers[1]} failed 2 times in a row: evt_1: 503."
        change_file(database, "UPDATE webhooks SET failures = 1")
        found = findings(app)["webhooks"]
        assert len(found) == 6 and found[-1] == ("look", "3 more webhooks fail or are paused.")


@pytest.mark.parametrize("switch", ["on", "off"])
def test_a_blown_fuse_is_wrong(switch: str, make_app: MakeApp) -> None:
    app = make_app(PERCH_FUSE=switch)
    assert findings(app)["fuse"] == [("ok", f"Its state is {'ready' if switch == 'on' else 'off'}.")]
    with app.extensions["perch"].database.write() as connection:
        fuse.blow(connection, {"at": "2026-11-27T08:00:00.000Z", "lost": 10, "active": 20, "limit": 10, "minutes": 10})
    found = findings(app, int(switch == "on"))["fuse"][0]
    assert found[0] == ("wrong" if switch == "on" else "ok")
    assert ("since 2026-11-27 at 08:00 UTC." in found[1]) is (switch == "on")
    run_command(app, "fuse", "release")
    assert findings(app)["fuse"][0][0] == "ok"
