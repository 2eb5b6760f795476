"""Acknowledged writes survive when every process is killed at a random moment."""

import random
import threading
import time

import pytest

from tests.conftest import MakeServer
from tests.support.drills import RecordDrill
from tests.support.server import PerchServer
from tests.support.writers import Writer, check_file, compare, in_threads, make_writers

WRITERS = 8


@pytest.mark.parametrize("rounds", [3, pytest.param(25, marks=pytest.mark.long)])
def test_acknowledged_writes_survive_kill_9(rounds: int, make_server: MakeServer, drill: RecordDrill) -> None:
    server = make_server(workers=3, settings={"PERCH_FUSE": "off"})
    server.start()
    moments = random.Random(rounds)
    writers = make_writers(server.client(key=server.key), WRITERS, rounds)
    slowest = 0.0
    for _ in range(rounds):
        write_until_killed(server, writers, moments.randint(21, 200))
        begun = time.monotonic()
        server.start()
        slowest = max(slowest, time.monotonic() - begun)
        compare(server.client(key=server.key), writers)
        check_file(server.database)
    acknowledged = sum(writer.acknowledged for writer in writers)
    assert acknowledged > 20 * rounds, f"only {acknowledged} writes in {rounds} rounds"
    assert not [answer for writer in writers for answer in writer.refused]
    assert server.stop() == 0
    check_file(server.database)
    drill("kill -9 of all processes under load", rounds, 0, slowest)


def write_until_killed(server: PerchServer, writers: list[Writer], answers: int) -> None:
    """Let all writers write until they have some answers, then kill every process of the server at once."""
    enough = sum(writer.acknowledged for writer in writers) + answers
    stop = threading.Event()
    threads = in_threads(server, writers, stop)
    end = time.monotonic() + 60
    while sum(writer.acknowledged for writer in writers) < enough and time.monotonic() < end:
        time.sleep(0.001)
    server.kill()
    stop.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
