"""Concurrent writes share a commit: a failed write is rolled back alone, a failed commit fails them all."""

import os
import resource
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from schemas.errors import InsufficientStorage, NotFound, ScimError, Unavailable, Uniqueness
from storage import database as databases
from storage.database import Connection, Database
from storage.errors import UnusableFile
from storage.locks import lock_path, log_path
from storage.writer import MOST_TOGETHER, WriteQueue
from tests.support.meeting import Body, WriteThread, make_database, note, notes, start_linked, together
from tests.support.other_program import write_transaction


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return make_database(tmp_path)


def test_concurrent_writes_share_a_commit_and_return_after_it(database: Database) -> None:
    statements: list[str] = []
    seen: list[tuple[set[str], bool]] = []

    def look(connection: Connection) -> None:
        connection.execute("INSERT INTO notes VALUES ('c')")
        with database.read() as inside:
            found = {text for (text,) in inside.execute("SELECT text FROM notes")}
        assert not database.committed(lambda own: own.execute("SELECT 1 FROM notes").fetchall())
        seen.append((found, threads[0].is_alive() and threads[1].is_alive()))

    with database.write() as connection:
        connection.set_trace_callback(statements.append)
    statements.clear()
    threads = [WriteThread(database, body) for body in (note("a"), note("b"), look)]
    start_linked(threads)
    assert [thread.ended() for thread in threads] == [None] * 3
    assert seen == [({"a", "b", "c"}, True)]
    assert [each for each in statements if each.split()[0] in ("BEGIN", "COMMIT")] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert notes(database) == {"a", "b", "c"}


FAILURES = [ValueError("x"), NotFound("x"), SystemExit(1), KeyboardInterrupt(), GeneratorExit()]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("place", range(3))
def test_a_failed_write_is_rolled_back_alone(database: Database, place: int, failure: BaseException) -> None:
    def fail(connection: Connection) -> None:
        connection.execute("INSERT INTO notes VALUES ('kept by the nested write')")
        with suppress(sqlite3.IntegrityError), database.write() as nested:
            nested.execute("INSERT INTO notes VALUES ('nested')")
            nested.execute("INSERT INTO notes VALUES ('nested')")
        raise failure

    bodies = [note("a"), note("b")]
    bodies.insert(place, fail)
    errors = together(database, *bodies)
    assert errors.pop(place) is failure
    assert errors == [None, None]
    assert notes(database) == {"a", "b"}


def test_a_failed_nested_write_is_rolled_back_alone(database: Database) -> None:
    def nest(connection: Connection) -> None:
        connection.execute("INSERT INTO notes VALUES ('outer')")
        with suppress(ValueError), database.write() as nested:
            nested.execute("INSERT INTO notes VALUES ('inner')")
            raise ValueError
        with database.write() as nested:
            nested.execute("INSERT INTO notes VALUES ('second')")

    assert together(database, note("a"), nest, note("b")) == [None] * 3
    assert notes(database) == {"a", "outer", "second", "b"}


def test_a_conflict_is_raised_after_the_other_write_is_committed(database: Database) -> None:
    def hold(connection: Connection) -> None:
        threads[1].join(0.3)
        assert threads[1].is_alive(), "refused for a name that nobody can find"

    threads = [WriteThread(database, note("a")), WriteThread(database, note("a")), WriteThread(database, hold)]
    start_linked(threads)
    first, second, third = [thread.ended() for thread in threads]
    assert (first, third) == (None, None)
    assert isinstance(second, sqlite3.IntegrityError)


def test_a_conflict_with_a_write_that_fails_raises_that_failure(database: Database) -> None:
    def taken(connection: Connection) -> None:
        try:
            note("a")(connection)
        except sqlite3.IntegrityError:
            raise Uniqueness("taken") from None

    mend: list[Callable[[], object]] = []
    try:
        errors = together(database, note("a"), taken, lambda _: mend.append(no_file(database)))
    finally:
        mend[0]()
    assert [type(error) for error in errors] == [UnusableFile] * 3
    assert notes(database) == set()


def test_refused_writes_do_not_delay_a_commit(database: Database) -> None:
    def committed(connection: Connection) -> None:
        assert threads[0].ended() is None

    threads = [WriteThread(database, body) for body in [note("a")] * MOST_TOGETHER + [committed]]
    start_linked(threads)
    errors = [thread.ended() for thread in threads]
    assert [type(error) for error in errors[1:-1]] == [sqlite3.IntegrityError] * (MOST_TOGETHER - 1)
    assert errors[-1] is None


# Failures of a whole batch


def no_file(database: Database) -> Callable[[], object]:
    database.path.rename(aside(database))
    return lambda: aside(database).rename(database.path)


def another_file(database: Database) -> Callable[[], object]:
    put_back = no_file(database)
    shutil.copy(aside(database), database.path)
    return put_back


def no_room_in_the_log(database: Database) -> Callable[[], object]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log_path(database.path).stat().st_size, limits[1]))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def aside(database: Database) -> Path:
    return database.path.with_name("aside.db")


@pytest.mark.parametrize("spoil", [no_file, another_file, no_room_in_the_log])
def test_a_failed_commit_fails_every_write_and_stores_nothing(
    database: Database, spoil: Callable[[Database], Callable[[], object]]
) -> None:
    mend: list[Callable[[], object]] = []
    try:
        errors = together(database, note("a"), note("b"), lambda _: mend.append(spoil(database)))
    finally:
        mend[0]()
    assert [type(error) for error in errors] == [UnusableFile] * 3
    assert len({id(error) for error in errors}) == 3, "an object that is raised in several threads"
    with database.write(wait=1) as connection:
        note("c")(connection)
    assert notes(database) == {"c"}
    assert lock_files_open(database) == 0


