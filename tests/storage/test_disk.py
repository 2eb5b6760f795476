"""Full disks, read-only, deleted, replaced, newer, foreign and corrupt files: a clear message, never half a write."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import MakeServer
from tests.support.client import Answer, ScimClient
from tests.support.resources import BULK, patch_op
from tests.support.server import PerchServer, run_flask
from tests.support.writers import check_file, everybody

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"


def new_user(number: int) -> dict[str, object]:
    return {"userName": f"user-{number}@example.com", "title": "x" * 2000, "emails": [{"value": f"{number}@e.example"}]}


def assert_error(answer: Answer, status: int, words: str) -> None:
    assert answer.status == status, answer
    assert (answer.body["schemas"], answer.body["status"]) == ([ERROR], str(status))
    assert words in answer.body["detail"]
    if status == 503:
        assert int(answer.headers["Retry-After"]) > 0


@pytest.fixture
def start_fails(make_server: MakeServer) -> Callable[[PerchServer, str], None]:
    """Check that neither gunicorn nor a `flask` command starts, each with one clear line and no traceback."""

    def check(server: PerchServer, words: str) -> None:
        server.start(wait=False)
        assert server.process is not None
        assert server.process.wait(30) == 3
        lines = {line for line in server.log().splitlines() if "Perch cannot start:" in line}
        assert len(lines) == 1 and words in lines.pop(), server.log()
        assert "Traceback" not in server.log()
        result = run_flask(server.database, "keys", "list")
        assert result.returncode == 1
        assert len(result.stderr.strip().splitlines()) == 1 and words in result.stderr, result.stderr

    return check


def test_a_missing_folder_stops_the_start(make_server: MakeServer, start_fails: Callable[..., None]) -> None:
    server = make_server()
    server.database = server.folder / "missing" / "perch.db"
    server.settings["PERCH_DATABASE"] = str(server.database)
    start_fails(server, "does not exist")


def test_a_file_of_another_program_stops_the_start(make_server: MakeServer, start_fails: Callable[..., None]) -> None:
    server = make_server()
    with closing(sqlite3.connect(server.database)) as connection:
        connection.execute("CREATE TABLE moz_bookmarks (id INTEGER PRIMARY KEY)")
    before = server.database.read_bytes()
    start_fails(server, "another program")
    assert server.database.read_bytes()[100:] == before[100:]


def test_a_newer_file_stops_the_start(make_server: MakeServer, start_fails: Callable[..., None]) -> None:
    server = make_server()
    server.flask("init")
    with closing(sqlite3.connect(server.database)) as connection, connection:
        connection.execute("INSERT INTO _sqlite_migrations SELECT 999, 'perch', 'm999_next', '2030-01-01'")
    start_fails(server, "m999_next")


def test_only_the_owner_may_read_the_files(make_server: MakeServer) -> None:
    server = make_server()
    umask = os.umask(0)
    try:
        server.start()
        server.client(key=server.key).post("/Users", new_user(1))
        server.flask("backup", str(server.folder / "backup.db"))
    finally:
        os.umask(umask)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in server.folder.glob("*.db*")}
    assert {"perch.db", "perch.db-wal", "perch.db-shm", "perch.db.lock", "backup.db"} <= found.keys()
    assert {name for name, mode in found.items() if mode & 0o077} == set()


# A full disk


def limit(app: Flask, spare_pages: int) -> None:
    """Limit the file, in this process, to its present size plus some pages."""
    with app.extensions["perch"].database.write() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + spare_pages}")


def test_a_full_disk_is_507_and_nothing_of_the_write_is_kept(app: Flask, generic: ScimClient) -> None:
    limit(app, 5)
    answers = [generic.post("/Users", new_user(number)) for number in range(40)]
    assert {answer.status for answer in answers} == {201, 507}
    assert_error(answers[-1], 507, "full")
    created = {answer.body["id"] for answer in answers if answer.status == 201}
    assert set(everybody(generic)) == created
    kept = created.pop()
    large = patch_op({"op": "replace", "value": {"title": "y" * 60000}})
    assert_error(generic.patch(f"/Users/{kept}", large), 507, "full")
    assert generic.get(f"/Users/{kept}").body["title"] == "x" * 2000
    limit(app, 1000)
    assert generic.patch(f"/Users/{kept}", large).status == 200
    assert generic.post("/Users", new_user(99)).status == 201


@pytest.mark.parametrize("spare_pages", [3, 20, 60])
def test_bulk_on_a_full_disk_reports_exactly_what_was_stored(spare_pages: int, app: Flask, generic: ScimClient) -> None:
    limit(app, spare_pages)
    operations = [{"method": "POST", "path": "/Users", "bulkId": str(n), "data": new_user(n)} for n in range(150)]
    answer = generic.post("/Bulk", {"schemas": [BULK], "Operations": operations})
    promised = set()
    if answer.status == 200:
        results = answer.body["Operations"]
        promised = {result["location"].rsplit("/", 1)[1] for result in results if result["status"] == "201"}
        assert {result["status"] for result in results} <= {"201", "507"}
        assert set(everybody(generic)) == promised
    else:
        assert_error(answer, 507, "full")
    assert generic.get("/Users").status == 200


@pytest.fixture
def small_disk(make_server: MakeServer) -> Iterator[PerchServer]:
    """A server whose folder is a separate file system of two megabytes."""
    server = make_server()
    server.log_file = server.folder.with_suffix(".log")
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", str(server.folder)]
    if os.geteuid() != 0 or sys.platform != "linux" or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a small file system; max_page_count stands in for it elsewhere")
    try:
        yield server
    finally:
        server.kill()
        subprocess.run(["umount", "--lazy", str(server.folder)], check=True)


def fill(folder: Path) -> Path:
    """Fill the folder's file system to the last byte; return the file that does so."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


