"""`flask backup` of a running deployment, and `flask restore` into a stopped one."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from app import create_app
from tests.conftest import MakeServer
from tests.support.client import Answer, ScimClient, wsgi_transport
from tests.support.server import ROOT, PerchServer, clean_environment, run_flask
from tests.support.writers import check_file, in_threads, make_writers

PATHS = (
    "/Users?count=1000",
    "/Groups?count=1000",
    "/Roles",
    "/Schemas",
    "/Users?filter=roles%20pr",
    "/Users?sortBy=title",
)
MOVED = ("era", "epoch")


def tables(database: Path) -> dict[str, list[Any]]:
    """Return all rows of all tables, without the era and the epoch, which each restore moves."""
    with closing(sqlite3.connect(database)) as connection:
        names = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            if not name.startswith("sqlite_stat")
        ]
        rows = {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in names}
        return {name: sorted((row for row in rows[name] if row[0] not in MOVED), key=repr) for name in names}


def is_restored(database: Path, backup: dict[str, list[Any]]) -> bool:
    """Return whether a file has the rows of a backup and, besides, the journal entry of one restore."""
    found, without = tables(database), ("journal", "sqlite_sequence")
    added = [row[4:6] for row in found["journal"] if row not in backup["journal"]]
    kept = [row for row in backup["journal"] if row in found["journal"]]
    same = all(found[name] == rows for name, rows in backup.items() if name not in without)
    return same and found.keys() == backup.keys() and added == [("restore", "Workspace")] and kept == backup["journal"]


def answers(client: ScimClient) -> Any:
    """Return SCIM's answers about all resources, without the epoch in their tags."""
    found: list[Answer] = [client.get(path) for path in PATHS]
    found += [client.get(f"/Users/{user['id']}") for user in found[0].body["Resources"]]
    text = json.dumps([(answer.status, answer.headers.get("ETag"), answer.body) for answer in found])
    return json.loads(re.sub(r'(W/\\"\d+)\.\d+', r"\1", text))


def populate(server: PerchServer, client: ScimClient) -> None:
    people = []
    for number in range(10):
        user = {"userName": f"p{number}@example.com", "title": "a" * number, "roles": [{"value": "managed:viewer"}]}
        people.append(client.post("/Users", user).body["id"])
    client.post("/Groups", {"displayName": "G", "members": [{"value": person} for person in people]})
    client.delete(f"/Users/{people[0]}")
    server.prepare("roles", "assign", "--group", "G", "managed:editor")


def populate_in_process(server: PerchServer) -> None:
    """Populate the file of a server that does not run."""
    app = create_app(server.settings)
    app.extensions["perch.traffic"].writer.start = lambda: None
    app.extensions["perch"].open()
    populate(server, ScimClient(wsgi_transport(app), server.scim_path, server.key, "generic"))
    app.extensions["perch"].database.leave()


def restore(server: PerchServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_flask(server.database, "restore", *arguments)


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith((".part", ".part-wal", ".part-shm"))]


def test_a_restore_brings_back_the_backup(make_server: MakeServer) -> None:
    server = make_server()
    server.start()
    client = server.client(key=server.key)
    populate(server, client)
    backup = server.folder / "backup.db"
    before = answers(client)
    server.flask("backup", str(backup))
    assert sorted(path.name for path in server.folder.glob("backup*")) == ["backup.db"], "no log is needed beside it"
    client.delete(f"/Users/{before[0][2]['Resources'][0]['id']}")
    assert answers(client) != before
    server.stop()
    replaced = tables(server.database)
    assert restore(server, str(backup)).returncode != 0, "there is a file to overwrite"
    assert tables(server.database) == replaced
    result = restore(server, str(backup), "--force")
    assert result.returncode == 0, result.stderr
    assert is_restored(server.database, tables(backup))
    server.start()
    assert answers(client) == before
    (kept,) = server.folder.glob("perch.db.before-restore-*")
    assert str(kept) in result.stdout
    assert tables(kept) == replaced
    assert not leftovers(server.folder)


def test_a_backup_during_writes_is_a_consistent_snapshot(make_server: MakeServer) -> None:
    server = make_server(workers=2, settings={"PERCH_FUSE": "off"})
    server.start()
    writers = make_writers(server.client(key=server.key), 6, 1)
    stop = threading.Event()
    threads = in_threads(server, writers, stop)
    copies = [server.folder / f"copy-{number}.db" for number in range(3)]
    for copy in copies:
        server.flask("backup", str(copy))
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not [answer for writer in writers for answer in writer.refused], "a backup keeps nobody from writing"
    counts = []
    for copy in copies:
        check_file(copy)
        held = tables(copy)
        counts.append(len(held["journal"]))
        journalled = {row[6]: 0 for row in held["journal"]}
        ids = {row[1] for row in held["resources"]}
        assert ids <= journalled.keys(), "a resource without the journal entry of its own transaction"
    assert counts == sorted(counts) and counts[-1] > counts[0]