@pytest.mark.parametrize("place", range(3))
def test_a_broken_connection_fails_its_batch_and_is_replaced(database: Database, place: int) -> None:
    bodies = [note("a"), note("b"), note("c")]
    bodies[place] = lambda connection: connection.close()
    errors = together(database, *bodies)
    assert [error is not None for error in errors] == [number <= place for number in range(3)]
    assert notes(database) == set("abc"[place + 1 :])
    with database.write(wait=1) as connection:
        note("d")(connection)


def rolls_back(connection: Connection) -> None:
    connection.execute("INSERT INTO notes VALUES ('give up')")


def rolls_back_and_continues(connection: Connection) -> None:
    with suppress(sqlite3.IntegrityError):
        rolls_back(connection)


def rolls_back_and_raises_another_error(connection: Connection) -> None:
    rolls_back_and_continues(connection)
    raise NotFound("There is no such person.")


def fills_the_disk(connection: Connection) -> None:
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    try:
        connection.execute("INSERT INTO blobs VALUES (zeroblob(100000))")
    finally:
        connection.execute("PRAGMA max_page_count = 1000000")


@pytest.mark.parametrize(
    ("body", "own", "others"),
    [
        (rolls_back, sqlite3.IntegrityError, Unavailable),
        (rolls_back_and_continues, Unavailable, Unavailable),
        (rolls_back_and_raises_another_error, NotFound, Unavailable),
        (fills_the_disk, InsufficientStorage, InsufficientStorage),
    ],
)
def test_a_transaction_given_up_by_sqlite_fails_the_earlier_writes(
    database: Database, body: Body, own: type[Exception], others: type[Exception]
) -> None:
    errors = together(database, note("a"), note("b"), body, note("c"))
    assert [type(error) for error in errors] == [others, others, own, type(None)]
    assert notes(database) == {"c"}


def lock_files_open(database: Database) -> int:
    lock = lock_path(database.path).stat()
    found = [os.fstat(int(name)) for name in os.listdir("/proc/self/fd") if Path("/proc/self/fd", name).exists()]
    return [(each.st_dev, each.st_ino) for each in found].count((lock.st_dev, lock.st_ino))


def synchronous(connection: Connection) -> object:
    return connection.execute("PRAGMA synchronous").fetchone()[0]


def test_only_writes_that_need_not_be_durable_skip_the_sync(database: Database) -> None:
    def check() -> None:
        with database.write() as connection:
            assert synchronous(connection) == 2

    with database.write(durable=False) as connection:
        assert synchronous(connection) == 1
    check()
    for body in (rolls_back, rolls_back_and_continues, fills_the_disk):
        with pytest.raises((ScimError, sqlite3.Error)), database.write(durable=False) as connection:
            body(connection)
        check()
    with write_transaction(database), pytest.raises(Unavailable), database.write(wait=0, durable=False):
        pass
    check()
    with pytest.raises(UnusableFile), database.write(durable=False):
        mend = no_file(database)
    mend()
    check()
    levels: list[object] = []
    first = WriteThread(database, note("a"))
    second = WriteThread(database, lambda connection: levels.append(synchronous(connection)), durable=False)
    third = WriteThread(database, lambda connection: levels.append(synchronous(connection)))
    start_linked([first, second, third])
    assert [first.ended(), second.ended(), third.ended()] == [None] * 3
    assert levels == [1, 2]


def test_a_write_that_cannot_begin_leaves_nothing_open_or_locked(database: Database) -> None:
    problems: list[Exception] = [sqlite3.OperationalError("x"), UnusableFile("x"), RuntimeError("x")]

    def connect() -> Connection:
        if problems:
            raise problems.pop()
        return sqlite3.connect(database.path, isolation_level=None, check_same_thread=False)

    writer = WriteQueue(lock_path(database.path), connect, lambda: None)
    while problems:
        expected = problems[-1]
        with pytest.raises(type(expected)), writer.transaction(0, alone=False, durable=True):
            pass
    with (
        write_transaction(database),
        pytest.raises(sqlite3.OperationalError),
        writer.transaction(0, alone=False, durable=True),
    ):
        pass
    writer.close()
    with database.write(wait=0), pytest.raises(Unavailable), writer.transaction(0, alone=False, durable=True):
        pass
    assert lock_files_open(database) == 0


def test_a_write_waits_for_another_program_until_its_timeout(database: Database) -> None:
    with write_transaction(database):
        threads = [WriteThread(database, note(str(number)), wait=0.1 * number) for number in range(4)]
        for thread in threads:
            thread.start()
        assert [type(thread.ended()) for thread in threads] == [Unavailable] * 4
    assert together(database, note("a"), note("b")) == [None, None]
    assert notes(database) == {"a", "b"}


def test_a_replaced_file_is_not_even_opened(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "CHECK_HOLDS", 60)
    with database.read():
        pass
    database._queue.close()
    put_back = another_file(database)
    with pytest.raises(UnusableFile), database.write():
        pytest.fail("writes into another file")
    put_back()
    with database.write() as connection:
        note("a")(connection)
    assert notes(database) == {"a"}
