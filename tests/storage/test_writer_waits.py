"""No thread hangs at the writer: timeouts, interrupts, closing, forks, other processes, kill -9."""

import multiprocessing
import os
import random
import signal
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import Unavailable
from storage.database import Connection, Database
from tests.conftest import MakeServer
from tests.support.client import Answer, ScimClient
from tests.support.meeting import DEADLINE, WriteThread, make_database, note, notes, until
from tests.support.resources import patch_op
from tests.support.server import PerchServer
from tests.support.writers import UNKNOWN, check_file, everybody


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return make_database(tmp_path)


class StallingLock:
    """Replaces the writer's lock; a thread whose timeout runs out stalls before it can report that."""

    def __init__(self) -> None:
        self.lock, self.gave_up, self.go_on = threading.Lock(), threading.Event(), threading.Event()
        self.release = self.lock.release

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        got = self.lock.acquire(blocking, timeout)
        if blocking and not got:
            self.gave_up.set()
            assert self.go_on.wait(DEADLINE)
        return got

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


@contextmanager
def left_open(database: Database) -> Iterator[tuple[WriteThread, WriteThread, StallingLock]]:
    """Leave an open batch to a thread that has just timed out and does not know of the batch."""
    turn = StallingLock()
    database._queue._turn = turn  # type: ignore[assignment]

    def wait_for_second(connection: Connection) -> None:
        second.start()
        assert turn.gave_up.wait(DEADLINE)
        note("first")(connection)

    first, second = WriteThread(database, wait_for_second), WriteThread(database, note("second"), wait=0)
    first.start()
    until(lambda: (batch := database._queue._batch) is not None and batch.done is not None)
    assert notes(database) == set()
    yield first, second, turn
    turn.go_on.set()
    assert isinstance(second.ended(), Unavailable)


def test_a_thread_that_times_out_commits_the_batch_left_to_it(database: Database) -> None:
    with left_open(database) as (first, second, turn):
        turn.go_on.set()
        assert isinstance(second.ended(), Unavailable)
        assert first.ended() is None
    assert notes(database) == {"first"}


@pytest.mark.parametrize("how", [{}, {"alone": True}, {"durable": False}])
@pytest.mark.parametrize("failure", [None, ValueError("x")])
def test_the_next_thread_commits_a_batch_left_open(
    database: Database, how: dict[str, Any], failure: ValueError | None
) -> None:
    def look(connection: Connection) -> None:
        joined.append("first" not in notes(database))
        if failure is not None:
            raise failure

    joined: list[bool] = []
    with left_open(database) as (first, _, turn):
        third = WriteThread(database, look, **how)
        third.start()
        until(lambda: joined)
        turn.go_on.set()
        assert third.ended() is failure
        assert first.ended() is None
    assert joined == [not how]
    assert notes(database) == {"first"}


def test_closing_commits_a_batch_left_open(database: Database) -> None:
    with left_open(database) as (first, _, _):
        database.close()
        assert first.ended() is None
    assert notes(database) == {"first"}
    with database.write(wait=1) as connection:
        note("later")(connection)


def test_a_write_that_cannot_begin_fails_a_batch_left_open(database: Database) -> None:
    with left_open(database) as (first, _, _):
        batch = database._queue._batch
        assert batch is not None
        batch.connection.close()
        with pytest.raises(sqlite3.ProgrammingError), database.write(wait=1):
            pass
        assert isinstance(first.ended(), sqlite3.ProgrammingError)
    with database.write(wait=1) as connection:
        note("later")(connection)


def test_no_batch_is_left_to_an_interrupted_thread(database: Database) -> None:
    interrupted, main = threading.Event(), threading.get_ident()

    def interrupt(connection: Connection) -> None:
        begun.set()
        until(lambda: database._queue._waiting)
        signal.pthread_kill(main, signal.SIGINT)
        assert interrupted.wait(DEADLINE)

    begun = threading.Event()
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        writing = WriteThread(database, interrupt)
        writing.start()
        assert begun.wait(DEADLINE)
        with pytest.raises(KeyboardInterrupt), database.write():
            pass
    finally:
        interrupted.set()
        signal.signal(signal.SIGINT, before)
    assert writing.ended() is None