def test_restore_refuses_while_perch_is_running(make_server: MakeServer) -> None:
    server = make_server(workers=2)
    populate_in_process(server)
    server.start()
    backup = server.folder / "backup.db"
    server.prepare("backup", str(backup))
    before = server.database.stat().st_ino
    result = restore(server, str(backup), "--force")
    assert result.returncode != 0
    assert "Perch is running" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert server.database.stat().st_ino == before
    assert server.client(key=server.key).get("/Users").status == 200
    server.kill()
    assert restore(server, str(backup), "--force").returncode == 0, "killed processes leave no lock behind"


def test_restore_refuses_while_another_program_has_the_file_open(make_server: MakeServer) -> None:
    server = make_server()
    server.prepare("init")
    backup = server.folder / "backup.db"
    server.prepare("backup", str(backup))
    with closing(sqlite3.connect(server.database)) as connection:
        connection.execute("SELECT * FROM workspace").fetchall()
        result = restore(server, str(backup), "--force")
        assert result.returncode != 0 and "Another program" in result.stderr
    assert restore(server, str(backup), "--force", "--discard").returncode == 0
    assert not list(server.folder.glob("*before-restore*"))


def damage(backup: Path) -> None:
    data = bytearray(backup.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 8192] = b"\xa5" * 8192
    backup.write_bytes(data)


def garbage(backup: Path) -> None:
    backup.write_bytes(b"no database" * 1000)


def empty(backup: Path) -> None:
    backup.write_bytes(b"")


def foreign(backup: Path) -> None:
    backup.unlink()
    with closing(sqlite3.connect(backup)) as connection:
        connection.execute("CREATE TABLE notes (text)")


def newer(backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("INSERT INTO _sqlite_migrations SELECT 999, 'perch', 'm999_next', '2030-01-01'")


def dangling(backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as connection, connection:
        connection.execute("INSERT INTO members VALUES (998, 999, 0)")


def absent(backup: Path) -> None:
    backup.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (damage, "damaged"),
        (garbage, "damaged"),
        (empty, "empty"),
        (foreign, "another program"),
        (newer, "m999_next"),
        (dangling, "damaged"),
        (absent, "no file"),
    ],
)
def test_restore_refuses_a_broken_or_foreign_backup(spoil: Any, words: str, make_server: MakeServer) -> None:
    server = make_server()
    server.prepare("init")
    backup = server.folder / "backup.db"
    server.prepare("backup", str(backup))
    before = server.database.read_bytes()
    spoil(backup)
    result = restore(server, str(backup), "--force")
    assert result.returncode != 0
    assert words in result.stderr and len(result.stderr.splitlines()) == 1, result.stderr
    assert server.database.read_bytes() == before
    assert not leftovers(server.folder) and not list(server.folder.glob("*before-restore*"))


def test_restore_includes_the_log_beside_a_copied_file(make_server: MakeServer) -> None:
    """A copy of the file and its write-ahead log, as left by a killed server, is a backup as well."""
    server, other = make_server(), make_server()
    server.start()
    populate(server, server.client(key=server.key))
    server.kill()
    assert (server.folder / "perch.db-wal").stat().st_size > 0
    before = {name: (server.folder / name).read_bytes() for name in ("perch.db", "perch.db-wal")}
    assert restore(other, str(server.database)).returncode == 0
    assert {name: (server.folder / name).read_bytes() for name in before} == before, "the source is only read"
    server.start()
    server.stop()
    assert is_restored(other.database, tables(server.database))


def test_restore_replaces_a_damaged_or_missing_file(make_server: MakeServer) -> None:
    server = make_server()
    populate_in_process(server)
    backup = server.folder / "backup.db"
    server.prepare("backup", str(backup))
    damage(server.database)
    broken = server.database.read_bytes()
    assert restore(server, str(backup), "--force").returncode == 0
    (kept,) = server.folder.glob("perch.db.before-restore-????????T??????Z")
    assert kept.stat().st_size >= len(broken) - 8192
    assert is_restored(server.database, tables(backup))
    server.database.unlink()
    assert restore(server, str(backup)).returncode == 0, "nothing to overwrite, nothing to force"
    assert is_restored(server.database, tables(backup))


