"""`flask migrate`, and the progress of long commands."""

import gzip
import json
import os
import pty
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from app import create_app
from tests.make_fixture import FOLDER
from tests.support.server import ROOT, clean_environment, run_flask

OLDEST = sorted(FOLDER.glob("*.db.gz"))[0]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A database of an older Perch."""
    file = tmp_path / "perch.db"
    file.write_bytes(gzip.decompress(OLDEST.read_bytes()))
    return file


def pending(database: Path) -> tuple[int, list[str]]:
    app = create_app({"PERCH_DATABASE": str(database)})
    result = app.test_cli_runner().invoke(args=["migrate", "--check", "--json"])
    app.extensions["perch"].database.leave()
    found = json.loads(result.stdout)
    assert found["applied"] == []
    return result.exit_code, found["pending"]


def test_check_changes_nothing_and_migrate_says_what_it_did(old: Path) -> None:
    before = [path.read_bytes() for path in (old,)]
    status, names = pending(old)
    assert status == 3 and len(names) > 1
    words = run_flask(old, "migrate", "--check")
    assert words.returncode == 3 and f"{len(names)} migrations are pending: {', '.join(names)}" in words.stdout
    with closing(sqlite3.connect(old)) as connection:
        applied = {name for (name,) in connection.execute("SELECT name FROM _sqlite_migrations")}
    assert not applied & set(names) and len(before[0]) == old.stat().st_size
    done = run_flask(old, "migrate")
    assert done.returncode == 0 and done.stderr == ""
    assert re.findall(r"^(\w+): [\d.]+ s$", done.stdout, re.M) == names
    assert re.search(rf"{len(names)} migrations applied in [\d.]+ s", done.stdout)
    assert pending(old) == (0, [])
    again = run_flask(old, "migrate")
    assert again.returncode == 0 and "nothing to do" in again.stdout


def test_migrate_as_json(old: Path) -> None:
    _, names = pending(old)
    found = json.loads(run_flask(old, "migrate", "--json").stdout)
    assert [each["name"] for each in found["applied"]] == names
    assert all(isinstance(each["seconds"], float) for each in found["applied"])
    assert json.loads(run_flask(old, "migrate", "--json").stdout) == {"applied": [], "pending": []}


def test_a_new_file_has_nothing_pending_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "perch.db"
    assert run_flask(file, "init").returncode == 0
    assert pending(file) == (0, [])
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("INSERT INTO _sqlite_migrations SELECT 999, 'perch', 'm999_next', '2030-01-01'")
    for arguments in (("migrate",), ("migrate", "--check")):
        result = run_flask(file, *arguments)
        assert result.returncode == 1 and "m999_next" in result.stderr


def test_the_doctor_tells_of_pending_migrations_and_applies_none(old: Path) -> None:
    result = run_flask(old, "doctor")
    assert result.returncode == 1 and "flask migrate" in result.stdout
    assert pending(old)[0] == 3


def on_a_terminal(database: Path, *arguments: str) -> str:
    """Run a command whose standard error is a terminal, and return what it showed there."""
    inner, outer = pty.openpty()
    settings = clean_environment({"PERCH_DATABASE": str(database), "COLUMNS": "100"})
    command = [sys.executable, "-m", "flask", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=outer, timeout=60, check=True)
    os.close(outer)
    assert b"\x1b" not in done.stdout and b"[--" not in done.stdout
    shown = b""
    try:
        while part := os.read(inner, 65536):
            shown += part
    except OSError:
        pass
    os.close(inner)
    return shown.decode()


def test_progress_is_shown_on_a_terminal_only(old: Path, tmp_path: Path) -> None:
    copy, plain = str(tmp_path / "copy.db"), str(tmp_path / "plain.db")
    shown = on_a_terminal(old, "migrate")
    assert "(1 of " in shown and "m014_held" in shown
    shown = on_a_terminal(old, "backup", copy)
    assert "Copying" in shown and "100%" in shown and "Checking" in shown
    assert "Checking" in on_a_terminal(old, "doctor")
    shown = on_a_terminal(old, "restore", "--force", copy)
    assert "Copying" in shown and "100%" in shown and "Checking" in shown
    for command in (("migrate",), ("backup", plain), ("doctor",)):
        assert run_flask(old, *command).stderr == ""
    assert "Copying" not in run_flask(old, "restore", "--force", plain).stderr
