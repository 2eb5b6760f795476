"""`flask follow` and `flask drill` with the real Litestream: a follower answers, and a fail-over loses little."""

import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from storage.database import Database
from storage.locks import followed_path
from tests.bench.follower import measure
from tests.conftest import MakeServer
from tests.events.test_supervisor import is_running
from tests.support.following import SECONDS, Following, until
from tests.support.litestream import litestream
from tests.support.moto import ACCESS, bucket
from tests.support.resources import user_id
from tests.support.server import ROOT, clean_environment, run_flask


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put Litestream into PATH."""
    folder = litestream("python", tmp_path).parent
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return str(folder)


@pytest.fixture
def following(path: str, make_server: MakeServer, tmp_path: Path) -> Iterator[Following]:
    found = Following(make_server(), tmp_path)
    yield found
    found.end()


def test_a_follower_follows_and_ends_as_a_whole(following: Following) -> None:
    following.begin()
    primary, follower = following.server.client(key=following.server.key), following.client()
    ann = user_id(primary, "ann")
    until(lambda: follower.get(f"/Users/{ann}").status == 200)
    answer = follower.delete(f"/Users/{ann}")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5") and float(answer.headers["Perch-Age"]) < 30
    assert oct(following.database.stat().st_mode)[-3:] == "600"
    second = run_flask(following.database, "follow", PERCH_REPLICA=following.url)
    assert second.returncode == 1 and "Another process uses" in second.stderr
    by_mistake = run_flask(following.database, "keys", "list")
    assert by_mistake.returncode == 1 and "follower's copy" in by_mistake.stderr

    assert following.process is not None
    following.process.terminate()
    assert following.process.wait(SECONDS) == 0 and following.status("/healthz") == 0
    bea = user_id(primary, "bea")
    following.follow()
    until(lambda: follower.get(f"/Users/{bea}").status == 200)

    os.kill(following.process_of("gunicorn"), signal.SIGKILL)
    assert following.process.wait(SECONDS) == 1
    assert "gunicorn ended with exit code -9" in following.log.read_text()
    following.follow()
    os.kill(following.process_of("litestream"), signal.SIGKILL)
    assert following.process.wait(SECONDS) == 1 and following.status("/healthz") == 0
    assert "Litestream ended with exit code -9" in following.log.read_text()
    following.follow()
    assert following.log.read_text().count("entering follow mode") == 4, "half of a change may be in an old copy"
    assert follower.get(f"/Users/{bea}").status == 200

    found = following.processes()
    assert len(found) >= 4, "a guard, Litestream, gunicorn and its workers"
    following.process.kill()
    until(lambda: not any(is_running(pid) for pid in found))
    assert following.status("/healthz") == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"PATH": "/nowhere", "PERCH_REPLICA": "file:///x"}, "There is no program litestream in PATH; install"),
        ({}, "PERCH_REPLICA is not set"),
        ({"PERCH_REPLICA": "file:///nowhere/replica"}, "Litestream ended with exit code 1"),
    ],
)
def test_follow_says_what_is_missing(settings: dict[str, str], words: str, path: str, tmp_path: Path) -> None:
    done = run_flask(tmp_path / "perch.db", "follow", **settings)
    assert done.returncode == 1 and words in done.stderr
    assert not (tmp_path / "perch.db").exists()


def test_follow_never_replaces_a_primarys_file(path: str, make_server: MakeServer) -> None:
    server = make_server()
    server.flask("init")
    before = server.database.read_bytes()
    for _ in range(2):
        done = run_flask(server.database, "follow", PERCH_REPLICA="file:///nowhere")
        assert done.returncode == 1 and "is a primary's file" in done.stderr
    assert server.database.read_bytes() == before
    done = run_flask(server.database, "workspace", PERCH_FOLLOW="on")
    assert done.returncode == 1 and "Unset PERCH_FOLLOW" in done.stderr
    followed_path(server.database).write_text("1")
    server.start(wait=False)
    until(lambda: "follower's copy" in server.log())
    assert server.process is not None and server.process.wait(SECONDS) == 3


def drilled(*options: str, **settings: str) -> list[dict[str, float]]:
    done = subprocess.run(
        [sys.executable, "-m", "flask", "drill", "--json", *options], cwd=ROOT,
        env=clean_environment(settings), capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, float]] = json.loads(done.stdout)
    return found


def check(rounds: list[dict[str, float]]) -> None:
    for each in rounds:
        assert each["suffix"] and 0 <= each["lost"] <= each["acknowledged"] and each["acknowledged"] > 0, each
        assert each["noReads"] < each["noWrites"], each


def test_a_drill_loses_the_last_writes_only_and_reads_go_on(path: str) -> None:
    check(drilled("--seconds", "0", "--rounds", "2"))


def test_a_drill_never_replaces_a_copy(path: str, tmp_path: Path) -> None:
    Database(tmp_path / "perch.db").open()
    replica = tmp_path / "replica"
    command = ["litestream", "replicate", "-once", str(tmp_path / "perch.db"), f"file://{replica}"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    before = {each: each.read_bytes() for each in replica.rglob("*") if each.is_file()}
    done = run_flask(tmp_path / "none.db", "drill", "--replica", f"file://{replica}")
    assert done.returncode == 1 and "has a copy of a file, which the drill would replace" in done.stderr
    assert before == {each: each.read_bytes() for each in replica.rglob("*") if each.is_file()} != {}


@pytest.mark.long
def test_ten_drills_on_a_file_replica(path: str) -> None:
    check(rounds := drilled("--rounds", "10"))
    print(json.dumps(rounds))


@pytest.mark.long
def test_ten_drills_on_s3(path: str, tmp_path: Path) -> None:
    with bucket(tmp_path) as url:
        check(rounds := drilled("--rounds", "10", "--replica", url, **ACCESS))
    print(json.dumps(rounds))


@pytest.mark.long
@pytest.mark.parametrize("clients", [2, 8])
def test_following_goes_on_under_reads(clients: int, following: Following) -> None:
    following.begin()
    found = measure(following, clients, seconds=5, rounds=2)
    print(found)
    # Without its turn Litestream writes nothing while clients read.
    assert len(found.lags) >= 3
    with contextlib.closing(sqlite3.connect(f"file:{following.database}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.long
def test_readyz_tells_that_the_store_is_cut_off_and_back(following: Following) -> None:
    following.begin()
    until(lambda: following.status("/readyz") == 200)
    time.sleep(12)
    assert following.status("/readyz") == 200
    away = following.replica.with_name("away")
    following.replica.rename(away)
    following.replica.touch()
    until(lambda: following.status("/readyz") == 503, 40)
    metrics = requests.get(f"{following.origin}/metrics", timeout=5).text
    age = re.search(r"^perch_follower_age_seconds (\S+)", metrics, re.MULTILINE)
    assert age and float(age[1]) > 30
    assert following.status("/healthz") == 200
    following.replica.unlink()
    away.rename(following.replica)
    until(lambda: following.status("/readyz") == 200, 40)