def test_a_discarded_write_is_rolled_back(database: Database) -> None:
    def begin() -> Iterator[None]:
        with database.write() as connection:
            note("dropped")(connection)
            yield

    dropped = begin()
    next(dropped)
    del dropped
    other = WriteThread(database, note("a"))
    other.start()
    assert other.ended() is None
    assert notes(database) == {"a"}


def test_writers_of_all_kinds_and_timeouts_all_finish(database: Database) -> None:
    """Acknowledged writes are stored, refused ones are not."""
    kept: list[set[str]] = [set() for _ in range(8)]

    def write(number: int) -> None:
        chance = random.Random(number)
        for count in range(150):
            text, how = f"{number}-{count}", {"alone": chance.random() < 0.1, "durable": chance.random() < 0.9}
            with suppress(Unavailable, ValueError, sqlite3.IntegrityError):
                with database.write(wait=chance.choice((0, 0.0005, 0.002, 5)), **how) as connection:
                    note(text)(connection)
                    if (fate := chance.random()) < 0.1:
                        raise ValueError
                    if fate < 0.12:
                        note("give up")(connection)
                kept[number].add(text)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()
    finally:
        sys.setswitchinterval(interval)
    assert min(len(each) for each in kept) > 10
    assert notes(database) == set().union(*kept)


def test_closing_during_writes_loses_nothing(database: Database) -> None:
    threads = [WriteThread(database, note(str(number))) for number in range(200)]
    for thread in threads:
        thread.start()
        database.close()
    assert [thread.ended() for thread in threads] == [None] * 200
    assert notes(database) == {str(number) for number in range(200)}


# Other processes


def test_a_forked_child_writes_on_its_own_connection(database: Database) -> None:
    before = database._queue
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            with database.write() as connection:
                note("child")(connection)
            os._exit(0 if database._queue is not before else 2)
        os._exit(1)
    for number in range(50):
        with database.write() as connection:
            note(str(number))(connection)
    assert os.waitpid(child, 0)[1] == 0
    assert notes(database) == {"child", *(str(number) for number in range(50))}
    check_file(database.path)


