"""The campaign: clients that send inputs at once, a monitor, and what is compared at the end."""

import json
import re
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from random import Random

from scim.service.status import WRONG
from tests.attack import console_forms, generators, wire_bytes
from tests.attack.client import AttackClient
from tests.attack.inputs import Input
from tests.attack.judge import Findings
from tests.attack.world import World
from tests.bench.servers import children
from tests.support.server import ROOT, clean_environment, run_flask

GENERATORS: tuple[tuple[Callable[[Random], Input], int], ...] = (
    (generators.dialogue, 24), (generators.document, 14), (generators.patch, 14), (generators.search, 14),
    (generators.bulk, 5), (generators.path, 5), (generators.delete, 1), (generators.follow, 3), (generators.poll, 2),
    (generators.unwelcome, 6), (console_forms.page, 3), (console_forms.form, 2), (console_forms.stolen_form, 2),
    (console_forms.sign_in, 1), (wire_bytes.raw, 4),
)  # fmt: skip
HONEST_EVERY = 100
MONITOR_S = 1.0
DEAD = re.compile(r"WORKER TIMEOUT|was sent SIG|Worker failed to boot|exited with code")


def make_input(seed: int, number: int) -> Input:
    """Return the input with a number: the same for a seed, whatever was sent before."""
    chance = Random(f"{seed}:{number}")
    makers, weights = zip(*GENERATORS, strict=True)
    (maker,) = chance.choices(makers, weights)
    made: Input = maker(chance)
    return Input.from_json({**made.to_json(), "number": number})


class Campaign:
    """Sends inputs from several threads until the time is over or enough were sent."""

    def __init__(self, world: World, findings: Findings, most: int, seconds: float, clients: int = 8) -> None:
        self.world, self.findings = world, findings
        self.numbers = iter(range(most))
        self.end = time.monotonic() + seconds
        self.clients = clients
        self.lock = threading.Lock()

    def run(self) -> None:
        """Send inputs while the monitor watches the workers and the log."""
        monitor = Monitor(self.world, self.findings)
        threads = [threading.Thread(target=self._work, name=f"attacker {n}") for n in range(self.clients)]
        for thread in threads:
            thread.start()
        try:
            while any(thread.is_alive() for thread in threads):
                time.sleep(MONITOR_S)
                monitor.look()
        finally:
            # Also after Control-C.
            self.end = 0.0
            for thread in threads:
                thread.join()
        monitor.look()

    def _next(self) -> int | None:
        with self.lock:
            return next(self.numbers, None) if time.monotonic() < self.end else None

    def _work(self) -> None:
        client = AttackClient(self.world.server.port)
        honest = self.world.scim_client("generic")
        while (number := self._next()) is not None:
            send(client, self.world, self.findings, make_input(self.findings.seed, number))
            while (leftover := self.world.leftover()) is not None:
                send(client, self.world, self.findings, leftover)
            if number % HONEST_EVERY == 0 and (wrong := self.world.write_honestly(honest, number)):
                self.findings.add("data", f"a well-formed write was refused: {wrong}")
        client.close()


def send(client: AttackClient, world: World, findings: Findings, sent: Input) -> None:
    """Send an input, judge the answer, and learn from it."""
    answer = client.send(sent.filled(world.value))
    findings.take(sent, answer)
    if answer.status in (200, 201) and sent.method == "POST":
        world.learn(answer.body)
    if sent.kind == "search":
        world.learn_page(answer.body)
    if sent.kind == "console":
        world.learn_entries(answer.body)
        if answer.status == 303 and "sign-in" in answer.headers.get("location", ""):
            world.sign_in()


class Monitor:
    """Watches the processes of the server and its log."""

    def __init__(self, world: World, findings: Findings) -> None:
        assert world.server.process is not None
        self.server, self.findings = world.server, findings
        self.pid = world.server.process.pid
        self.workers = set(children(self.pid))
        self.seen = world.server.log_file.stat().st_size

    def look(self) -> None:
        """Add a finding for each worker that died and for each traceback since the last look."""
        workers = set(children(self.pid))
        with self.server.log_file.open("rb") as log:
            log.seek(self.seen)
            lines = log.read()
        self.seen += len(lines)
        new = lines.decode("utf-8", "replace")
        if workers != self.workers or DEAD.search(new):
            self.findings.add("dead worker", f"{self.workers} became {workers}\n{new[-3000:]}")
            self.workers = workers
        for found in re.finditer(r"Traceback", new):
            self.findings.add("traceback", new[max(0, found.start() - 300) : found.start() + 3500])


def compare(world: World, findings: Findings) -> None:
    """Compare, after the campaign, the people who must stay, the file, and a dialogue of Okta with what must be."""
    for difference in world.differences():
        findings.add("data", difference)
    for problem in damages(world):
        findings.add("integrity", problem)
    for app in ("custom", "oin"):
        if problem := okta_problem(world, app):
            findings.add("dialogue", problem)


def damages(world: World) -> Iterator[str]:
    """Yield what `flask doctor` and SQLite's own checks find wrong with the file."""
    doctor = run_flask(world.server.database, "doctor", "--json", **world.server.settings)
    found = json.loads(doctor.stdout)["findings"] if doctor.stdout else [{"level": WRONG, "text": doctor.stderr}]
    # A campaign has no deliverer, and its forms resume a webhook.
    yield from (str(each) for each in found if each["level"] == WRONG and each.get("check") != "deliverer")
    with closing(sqlite3.connect(world.server.database)) as connection:
        yield from (text for (text,) in connection.execute("PRAGMA integrity_check") if text != "ok")
        yield from (f"dangling: {row}" for row in connection.execute("PRAGMA foreign_key_check"))


def okta_problem(world: World, app: str) -> str:
    """Return what fails when Okta's requests come as they should, against the same server."""
    command = ["okta", "test", "--url", world.server.origin + world.base, "--key", world.keys["okta"], "--app", app]
    done = subprocess.run(
        [sys.executable, "-m", "flask", *command], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
        env=clean_environment(world.server.settings),
    )  # fmt: skip
    return f"{done.stdout[-3000:]}{done.stderr[-1000:]}" if done.returncode else ""


def replay(world: World, findings: Findings, inputs: Sequence[Input]) -> None:
    """Send inputs one after another."""
    monitor, client = Monitor(world, findings), AttackClient(world.server.port)
    for sent in inputs:
        send(client, world, findings, sent)
    client.close()
    time.sleep(MONITOR_S)
    monitor.look()