def test_restore_ignores_the_log_of_a_file_that_was_moved_away(make_server: MakeServer) -> None:
    server, other = make_server(), make_server()
    server.start()
    populate(server, server.client(key=server.key))
    backup = server.folder / "backup.db"
    server.prepare("backup", str(backup))
    server.kill()
    other.prepare("init")
    server.database.rename(server.folder / "moved.db")
    os.replace(other.database, server.database)
    moved_in = server.database.read_bytes()
    assert restore(server, str(backup), "--force").returncode == 0
    (kept,) = server.folder.glob("perch.db.before-restore-????????T??????Z")
    assert kept.read_bytes() == moved_in
    assert is_restored(server.database, tables(backup))


def test_backup_overwrites_only_with_force_and_never_the_deployment(make_server: MakeServer) -> None:
    server = make_server()
    server.prepare("init")
    backup = server.folder / "backup.db"
    backup.write_text("precious")
    result = run_flask(server.database, "backup", str(backup))
    assert result.returncode != 0 and "--force" in result.stderr
    assert backup.read_text() == "precious"
    server.flask("backup", str(backup), "--force")
    check_file(backup)
    own = run_flask(server.database, "backup", str(server.database), "--force")
    assert own.returncode != 0
    check_file(server.database)
    nowhere = run_flask(server.database, "backup", str(server.folder / "missing" / "backup.db"))
    assert nowhere.returncode != 0 and len(nowhere.stderr.splitlines()) == 1
    missing = run_flask(server.folder / "none.db", "backup", str(server.folder / "b.db"))
    assert missing.returncode != 0 and "does not exist" in missing.stderr
    assert not (server.folder / "none.db").exists() and not leftovers(server.folder)


def zeroed(file: Path, pages: list[int]) -> None:
    with file.open("r+b") as data:
        for page in pages:
            data.seek(page * 4096)
            data.write(b"\0" * 4096)


