"""The first start: workers race to create the file, and `flask init` prints the secrets once."""

import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.conftest import MakeServer
from tests.support.client import ScimClient, http_transport
from tests.support.ports import unused_port
from tests.support.server import ROOT, PerchServer, clean_environment, run_flask

TROUBLE = re.compile(r"Traceback|database is locked|already exists|failed to boot|Worker exiting|was sent SIG", re.I)
KEY = re.compile(r"\bperch_[A-Za-z0-9]+_[A-Za-z0-9_-]{40,}")
PASSWORD = re.compile(r"password\W+(\S+)", re.I)


@pytest.mark.parametrize("workers", [1, 4, pytest.param(8, marks=pytest.mark.long)])
def test_workers_race_on_a_new_file(workers: int, make_server: MakeServer) -> None:
    server = make_server(workers=workers)
    server.start(wait=False)
    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(lambda _: first_request(server), range(64)))
    assert set(statuses) == {200}
    clients = [server.client("okta", server.key) for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(create_and_list, enumerate(clients)))
    assert answers == [(201, 200)] * 8
    log = server.log()
    assert len(re.findall("Booting worker", log)) == workers, log
    assert not TROUBLE.search(log), log
    assert server.stop() == 0
    check_schema(server.database)


def first_request(server: PerchServer) -> int:
    """Ask for health while the workers start: the socket listens already, so the answer must be 200."""
    return server.client().transport("GET", "/healthz", {}, None)[0]


def create_and_list(numbered: tuple[int, ScimClient]) -> tuple[int, int]:
    number, client = numbered
    created = client.post("/Users", {"userName": f"race-{number}@example.com"})
    return created.status, client.get("/Users").status


def check_schema(database: Path) -> None:
    """Check that the file is sound, with one workspace and each migration applied once."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("SELECT count(*) FROM workspace WHERE name = 'id'").fetchone() == (1,)
        applied = connection.execute("SELECT migration_set, name FROM _sqlite_migrations").fetchall()
        assert applied
        assert len(applied) == len(set(applied))
        assert connection.execute("SELECT count(*) FROM resources WHERE type = 'User'").fetchone() == (8,)


def test_a_file_that_is_no_database_stops_the_start_with_one_line(make_server: MakeServer) -> None:
    server = make_server(workers=4)
    server.database.write_bytes(b"this is no database" * 400)
    server.start(wait=False)
    assert server.process is not None
    assert server.process.wait(40) != 0
    lines = [line for line in server.log().splitlines() if "Perch cannot start:" in line]
    assert len(lines) == 1, server.log()
    assert "Traceback" not in server.log()
    assert server.database.read_bytes().startswith(b"this is no database")


def test_init_prints_secrets_once(tmp_path: Path) -> None:
    database = tmp_path / "perch.db"
    first = run_flask(database, "init")
    assert first.returncode == 0, first.stderr
    workspace = check_urls(first.stdout)
    key = KEY.search(first.stdout)
    password = PASSWORD.search(first.stdout)
    assert key, first.stdout
    assert password, first.stdout

    second = run_flask(database, "init")
    assert second.returncode == 0, second.stderr
    assert check_urls(second.stdout) == workspace
    assert not KEY.search(second.stdout + second.stderr)
    assert password[1] not in second.stdout + second.stderr
    assert key[0].encode() not in database.read_bytes()


def check_urls(text: str, port: int = 8000) -> str:
    """The workspace id in the base URL that `flask init` printed, beside the console's URL."""
    base = re.search(rf"http://127\.0\.0\.1:{port}/([^/\s]+)/scim/v2\b", text)
    assert base, text
    assert f"http://127.0.0.1:{port}/console/" in text
    return base[1]


def test_the_printed_key_works(make_server: MakeServer) -> None:
    server = make_server(workers=1)
    key = KEY.search(server.flask("init"))
    assert key
    server.start()
    status, headers, body = server.client("okta", key[0]).get("/Users?startIndex=1&count=2")
    assert (status, body["totalResults"]) == (200, 0)
    assert "Okta" in server.flask("keys", "list")


def test_the_server_prints_no_secret(make_server: MakeServer) -> None:
    server = make_server(workers=1)
    server.start()
    assert server.database.exists()
    assert not KEY.search(server.log())
    assert not PASSWORD.search(server.log())


can_run_make = pytest.mark.skipif(
    not (ROOT / ".venv" / "run.stamp").exists() or Path(sys.prefix) != ROOT / ".venv",
    reason="`make run` would first install what it needs; `make test` has done so",
)


@can_run_make
def test_make_run(tmp_path: Path) -> None:
    """`make run` twice: the secrets appear once, both times the server answers."""
    first = make_run(tmp_path, tmp_path / "first.log")
    key = KEY.search(first)
    assert key, first
    second = make_run(tmp_path, tmp_path / "second.log")
    assert not KEY.search(second), second
    assert check_urls(second, port_of(second)) == check_urls(first, port_of(first))


@can_run_make
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_make_run_on_a_used_port_says_so(host: str, tmp_path: Path) -> None:
    with socket.create_server((host, 0)) as used:
        port = used.getsockname()[1]
        result = subprocess.run(
            ["make", "run", f"PORT={port}", f"HOST={host}"], cwd=ROOT, capture_output=True, text=True, timeout=60,
            env=clean_environment({"PERCH_DATABASE": str(tmp_path / "perch.db")}), check=False,
        )  # fmt: skip
    assert result.returncode != 0
    assert f"Port {port} is in use" in result.stderr and "make run PORT=" in result.stderr
    # make itself says which folder it enters where another make runs the tests.
    said = [line for line in result.stdout.splitlines() if not line.startswith("make[")]
    assert list(tmp_path.iterdir()) == [] and said == [], "the secrets are not printed yet"


def port_of(text: str) -> int:
    listening = re.search(r"Listening at: http://127\.0\.0\.1:(\d+)", text)
    assert listening, text
    return int(listening[1])


def make_run(folder: Path, output: Path) -> str:
    """Start `make run`, wait until it serves, stop it, return all that it printed."""
    port = unused_port()
    environment = clean_environment({"PERCH_DATABASE": str(folder / "perch.db")})
    with output.open("wb") as log:
        process = subprocess.Popen(
            ["make", "run", f"PORT={port}"], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for_health(port)
        return output.read_text()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(35)


def wait_for_health(port: int) -> None:
    send = http_transport(f"http://127.0.0.1:{port}")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            if send("GET", "/healthz", {}, None)[0] == 200:
                return
        except requests.ConnectionError:
            time.sleep(0.05)
    raise AssertionError(f"nothing serves on port {port}")
