"""Reads of a follower, which Litestream keeps up to date meanwhile, beside those of its primary, in turns in one run.

    python -m tests.bench.follower [--clients N] [--seconds S] [--rounds N]

prints the median rates, the median of the ratios, and the seconds until the follower had what was written.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.bench import load
from tests.bench.load import HttpClient
from tests.support.following import Following, until
from tests.support.litestream import litestream
from tests.support.resources import create_users, user_id
from tests.support.server import PerchServer


@dataclass
class Reads:
    """Reads per second of primary and follower, one pair a round, and the lags of what was written meanwhile."""

    primary: list[float] = field(default_factory=list)
    follower: list[float] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        ratios = [one / other for one, other in zip(self.follower, self.primary, strict=True)]
        return (
            f"primary {statistics.median(self.primary):.0f}/s, follower {statistics.median(self.follower):.0f}/s, "
            f"ratio {statistics.median(ratios):.2f}; lag of {len(self.lags)} writes: median "
            f"{statistics.median(self.lags):.1f} s, at most {max(self.lags):.1f} s"
        )


def measure(following: Following, clients: int, seconds: float, rounds: int) -> Reads:
    """Read pages of ten from both in turns, while one user after the other is written and looked for."""
    server, found, done = following.server, Reads(), threading.Event()
    primary = server.client(key=server.key)
    create_users(primary, [f"person{number}" for number in range(20)])
    until(lambda: following.client().get("/Users?count=0").body.get("totalResults") == 20)
    path, headers = f"{server.scim_path}/Users?count=10", {"Authorization": server.key}

    def read(client: HttpClient, turn: int) -> None:
        status, body = client.ask("GET", path)
        if status != 200:
            raise load.WrongAnswer(body.decode())

    def write() -> None:
        while not done.is_set():
            identifier, written = user_id(primary, f"late{len(found.lags)}"), time.monotonic()
            until(partial(following.has, identifier))
            found.lags.append(time.monotonic() - written)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        turns = [(server.port, found.primary), (following.port, found.follower)]
        for _ in range(rounds):
            for port, rates in turns:
                rates.append(load.run(port, headers, read, clients, seconds).rate)
            turns.reverse()
    finally:
        done.set()
        writer.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PATH"] = f"{litestream('python', folder).parent}:{os.environ['PATH']}"
        following = Following(PerchServer(folder), folder)
        try:
            following.begin()
            print(measure(following, asked.clients, asked.seconds, asked.rounds))
            print("load", *os.getloadavg())
        finally:
            following.end()
            following.server.kill()


if __name__ == "__main__":
    main()
