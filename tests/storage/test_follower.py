"""A follower's file: read for a moment at a time, never written, dated by its newest write or heartbeat."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from schemas.datetimes import to_seconds
from schemas.errors import ScimError, Unavailable
from scim.events.waiting import EventWaiter
from storage import heartbeat, workspace
from storage.database import Database
from storage.errors import UnusableFile
from storage.follower import LONGEST, RENEWED, Follower
from storage.locks import followed_path, log_path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A copy as Litestream leaves it: file and position, no log."""
    database = Database(tmp_path / "perch.db")
    database.open()
    with database.write() as connection:
        workspace.put(connection, "number", 1)
    database.leave()
    for name in os.listdir(tmp_path):
        if name != "perch.db":
            (tmp_path / name).unlink()
    followed_path(tmp_path / "perch.db").write_text("0000000000000001\n")
    return tmp_path / "perch.db"


def put(file: Path, value: int) -> None:
    """Change the file as another process, without waiting for readers."""
    with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        connection.execute("UPDATE workspace SET value = ? WHERE name = 'number'", (value,))


def test_each_read_sees_the_newest_state_and_keeps_nothing_open(file: Path) -> None:
    follower = Follower(file)
    assert follower.open() == []
    for value in (1, 2, 3):
        put(file, value)
        with follower.read() as connection, follower.read(once=True) as inner:
            assert workspace.get(connection, "number") == workspace.get(inner, "number") == value
        with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as other:
            # Only possible while nobody has the file open.
            assert other.execute("PRAGMA journal_mode = DELETE").fetchone() == ("delete",)
    assert set(os.listdir(file.parent)) <= {"perch.db", "perch.db-txid", "perch.db-shm", "perch.db-wal"}


def litestream_writes(file: Path, value: int) -> None:
    """Change the file as Litestream does: only the pages that the change of a log has, at a later time."""
    source = file.with_name("source.db")
    shutil.copy(file, source)
    put(source, value)
    before, after = file.read_bytes(), source.read_bytes()
    written = file.stat().st_mtime_ns
    with file.open("r+b") as out:
        for start in range(4096, len(after), 4096):
            if before[start : start + 4096] != after[start : start + 4096]:
                out.seek(start)
                out.write(after[start : start + 4096])
    os.utime(file, ns=(written + 1_000_001, written + 1_000_001))