def write_for(path: Path, name: str, seconds: float, begin: Barrier) -> None:
    database = Database(path)
    with database.write():
        pass
    begin.wait(DEADLINE)
    end = time.monotonic() + seconds

    def write(number: int) -> None:
        count = 0
        while time.monotonic() < end:
            with database.write() as connection:
                note(f"{name}-{number}-{count}")(connection)
            count += 1

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_processes_with_many_writing_threads_take_turns(database: Database) -> None:
    spawn = multiprocessing.get_context("spawn")
    begin = spawn.Barrier(2)
    processes = [spawn.Process(target=write_for, args=(database.path, name, 1.5, begin)) for name in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    shares = Counter(text.partition("-")[0] for text in notes(database))
    assert min(shares["a"], shares["b"]) > sum(shares.values()) / 10, shares
    threads = Counter(text.rpartition("-")[0] for text in notes(database))
    assert min(threads.values()) > sum(threads.values()) / 80 and len(threads) == 8, threads


class Hammer:
    """Creates, changes and deletes its own people and tries taken names, until the connection breaks."""

    def __init__(self, number: int) -> None:
        self.number, self.count, self.refused = number, 0, 0
        self.titles: dict[str, str | None] = {}
        self.changes: Counter[str] = Counter()
        self.doubtful: set[str] = set()
        self.wrong: list[Answer] = []

    def run(self, client: ScimClient) -> None:
        with suppress(UNKNOWN):
            while True:
                self.life(client)

    def life(self, client: ScimClient) -> None:
        self.count += 1
        name = f"hammer-{self.number}-{self.count}@example.com"
        made = client.post("/Users", {"userName": name, "title": "made"})
        if self.expect(made, 201):
            path, identifier = f"/Users/{made.body['id']}", made.body["id"]
            self.titles[identifier] = "made"
            self.changes[identifier] += 1
            self.refuse(client.post("/Users", {"userName": name.upper(), "title": "refused"}))
            self.refuse(client.post("/Users", {"userName": "Everybody@example.com", "title": "refused"}))
            self.refuse(client.put(path, {"userName": "everybody@example.com", "title": "refused"}))
            self.change(identifier, lambda: client.put(path, {"userName": name, "title": "put"}), 200, "put")
            operation = {"op": "replace", "path": "title", "value": "patched"}
            self.change(identifier, lambda: client.patch(path, patch_op(operation)), 200, "patched")
            if self.count % 2:
                self.change(identifier, lambda: client.delete(path), 204, None)

    def change(self, identifier: str, send: Callable[[], Answer], status: int, title: str | None) -> None:
        self.doubtful.add(identifier)
        if self.expect(send(), status):
            self.doubtful.remove(identifier)
            self.titles[identifier] = title
            self.changes[identifier] += 1

    def refuse(self, answer: Answer) -> None:
        self.refused += self.expect(answer, 409)

    def expect(self, answer: Answer, status: int) -> bool:
        if answer.status != status:
            self.wrong.append(answer)
        return answer.status == status


def hammer_until_killed(server: PerchServer, hammers: list[Hammer], seconds: float) -> None:
    threads = [
        threading.Thread(target=hammer.run, args=(server.client(key=server.key),), daemon=True) for hammer in hammers
    ]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    server.kill()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()


def test_a_server_that_is_killed_keeps_each_acknowledged_change_once(make_server: MakeServer) -> None:
    server = make_server(workers=3)
    server.start()
    client = server.client(key=server.key)
    everyone = client.post("/Users", {"userName": "everybody@example.com", "title": "made"}).body["id"]
    hammers = [Hammer(number) for number in range(8)]
    for _ in range(2):
        hammer_until_killed(server, hammers, 1.5)
        server.start()
    assert not [answer for hammer in hammers for answer in hammer.wrong]
    assert sum(hammer.changes.total() for hammer in hammers) > 50 and sum(hammer.refused for hammer in hammers) > 50
    compare(everybody(client), hammers, everyone)
    assert server.flask_json("doctor")["wrong"] is False
    assert server.stop() == 0
    check_file(server.database)
    for table, subject in (("journal", "resource"), ("events", "subject")):
        assert_recorded_once(server.database, f"SELECT {subject}, count(*) FROM {table} GROUP BY 1", hammers)


def compare(found: dict[str, Any], hammers: list[Hammer], everyone: str) -> None:
    """Check that acknowledged changes are stored, refused ones are not, and others only if they were under way."""
    known = {everyone}
    for hammer in hammers:
        settled = hammer.titles.keys() - hammer.doubtful
        expected = {each: hammer.titles[each] for each in settled}
        assert {each: found[each]["title"] if each in found else None for each in settled} == expected
        known |= hammer.titles.keys()
    assert "refused" not in {person["title"] for person in found.values()}
    # Each thread had at most one POST under way at each of the two kills.
    unknown = [found[each] for each in found.keys() - known]
    assert {person["title"] for person in unknown} <= {"made"} and len(unknown) <= 2 * len(hammers)


def assert_recorded_once(database: Path, counts: str, hammers: list[Hammer]) -> None:
    with closing(sqlite3.connect(database)) as connection:
        recorded = dict(connection.execute(counts).fetchall())
    for hammer in hammers:
        for identifier, changes in hammer.changes.items():
            under_way = identifier in hammer.doubtful
            assert changes <= recorded[identifier] <= changes + under_way, identifier
