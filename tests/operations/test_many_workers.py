"""Four workers and many clients at once: no lost update, no duplicate name, no endless wait."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeServer
from tests.support.client import Answer, ScimClient
from tests.support.drills import RecordDrill
from tests.support.resources import patch_op
from tests.support.server import PerchServer
from tests.support.writers import check_file, compare, in_threads, make_writers

CLIENTS = 16
Hold = Callable[[Path], Any]


@pytest.fixture
def server(make_server: MakeServer) -> PerchServer:
    started = make_server(workers=4, settings={"PERCH_FUSE": "off"})
    started.start()
    return started


def clients(server: PerchServer, number: int) -> list[ScimClient]:
    return [server.client(key=server.key) for _ in range(number)]


def at_once(server: PerchServer, number: int, send: Callable[[int, ScimClient], Answer]) -> list[Answer]:
    """Send requests from `number` clients at the same moment."""
    barrier = threading.Barrier(number)

    def run(numbered: tuple[int, ScimClient]) -> Answer:
        barrier.wait(30)
        return send(*numbered)

    with ThreadPoolExecutor(number) as threads:
        return list(threads.map(run, enumerate(clients(server, number))))


@pytest.mark.parametrize("seconds", [4, pytest.param(20, marks=pytest.mark.long)])
def test_all_write_at_once(seconds: int, server: PerchServer, drill: RecordDrill) -> None:
    writers = make_writers(server.client(key=server.key), CLIENTS, seconds)
    stop = threading.Event()
    threads = in_threads(server, writers, stop)
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert not [answer for writer in writers for answer in writer.refused]
    assert not [writer for writer in writers if writer.doubtful], "a connection broke"
    assert sum(writer.acknowledged for writer in writers) > 10 * seconds
    compare(server.client(key=server.key), writers)
    assert server.stop() == 0
    check_file(server.database)
    assert "Traceback" not in server.log()
    drill(f"{CLIENTS} clients write at once", 0, 0, seconds)


def test_parallel_adds_to_one_group_are_all_kept(server: PerchServer) -> None:
    client = server.client(key=server.key)
    group = client.post("/Groups", {"displayName": "Everybody"}).body["id"]
    people = [client.post("/Users", {"userName": f"p{n}@example.com"}).body["id"] for n in range(20)]

    def add(number: int, own: ScimClient) -> Answer:
        operation = {"op": "add", "path": "members", "value": [{"value": people[number]}]}
        return own.patch(f"/Groups/{group}", patch_op(operation))

    assert {answer.status for answer in at_once(server, 20, add)} <= {200, 204}
    members = client.get(f"/Groups/{group}").body["members"]
    assert sorted(member["value"] for member in members) == sorted(people)


def test_a_counter_under_if_match_counts_right(server: PerchServer) -> None:
    client = server.client(key=server.key)
    user = client.post("/Users", {"userName": "counter@example.com", "title": "0"}).body["id"]
    turns = 5

    def count(number: int, own: ScimClient) -> Answer:
        done = 0
        while True:
            answer = own.get(f"/Users/{user}")
            operation = {"op": "replace", "path": "title", "value": str(int(answer.body["title"]) + 1)}
            answer = own.request("PATCH", f"/Users/{user}", patch_op(operation), {"If-Match": answer.headers["ETag"]})
            if answer.status not in (200, 412):
                return answer
            done += answer.status == 200
            if done == turns:
                return answer

    assert {answer.status for answer in at_once(server, 8, count)} == {200}
    assert client.get(f"/Users/{user}").body["title"] == str(8 * turns)


@pytest.mark.parametrize(
    "names", [["straße@example.com", "STRASSE@example.com", "Strasse@Example.COM"], ["a@b.example"]]
)
def test_one_name_is_created_once(names: list[str], server: PerchServer) -> None:
    def post(number: int, own: ScimClient) -> Answer:
        return own.post("/Users", {"userName": names[number % len(names)]})

    answers = at_once(server, 18, post)
    assert sorted(answer.status for answer in answers) == [201] + [409] * 17
    assert {answer.body["scimType"] for answer in answers if answer.status == 409} == {"uniqueness"}


@contextmanager
def queue_held(database: Path) -> Iterator[None]:
    """Hold the writer's queue, like another process of Perch whose write does not end."""
    handle = os.open(f"{database}.lock", os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def sqlite_held(database: Path) -> Iterator[None]:
    """Hold a write transaction open, like another program."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


@pytest.mark.parametrize("hold", [queue_held, sqlite_held])
def test_the_wait_for_the_writer_is_bounded(hold: Hold, make_server: MakeServer) -> None:
    server = make_server(workers=2, settings={"PERCH_WRITE_WAIT": "1"})
    server.start()
    client = server.client(key=server.key)
    with hold(server.database):
        began = time.monotonic()
        answers = at_once(server, 4, lambda n, own: own.post("/Users", {"userName": f"late-{n}@example.com"}))
        waited = time.monotonic() - began
        assert client.get("/Users").status == 200, "readers do not wait"
    assert [answer.status for answer in answers] == [503] * 4
    for answer in answers:
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.body["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
        assert answer.body["status"] == "503"
    assert waited > 0.9
    assert client.get("/Users").body["totalResults"] == 0
    assert client.post("/Users", {"userName": "late-1@example.com"}).status == 201
