"""`make attack`: hostile inputs against a real gunicorn on a real file; exit 1 when one of them found something.

The inputs depend on the seed and their number only; the threads send them in an order that differs between runs.
"""

import argparse
import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from typing import Any

from tests.attack.campaign import Campaign, compare, replay
from tests.attack.inputs import Input
from tests.attack.judge import Findings
from tests.attack.world import World, make_server
from tests.support.server import ROOT


@contextmanager
def world(folder: Path, workers: int) -> Iterator[World]:
    """Run a server with the people of the campaign in a folder."""
    server = make_server(folder, workers)
    server.start()
    try:
        yield World(server)
    finally:
        server.kill()


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long inputs are sent")
    parser.add_argument("--inputs", type=int, default=10**9, help="how many inputs are sent at most")
    parser.add_argument("--seed", type=int, help="a number that decides all inputs; by default another each time")
    parser.add_argument("--workers", type=int, default=3, help="how many processes of gunicorn serve")
    parser.add_argument("--clients", type=int, default=8, help="how many connections send at once")
    parser.add_argument("--replay", type=Path, help="send the inputs of a finding's file again, one after another")
    parser.add_argument("--before", action="store_true", help="with --replay, also the inputs before them")
    parser.add_argument("--to", type=Path, default=ROOT / ".attack", help="the folder for findings, file and log")
    return parser.parse_args()


def inputs_of(file: Path, before: bool) -> list[Input]:
    """Return the inputs of a finding's file."""
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return [Input.from_json(each) for each in (document["before"] if before else []) + document["inputs"]]


def main() -> int:
    """Run the campaign or repeat a finding; return the exit status."""
    asked = arguments()
    again = inputs_of(asked.replay, asked.before) if asked.replay else []
    seed = SystemRandom().randrange(10**9) if asked.seed is None else asked.seed
    folder = asked.to / time.strftime("%Y%m%d-%H%M%S")
    findings = Findings(folder, seed)
    print(f"seed {seed}, server and findings in {folder}", flush=True)
    with world(folder / "server", asked.workers) as attacked:
        if again:
            replay(attacked, findings, again)
        else:
            Campaign(attacked, findings, asked.inputs, asked.seconds, asked.clients).run()
        compare(attacked, findings)
    print(findings.report())
    if not findings.found:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if findings.found else 0


if __name__ == "__main__":
    sys.exit(main())