def test_a_server_survives_a_disk_that_fills_up(small_disk: PerchServer, start_fails: Callable[..., None]) -> None:
    server = small_disk
    server.start()
    client = server.client(key=server.key)
    first = client.post("/Users", new_user(0))
    filler = fill(server.folder)
    answers = [client.post("/Users", new_user(number)) for number in range(1, 400)]
    assert {answer.status for answer in answers} <= {201, 507}
    assert_error(answers[-1], 507, "full")
    assert client.get(f"/Users/{first.body['id']}").body == first.body
    result = run_flask(server.database, "backup", str(server.folder / "backup.db"))
    assert result.returncode != 0 and "full" in result.stderr
    assert not list(server.folder.glob("*backup*"))
    filler.unlink()
    assert client.post("/Users", new_user(1000)).status == 201
    created = {answer.body["id"] for answer in answers if answer.status == 201}
    assert len(everybody(client)) == len(created) + 2
    assert server.stop() == 0
    check_file(server.database)


def test_a_full_disk_is_not_ready_until_a_write_commits(small_disk: PerchServer) -> None:
    server = small_disk
    server.settings["PERCH_DISK_FREE"] = "0"
    server.start()
    client = server.client(key=server.key)

    def ready() -> int:
        return server.client().transport("GET", "/readyz", {}, None)[0]

    assert ready() == 200
    filler = fill(server.folder)
    assert {client.post("/Users", new_user(number)).status for number in range(400)} <= {201, 507}
    statuses = []
    for _ in range(8):
        statuses.append(ready())
        time.sleep(0.3)
    assert 503 in statuses, "at least the worker that refused a write is not ready"
    filler.unlink()
    begun = time.monotonic()
    while [ready() for _ in range(6)] != [200] * 6:
        assert time.monotonic() - begun < 25
        time.sleep(0.5)


def test_a_full_disk_stops_the_first_start(small_disk: PerchServer, start_fails: Callable[..., None]) -> None:
    filler = fill(small_disk.folder)
    start_fails(small_disk, "full")
    filler.unlink()
    small_disk.start()
    assert small_disk.client(key=small_disk.key).post("/Users", new_user(1)).status == 201


def test_a_read_only_file_system_stops_the_start(small_disk: PerchServer, start_fails: Callable[..., None]) -> None:
    small_disk.flask("init")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk.folder)], check=True)
    start_fails(small_disk, "Read-only file system")
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk.folder)], check=True)
    small_disk.start()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write whatever the permissions say")
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_read_only_file_or_folder_stops_the_start(
    what: str, make_server: MakeServer, start_fails: Callable[..., None]
) -> None:
    server = make_server()
    server.flask("init")
    server.log_file = server.folder.with_suffix(".log")
    changed = server.database if what == "file" else server.folder
    before = stat.S_IMODE(changed.stat().st_mode)
    for lock in server.folder.glob("*.db.*"):
        lock.unlink()
    changed.chmod(before & ~0o222)
    try:
        start_fails(server, "nothing was changed")
    finally:
        changed.chmod(before)
    server.start()


