"""Starts that wait for another process, and the exit codes of starts that fail."""

import fcntl
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.support.drills import RecordDrill
from tests.support.server import ROOT, PerchServer, clean_environment, run_flask

WAITING = re.compile(r"Waiting for \S+ for (\d+) s: another process")
WRONG_SETTING, MAY_PASS = 4, 3
# Seconds; less than the graceful timeout, after which gunicorn kills its workers.
STOPS_AT_ONCE = 25


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Hold the lock that a process has while it creates, migrates or restores the database."""
    with database.with_name(database.name + ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def waited(log: str) -> list[int]:
    """Return the seconds of waiting that a log tells of."""
    return [int(seconds) for seconds in WAITING.findall(log)]


def exit_status(server: PerchServer) -> int:
    """Start gunicorn, and return the status with which it ends by itself."""
    server.start(wait=False)
    assert server.process is not None
    return server.process.wait(40)


def flask(database: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "flask", *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=clean_environment({"PERCH_DATABASE": str(database), **settings}),
    )  # fmt: skip


@pytest.mark.parametrize(
    "seconds", [16, pytest.param(43, marks=pytest.mark.long, id="longer than a worker may be silent")]
)
def test_a_start_waits_as_long_as_another_process_has_the_file(
    seconds: int, make_server: MakeServer, drill: RecordDrill
) -> None:
    server = make_server(workers=2)
    other = make_server()
    other.flask("init")
    with locked(server.database), locked(other.database):
        command = flask(other.database, "keys", "list", "--json")
        notices: list[str] = []
        reading = threading.Thread(target=lambda: notices.extend(command.stderr or ()))
        reading.start()
        server.start(wait=False)
        last = seconds // 10 * 10
        wait_for(lambda: waited(server.log()).count(last) == 2 and last in waited("".join(notices)), seconds + 60)
        assert server.process is not None and server.process.poll() is None
        assert command.poll() is None
    server.wait_until_healthy()
    assert server.client().transport("GET", "/readyz", {}, None)[0] == 200
    every = list(range(10, seconds, 10))
    said = [each for each in waited(server.log()) if each < seconds]
    assert sorted(said) == sorted(every * 2), "each of two workers says so every 10 s"
    assert command.stdout is not None
    assert [key["name"] for key in json.load(command.stdout)] == ["First Okta key"]
    assert command.wait(60) == 0
    reading.join()
    assert waited("".join(notices))[: len(every)] == every
    assert server.stop() == 0
    drill("a start waits for another process", 0, 0, seconds)


def test_a_waiting_server_stops_at_once(make_server: MakeServer) -> None:
    server = make_server(workers=2)
    with locked(server.database):
        server.start(wait=False)
        time.sleep(1.5)
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < STOPS_AT_ONCE
    assert not server.database.exists()


def slow_server(make_server: MakeServer, seconds: float) -> PerchServer:
    server = make_server(workers=2, settings={"SLOW_MIGRATION": str(seconds)})
    server.flask("init")
    server.application = "tests.support.slow_migration:app"
    return server


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=pytest.mark.long)])
def test_a_slow_migration_is_finished_once_while_others_wait(
    seconds: int, make_server: MakeServer, drill: RecordDrill
) -> None:
    server = slow_server(make_server, seconds)
    server.start(wait=False)
    time.sleep(seconds)
    server.wait_until_healthy()
    log = server.log()
    assert log.count("Applied 1 migrations") == 1 and "WORKER TIMEOUT" not in log
    with closing(sqlite3.connect(server.database)) as connection:
        found = connection.execute("SELECT count(*) FROM _sqlite_migrations WHERE name = 'm999_slow'").fetchone()
    assert found == (1,)
    assert server.stop() == 0
    drill("a slow migration", 0, 0, seconds)


def test_a_stop_during_a_migration_takes_it_back(make_server: MakeServer) -> None:
    server = slow_server(make_server, 30)
    before = server.flask_json("migrate", "--check")
    server.start(wait=False)
    time.sleep(3)
    begun = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - begun < STOPS_AT_ONCE
    assert server.flask_json("migrate", "--check") == before


# What ends a server, and with which status


def missing_mount(server: PerchServer) -> None:
    server.settings["PERCH_DATABASE"] = str(server.folder / "not-mounted" / "perch.db")


def other_program(server: PerchServer) -> None:
    with closing(sqlite3.connect(server.database)) as connection:
        connection.execute("CREATE TABLE moz_bookmarks (id INTEGER PRIMARY KEY)")


def no_database(server: PerchServer) -> None:
    server.database.write_bytes(b"this is no database" * 400)


def folder_in_its_place(server: PerchServer) -> None:
    server.database.mkdir()


@pytest.mark.parametrize("spoil", [missing_mount, other_program, no_database, folder_in_its_place])
@pytest.mark.parametrize("workers", [1, 4])
def test_what_may_pass_ends_the_server_with_3_and_a_command_with_1(
    spoil: Callable[[PerchServer], None], workers: int, make_server: MakeServer
) -> None:
    server = make_server(workers=workers, settings={"PERCH_LOG_FORMAT": "json"})
    spoil(server)
    assert exit_status(server) == MAY_PASS
    lines = [json.loads(line) for line in server.log().splitlines()]
    (reason,) = [line for line in lines if line["message"].startswith("Perch cannot start: ")]
    assert reason["level"] == "error"
    assert run_flask(Path(server.settings["PERCH_DATABASE"]), "keys", "list").returncode == 1


def test_a_busy_file_ends_the_server_with_3_and_a_command_with_1(make_server: MakeServer) -> None:
    """Another program that holds SQLite's own lock is not waited for: it does not say whether it will ever end."""
    server = make_server(workers=2)
    with closing(sqlite3.connect(server.database, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("CREATE TABLE held (x)")
        assert exit_status(server) == MAY_PASS
        assert run_flask(server.database, "keys", "list").returncode == 1
    assert "busy" in server.log()


@pytest.mark.parametrize("name", ["PERCH_FUSE", "PERCH_LOG_FORMAT", "PERCH_MAX_BODY"])
def test_a_wrong_setting_ends_the_server_with_4(name: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "gunicorn", "app:app", "--bind", "127.0.0.1:0"], cwd=ROOT, timeout=40, check=False,
        env=clean_environment({"PERCH_DATABASE": str(tmp_path / "perch.db"), name: "wrong"}), capture_output=True,
    )  # fmt: skip
    assert result.returncode == WRONG_SETTING
    assert name in json.loads(result.stderr)["message"]
    assert list(tmp_path.iterdir()) == []


# The deliverer


def read_lines(process: subprocess.Popen[str]) -> tuple[list[dict[str, Any]], threading.Thread]:
    """Collect the deliverer's log while it runs."""
    found: list[dict[str, Any]] = []
    assert process.stderr is not None
    lines = process.stderr
    thread = threading.Thread(target=lambda: found.extend(json.loads(line) for line in lines), daemon=True)
    thread.start()
    return found, thread


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("state", ["missing", "empty", "outdated", "no folder"])
def test_the_deliverer_waits_for_a_database_and_makes_none(state: str, make_server: MakeServer) -> None:
    server = make_server()
    folder = server.folder / "data"
    if state != "no folder":
        folder.mkdir()
    database = folder / "perch.db"
    if state == "empty":
        database.touch()
    if state == "outdated":
        assert run_flask(database, "init").returncode == 0
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm016_unknown_roles'")
            connection.execute("ALTER TABLE keys DROP COLUMN unknownRoles")
    process = flask(database, "deliver", PERCH_LOG_FORMAT="json")
    log, reader = read_lines(process)
    wait_for(lambda: bool(log))
    assert "Waiting for the database" in log[0]["message"] and str(database) in log[0]["message"]
    assert state == "outdated" or not folder.exists() or [path.name for path in folder.iterdir()] in ([], ["perch.db"])
    folder.mkdir(exist_ok=True)
    assert run_flask(database, "init").returncode == 0
    wait_for(lambda: "Delivering events to webhooks." in [line["message"] for line in log])
    process.terminate()
    assert process.wait(10) == 0
    reader.join(5)
    assert all({"time", "level", "message"} <= line.keys() for line in log)


def test_a_waiting_deliverer_stops_at_once_and_once_does_not_wait(tmp_path: Path) -> None:
    process = flask(tmp_path / "perch.db", "deliver", PERCH_LOG_FORMAT="json")
    log, _ = read_lines(process)
    wait_for(lambda: bool(log))
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    once = run_flask(tmp_path / "perch.db", "deliver", "--once")
    assert once.returncode == 1 and str(tmp_path / "perch.db") in once.stderr
    assert os.listdir(tmp_path) == []