def in_mode(file: Path, mode: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode = {mode}")


def number(follower: Follower) -> object:
    with follower.read() as connection:
        return workspace.get(connection, "number")


def take_turn(file: Path, timeout: float = 0) -> None:
    """Take the lock that Litestream takes."""
    with closing(sqlite3.connect(file, timeout=timeout, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """A list that grows with each connection of a follower."""
    found: list[object] = []
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def noted(address: str | Path, *args: Any, **options: Any) -> sqlite3.Connection:
        found.extend([address] * str(address).endswith("?mode=ro"))
        return connect(address, *args, **options)

    monkeypatch.setattr("storage.follower.sqlite3.connect", noted)
    return found


def test_a_connection_is_kept_until_litestream_writes(file: Path, opened: list[object]) -> None:
    in_mode(file, "DELETE")
    os.utime(file, (1_000_000, 1_000_000))
    follower, other = Follower(file), sqlite3.connect(file)
    assert workspace.get(other, "number") == number(follower) == number(follower) == 1
    assert len(opened) == 1, "a read keeps its connection"
    take_turn(file)
    for value in (2, 3):
        litestream_writes(file, value)
        assert [number(follower), number(follower)] == [value, value]
    assert len(opened) == 3 and workspace.get(other, "number") == 1, "SQLite does not notice what is written"
    other.close()


@pytest.mark.parametrize(
    ("mode", "written", "later", "kept"),
    [
        ("DELETE", 5_000_000_001, 0, False),
        ("DELETE", 5_000_000_001, 50_000_000, False),
        ("DELETE", 5_000_000_001, 200_000_000, True),
        ("DELETE", 5_000_000_001, -9_000_000_000, False),
        ("DELETE", 5_000_000_000, 200_000_000, False),
        ("DELETE", 5_000_000_000, 2_000_000_000, False),
        ("DELETE", 5_000_000_000, 4_000_000_000, True),
        ("WAL", 5_000_000_001, 60_000_000_000, False),
    ],
)
def test_a_connection_is_kept_only_where_the_time_tells_the_next_write(
    mode: str, written: int, later: int, kept: bool,
    file: Path, opened: list[object], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    in_mode(file, mode)
    os.utime(file, ns=(written, written))
    monkeypatch.setattr(time, "time_ns", lambda: written + later)
    follower = Follower(file)
    assert [number(follower), number(follower)] == [1, 1]
    assert len(opened) == (1 if kept else 2)
    take_turn(file)


def test_litestream_gets_its_turn_between_threads_that_read_all_the_time(file: Path) -> None:
    in_mode(file, "DELETE")
    follower, done, came = Follower(file), threading.Event(), threading.Condition()
    entries: list[int] = []

    def read() -> None:
        while not done.is_set():
            with follower.read() as connection, came:
                workspace.get(connection, "number")
                entries.append(number := len(entries) + 1)
                came.notify_all()
                # Until the other thread reads, too, if both can.
                came.wait_for(lambda: len(entries) > number, 0.05)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for each in threads:
        each.start()
    # As Litestream asks, from another process: SQLite counts the readers of a process as one.
    asks = "import fcntl, sys\nfile = open(sys.argv[1], 'r+b')\n" + "".join(
        f"fcntl.lockf(file, fcntl.LOCK_EX, {length}, {start})\n"
        for length, start in ((1, 1 << 30), (510, (1 << 30) + 2))
    )
    try:
        subprocess.run([sys.executable, "-c", asks, str(file)], check=True, timeout=60)
    finally:
        done.set()
        for each in threads:
            each.join()
    assert entries


def test_rows_that_nobody_fetched_keep_no_lock(file: Path) -> None:
    in_mode(file, "DELETE")
    with Follower(file).read() as connection:
        cursor = connection.execute("SELECT name FROM workspace")
        assert cursor.fetchone()
    take_turn(file)
    with pytest.raises(sqlite3.ProgrammingError):
        cursor.fetchone()


def test_a_wait_for_litestream_does_not_count_as_reading(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_mode(file, "DELETE")
    writing, follower = threading.Event(), Follower(file)

    def write() -> None:
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            writing.set()
            time.sleep(LONGEST * 1.5)
            connection.execute("COMMIT")

    thread = threading.Thread(target=write)
    thread.start()
    writing.wait()
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 40000) SELECT count(*) FROM n"
    with follower.read() as connection:
        assert connection.execute(many).fetchone() == (40_000,)
    thread.join()
    monkeypatch.setattr("storage.follower.WAIT", 0)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Unavailable, match="Litestream writes a large change"):
            number(Follower(file))


def test_a_client_that_waits_for_events_keeps_no_lock(file: Path) -> None:
    in_mode(file, "DELETE")
    asked: list[None] = []

    def alive() -> bool:
        take_turn(file)
        return len(asked) < 2 and not asked.append(None)  # type: ignore[func-returns-value]

    assert EventWaiter(Follower(file), alive).wait(1 << 40, 30)
    assert len(asked) == 2


def test_a_long_read_goes_on_in_a_new_transaction(file: Path) -> None:
    in_mode(file, "DELETE")
    with Follower(file).read() as connection:
        assert workspace.get(connection, "number") == 1
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            put(file, 2)
        assert workspace.get(connection, "number") == 1
        time.sleep(RENEWED * 1.1)
        assert workspace.get(connection, "number") == 1
        time.sleep(RENEWED * 1.1)


def test_a_statement_that_takes_longer_than_a_follower_may_read_is_given_up(file: Path) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    begun = time.monotonic()
    with (
        pytest.raises(Unavailable, match=r"0.25 s.*https://primary"),
        Follower(file, "https://primary").read() as connection,
    ):
        connection.execute(endless)
    assert LONGEST <= time.monotonic() - begun < 60


@pytest.mark.parametrize(
    "act",
    [
        lambda follower: follower.write().__enter__(),
        lambda follower: follower.write_progress().__enter__(),
        lambda follower: follower.connection,
        lambda follower: follower.primary_only(),
        lambda follower: heartbeat.beat(follower),
    ],
)
def test_nothing_is_written(file: Path, act: Callable[[Follower], object]) -> None:
    before = file.read_bytes()
    with pytest.raises(Unavailable, match="follower, which only reads; use the primary at https://p"):
        act(Follower(file, "https://p"))
    assert file.read_bytes() == before


def test_a_file_of_another_version_is_refused_until_it_fits(file: Path) -> None:
    follower = Follower(file)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE last AS SELECT * FROM _sqlite_migrations WHERE name = 'm027_receipts'")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm027_receipts'")
    with pytest.raises(Unavailable, match="older Perch than this follower"), follower.read() as found:
        workspace.get(found, "id")
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("INSERT INTO _sqlite_migrations SELECT * FROM last")
    with follower.read() as found:
        assert workspace.get(found, "number") == 1
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("UPDATE _sqlite_migrations SET name = 'm999_newer' WHERE name = 'm027_receipts'")
        connection.execute("DROP TABLE last")
    with pytest.raises(Unavailable, match="newer Perch"), follower.read() as found:
        workspace.get(found, "id")


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
@pytest.mark.parametrize(
    ("act", "reason"),
    [
        (Path.unlink, "gone|unable to open"),
        (lambda path: path.write_bytes(b"x" * 4096), "not a database"),
        (lambda path: path.write_bytes(path.read_bytes()[:4096]), "malformed"),
    ],
    ids=["gone", "no database", "cut short"],
)
def test_a_copy_that_cannot_be_read_is_unavailable_until_there_is_another(
    mode: str, act: Callable[[Path], object], reason: str, file: Path
) -> None:
    in_mode(file, mode)
    os.utime(file, (1_000_000, 1_000_000))
    whole, follower = file.read_bytes(), Follower(file)
    assert number(follower) == 1
    act(file)
    with pytest.raises(UnusableFile, match=rf"cannot read its copy .*({reason}).* start flask follow again"):
        number(follower)
    file.write_bytes(whole)
    assert number(follower) == 1


def test_each_kind_of_file_is_opened_by_its_own_kind_of_server_only(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match=r"follower's copy.*Start flask follow"):
        Database(file).open()
    followed_path(file).unlink()
    with pytest.raises(UnusableFile, match=r"a primary's file.*Unset PERCH_FOLLOW"):
        Follower(file).open()
    with pytest.raises(ScimError, match="does not exist"):
        Follower(tmp_path / "none.db").open()
    Database(file).open()


def test_the_heartbeat_is_written_when_nothing_else_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database, instants = Database(tmp_path / "perch.db"), []
    database.open()
    monkeypatch.setattr(heartbeat, "now", lambda: instants.append(1) or "2026-11-27T10:00:00")  # type: ignore[func-returns-value]
    for second, due in ((0, 5.0), (2, 3.0), (4.5, 0.5), (5, 5.0), (-60, 5.0)):
        monkeypatch.setattr(time, "time", lambda s=second: to_seconds("2026-11-27T10:00:00") + s)
        assert heartbeat.beat(database) == pytest.approx(due)
    assert len(instants) == 3


def test_a_heartbeat_ends_the_mode_in_which_a_copy_is_slow_to_read(tmp_path: Path) -> None:
    database = Database(tmp_path / "perch.db")
    database.open()
    log = log_path(database.file)
    before = log.stat().st_size
    heartbeat.beat(database)
    frames = log.read_bytes()[before:]
    pages = {int.from_bytes(frames[start : start + 4], "big") for start in range(0, len(frames), 24 + 4096)}
    assert 1 in pages, "Litestream copies the first page, and leaves WAL mode with it"


def test_the_age_is_that_of_the_newest_write_and_goes_on_when_the_file_cannot_be_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Follower(file)
    assert follower.age() is None
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        workspace.put(connection, heartbeat.NAME, "2026-11-27T10:00:00")
    monkeypatch.setattr("storage.follower.LOOK", 0)
    begun = to_seconds("2026-11-27T10:00:00")
    monkeypatch.setattr(time, "time", lambda: begun + 7.25)
    assert follower.age() == 7.25
    file.write_bytes(b"x" * 4096)
    monkeypatch.setattr(time, "time", lambda: begun + 100)
    assert follower.age() == 100
    monkeypatch.setattr(time, "time", lambda: begun - 3)
    assert follower.age() == 0
