"""The write-ahead log: its size is bounded, and its removal is noticed as that of the database file is."""

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from storage.database import Database
from storage.errors import UnusableFile
from storage.locks import index_path, log_path
from tests.conftest import MakeServer
from tests.support.server import run_flask
from tests.support.writers import check_file

MIB = 1024 * 1024


def test_the_log_shrinks_after_a_reader_made_it_grow(tmp_path: Path) -> None:
    database = Database(tmp_path / "perch.db")
    database.open()
    log = log_path(database.file)
    with database.write() as connection:
        connection.execute("CREATE TABLE ballast (text)")
    with closing(sqlite3.connect(database.file, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM workspace").fetchone()
        for _ in range(12):
            with database.write() as connection:
                connection.execute("INSERT INTO ballast SELECT zeroblob(4 * 1024 * 1024)")
                connection.execute("DELETE FROM ballast")
                connection.execute("INSERT INTO ballast SELECT zeroblob(4 * 1024 * 1024)")
        assert log.stat().st_size > 40 * MIB
    for _ in range(3):
        with database.write() as connection:
            connection.execute("INSERT INTO ballast VALUES ('x')")
    assert log.stat().st_size <= 32 * MIB


@pytest.mark.parametrize("act", ["remove", "replace"])
@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_removed_log_is_503_until_it_is_back(suffix: str, act: str, make_server: MakeServer) -> None:
    server = make_server()
    server.start()
    client = server.client(key=server.key)
    user = client.post("/Users", {"userName": "ada@example.com"}).body["id"]
    log, away = server.folder / f"perch.db{suffix}", server.folder / "away"
    log.rename(away)
    if act == "replace":
        log.write_bytes(away.read_bytes())
    time.sleep(0.05)  # reads check their file every 20 ms, writes each time
    for answer in (client.get(f"/Users/{user}"), client.post("/Users", {"userName": "b"})):
        assert answer.status == 503 and "perch.db-wal or" in answer.body["detail"], answer
    for command in (("init",), ("keys", "list"), ("backup", str(server.folder / "copy.db"))):
        result = run_flask(server.database, *command)
        assert result.returncode == 1 and "perch.db-wal or" in result.stderr, "no second log beside the one in use"
    assert log.exists() is (act == "replace")
    os.replace(away, log)
    assert client.get(f"/Users/{user}").status == 200
    assert client.post("/Users", {"userName": "b"}).status == 201
    assert server.stop() == 0
    check_file(server.database)


def test_nothing_acknowledged_is_lost_when_perch_stops_after_its_log_was_removed(make_server: MakeServer) -> None:
    server = make_server(workers=1)
    server.start()
    client = server.client(key=server.key)
    client.post("/Users", {"userName": "ada@example.com"})
    log_path(server.database).unlink()
    index_path(server.database).unlink()
    assert client.post("/Users", {"userName": "b"}).status == 503
    assert server.stop() == 0
    server.start()
    found = client.get("/Users").body
    assert [user["userName"] for user in found["Resources"]] == ["ada@example.com"]
    assert client.post("/Users", {"userName": "c"}).status == 201
    assert server.stop() == 0
    check_file(server.database)


def test_a_log_that_others_have_ended_with_is_no_removed_one(tmp_path: Path) -> None:
    """The last process that closes the file removes the log; the next one makes another."""
    file = tmp_path / "perch.db"
    for _ in range(4):
        assert run_flask(file, "init").returncode == 0
    database = Database(file)
    database.open()
    for _ in range(3):
        assert run_flask(file, "keys", "list").returncode == 0
        database.close()
        with database.write() as connection:
            connection.execute("DELETE FROM traffic")


def test_a_note_of_an_older_perch_is_understood(tmp_path: Path) -> None:
    first = Database(tmp_path / "perch.db")
    first.open()
    note = tmp_path / "perch.db.in-use"
    note.write_text(" ".join(note.read_text().split()[:2]) + "\n")
    Database(tmp_path / "perch.db").open()
    log_path(first.file).rename(tmp_path / "away")
    note.write_text(" ".join(note.read_text().split()[:2]) + "\n")
    with pytest.raises(UnusableFile, match="perch.db-wal or"):
        Database(tmp_path / "perch.db").open()