# A file that is deleted, replaced or damaged


def test_a_deleted_file_is_503_until_it_is_back(perch_server: PerchServer) -> None:
    client = perch_server.client(key=perch_server.key)
    user = client.post("/Users", new_user(1)).body["id"]
    away = perch_server.folder / "away"
    perch_server.database.rename(away)
    time.sleep(0.05)  # reads check their file every 20 ms, writes each time
    for answer in (client.get(f"/Users/{user}"), client.post("/Users", new_user(2)), client.delete(f"/Users/{user}")):
        assert_error(answer, 503, "is gone")
    result = run_flask(perch_server.database, "init")
    assert result.returncode != 0 and "is gone" in result.stderr
    assert not perch_server.database.exists(), "an empty directory must not take the place of the lost one"
    away.rename(perch_server.database)
    assert client.get(f"/Users/{user}").status == 200
    assert client.post("/Users", new_user(2)).status == 201
    assert perch_server.stop() == 0
    check_file(perch_server.database)


def test_a_replaced_file_is_503_and_the_new_file_stays_untouched(
    make_server: MakeServer, start_fails: Callable[..., None]
) -> None:
    server, other = make_server(), make_server()
    server.start()
    client = server.client(key=server.key)
    user = client.post("/Users", new_user(1)).body["id"]
    other.flask("init")
    other.flask("roles", "add", "other:role", "Of the other file")
    before = other.database.read_bytes()
    os.link(server.database, server.folder / "old")
    os.replace(other.database, server.database)
    time.sleep(0.05)
    for answer in (client.get(f"/Users/{user}"), client.post("/Users", new_user(2)), client.delete(f"/Users/{user}")):
        assert_error(answer, 503, "Another file")
    assert server.stop() == 0
    assert server.database.read_bytes() == before, "the new file is as it was put there"
    assert (server.folder / "perch.db-wal").exists()
    start_fails(server, "perch.db-wal")
    assert server.database.read_bytes() == before
    for name in ("perch.db-wal", "perch.db-shm"):
        (server.folder / name).rename(server.folder / name.replace("perch.db", "old"))
    assert "other:role" in server.flask("roles", "list")
    check_file(server.database)
    check_file(server.folder / "old")
    with closing(sqlite3.connect(server.folder / "old")) as connection:
        assert connection.execute("SELECT id FROM resources").fetchall() == [(user,)], "the old one lost nothing"


def test_a_deleted_file_is_followed_by_a_new_workspace(make_server: MakeServer) -> None:
    server = make_server()
    server.start()
    first = server.scim_path
    server.kill()
    server.database.unlink()
    server.start()
    assert server.flask_json("workspace")["scimPath"] != first
    check_file(server.database)


def test_a_damaged_file_is_503_and_cannot_be_backed_up(make_server: MakeServer) -> None:
    server = make_server(workers=1)
    server.start()
    client = server.client(key=server.key)
    for number in range(50):
        client.post("/Users", new_user(number))
    assert server.stop() == 0
    size = server.database.stat().st_size
    # The pages behind the roots of all tables and indexes, so that the schema can still be read.
    with closing(sqlite3.connect(server.database)) as connection:
        (roots,) = connection.execute("SELECT max(rootpage) FROM sqlite_master").fetchone()
    with server.database.open("r+b") as file:
        for offset in range(roots * 4096, size, 4096):
            file.seek(offset)
            file.write(b"\xa5" * 4096)
    server.start()
    answers = [client.get("/Users?count=1000"), *(client.post("/Users", new_user(n)) for n in range(100, 110))]
    assert {answer.status for answer in answers} <= {200, 201, 503}
    assert_error(next(answer for answer in answers if answer.status == 503), 503, "damaged")
    result = run_flask(server.database, "backup", str(server.folder / "backup.db"))
    assert result.returncode != 0 and "damaged" in result.stderr
    shutil.rmtree(server.folder / "backup.db", ignore_errors=True)
    assert not (server.folder / "backup.db").exists()