def cut(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2 // 4096 * 4096)


def with_twins(file: Path) -> None:
    """Put two equal names into the file, whose index knows one: copying makes the index anew and stops there."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        where = "type = 'index' AND name = 'twins'"
        connection.execute("CREATE TABLE twin (name TEXT)")
        connection.execute("CREATE INDEX twins ON twin (name)")
        connection.execute("INSERT INTO twin VALUES ('a'), ('a')")
        connection.execute(f"UPDATE sqlite_master SET sql = replace(sql, 'INDEX', 'UNIQUE INDEX') WHERE {where}")


@pytest.mark.parametrize(
    "spoil",
    [
        cut,
        with_twins,
        dangling,
        lambda file: zeroed(file, list(range(52, file.stat().st_size // 4096))),
        lambda file: zeroed(file, [file.stat().st_size // 4096 - 2, file.stat().st_size // 4096 - 1]),
    ],
    ids=["cut short", "unique index with twins", "dangling rows", "zeroed pages", "last pages zeroed"],
)
def test_the_backup_of_a_damaged_file_says_damaged(spoil: Any, make_server: MakeServer) -> None:
    server = make_server()
    populate_in_process(server)
    spoil(server.database)
    result = run_flask(server.database, "backup", str(server.folder / "copy.db"))
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1, result.stderr
    assert "damaged" in result.stderr and "full" not in result.stderr
    assert str(server.database) in result.stderr and ".part" not in result.stderr
    assert not (server.folder / "copy.db").exists() and not leftovers(server.folder)


def test_a_deleted_person_is_not_in_the_backup(make_server: MakeServer) -> None:
    server = make_server()
    server.start()
    client = server.client(key=server.key)
    user = client.post("/Users", {"userName": "x@example.com", "nickName": "rosebud"}).body["id"]
    client.delete(f"/Users/{user}")
    time.sleep(0.1)
    server.stop()
    with closing(sqlite3.connect(server.database)) as connection, connection:
        connection.execute("DELETE FROM journal")
    backup = server.folder / "backup.db"
    server.flask("backup", str(backup))
    assert b"rosebud" not in backup.read_bytes()


def test_a_backup_is_made_even_if_the_journal_cannot_be_written(make_server: MakeServer) -> None:
    server = make_server()
    server.prepare("init")
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        result = run_flask(server.database, "backup", str(server.folder / "backup.db"), PERCH_WRITE_WAIT="1")
    assert result.returncode == 0
    assert "The backup is done, but the journal could not be written" in result.stderr
    check_file(server.folder / "backup.db")


# flask backup -


def streaming(server: PerchServer, **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "flask", "backup", "-"], cwd=ROOT, env=clean_environment(server.settings),
        stderr=subprocess.PIPE, **options,
    )  # fmt: skip


def wait_until(condition: Any) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def copies_held(process: subprocess.Popen[bytes]) -> list[str]:
    """The unfinished copies that a process has open."""
    held = []
    for number in Path(f"/proc/{process.pid}/fd").iterdir():
        with suppress(OSError):
            held.append(os.readlink(number))
    return [path for path in held if ".part" in path]


def stalled(server: PerchServer) -> subprocess.Popen[bytes]:
    """A streamed backup whose reader takes nothing; the copy is larger than a pipe holds."""
    process = streaming(server, stdout=subprocess.PIPE)
    wait_until(lambda: any(path.endswith("(deleted)") for path in copies_held(process)))
    return process


@pytest.fixture
def populated(make_server: MakeServer) -> PerchServer:
    server = make_server(settings={"PERCH_LOG_FORMAT": "json"})
    populate_in_process(server)
    return server


def test_a_streamed_backup_is_a_backup(populated: PerchServer) -> None:
    streamed, written = populated.folder / "streamed.db", populated.folder / "written.db"
    populated.flask("backup", str(written))
    with streamed.open("wb") as output:
        process = streaming(populated, stdout=output)
        assert process.wait(30) == 0
    assert process.stderr is not None
    notices = process.stderr.read().decode().splitlines()
    assert notices[-1].startswith("Standard output: workspace ") and "users" in notices[-1]
    check_file(streamed)
    held, expected = tables(streamed), tables(written)
    different = {name for name in expected if held[name] != expected[name]}
    assert different <= {"journal", "sqlite_sequence"}, "the second backup has the journal's entry of the first"
    noted = [entry for entry in populated.flask_json("journal") if entry["action"] == "backup"]
    assert "standard output" in str(noted[0]) and not leftovers(populated.folder)


def test_a_streamed_backup_is_made_beside_the_database(populated: PerchServer) -> None:
    process = stalled(populated)
    (copy,) = copies_held(process)
    assert Path(copy).parent == populated.folder and not leftovers(populated.folder)
    assert process.stdout is not None and len(process.stdout.read()) > 64 * 1024
    assert process.wait(20) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_of_a_stream_whose_command_is_killed(number: int, populated: PerchServer) -> None:
    process = stalled(populated)
    process.send_signal(number)
    process.wait(20)
    assert not leftovers(populated.folder)


def test_nothing_is_left_of_a_stream_whose_reader_goes_away(populated: PerchServer) -> None:
    process = stalled(populated)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(20) == 1
    (line,) = process.stderr.read().decode().splitlines()
    assert line.endswith("so the backup is incomplete: its reader ended.")
    assert not leftovers(populated.folder)


def test_a_stream_that_cannot_be_written_fails(populated: PerchServer) -> None:
    with open("/dev/full", "wb") as full:
        process = streaming(populated, stdout=full)
        assert process.wait(20) == 1
    assert process.stderr is not None
    assert b"incomplete: No space left on device." in process.stderr.read() and not leftovers(populated.folder)


def test_no_stream_goes_to_a_terminal(populated: PerchServer) -> None:
    master, terminal = pty.openpty()
    process = streaming(populated, stdout=terminal)
    assert process.wait(20) == 2
    assert process.stderr is not None and b"flask backup - > " in process.stderr.read()
    os.set_blocking(master, False)
    with suppress(BlockingIOError):
        assert os.read(master, 100) == b""
    os.close(master)
    os.close(terminal)


def test_a_damaged_file_streams_nothing(populated: PerchServer) -> None:
    cut(populated.database)
    result = run_flask(populated.database, "backup", "-")
    assert (result.returncode, result.stdout) == (1, "") and "damaged" in result.stderr
    assert not leftovers(populated.folder)


def test_a_file_may_be_named_with_a_dash(populated: PerchServer) -> None:
    named = populated.folder / "-"
    result = subprocess.run(
        [sys.executable, "-m", "flask", "--app", str(ROOT / "app.py"), "backup", "./-"], cwd=populated.folder,
        env=clean_environment({**populated.settings, "PYTHONPATH": str(ROOT)}), capture_output=True, check=True,
    )  # fmt: skip
    assert result.stdout.startswith(b"./-: workspace ")
    check_file(named)
