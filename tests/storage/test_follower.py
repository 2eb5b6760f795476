"""A follower's file: read for a moment at a time, never written, dated by its newest write or heartbeat."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from schemas.datetimes import to_seconds
from schemas.errors import ScimError, Unavailable
from storage import heartbeat, workspace
from storage.database import Database
from storage.errors import UnusableFile
from storage.follower import LONGEST, RENEWED, Follower
from storage.locks import followed_path


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


def test_a_long_read_goes_on_in_a_new_transaction(file: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
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
    assert LONGEST <= time.monotonic() - begun < 5


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
    with pytest.raises(Unavailable, match="follower, which only reads; send the request to the primary at https://p"):
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
