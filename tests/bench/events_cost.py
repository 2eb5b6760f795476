"""The cost of the outbox: the same durable writes with events and without, interleaved in one process.

    python -m tests.bench.events_cost [ROUNDS]

prints the median times without and with events, and the ratios of the medians and of the first deciles.
"""

import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from app import create_app
from storage import effective_roles, events
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, scim_path

LOOK_UPS = ("inherited_from", "people_below", "persons")


@contextmanager
def without_events() -> Any:
    """No event is written, and nobody's roles are looked up for one."""
    nobody: dict[str, Any] = {name: lambda *_: [] for name in LOOK_UPS}
    with (
        mock.patch.object(events, "append"),
        mock.patch.multiple(effective_roles, reasons=lambda *_: defaultdict(frozenset), **nobody),
    ):
        yield


class TimedWrites:
    """The writes to time, on a deployment with some people and groups."""

    def __init__(self, folder: str) -> None:
        settings = {"PERCH_DATABASE": str(Path(folder) / "perch.db"), "PERCH_FUSE": "off", "PERCH_TRAFFIC": "off"}
        app = create_app(settings)
        app.extensions["perch"].open()
        self.client = ScimClient(wsgi_transport(app), scim_path(app), create_key(app, "x", "--idp", "okta"), "okta")
        run_command(app, "roles", "add", "a", "A")
        self.number = 0
        self.people = [self.create("a") for _ in range(300)]
        members = [{"value": each} for each in self.people]
        self.plain = self.client.post("/Groups", {"displayName": "Plain", "members": members}).body["id"]
        self.giving = self.client.post("/Groups", {"displayName": "Giving", "members": members}).body["id"]
        run_command(app, "roles", "assign", "--group", "Giving", "a")
        self.spare = [self.create() for _ in range(2000)]

    def create(self, *roles: str) -> str:
        self.number += 1
        name = {"givenName": "Given", "familyName": f"Name {self.number}"}
        body = {"userName": f"user{self.number}@example.com", "name": name, "displayName": f"Person {self.number}",
                "emails": [{"primary": True, "value": f"user{self.number}@example.com", "type": "work"}],
                "active": True, "roles": list(roles)}  # fmt: skip
        answer = self.client.post("/Users", body)
        assert answer.status == 201, answer
        return str(answer.body["id"])

    def create_plain(self) -> None:
        self.create()

    def create_with_role(self) -> None:
        self.create("a")

    def put(self) -> None:
        self.number += 1
        person = self.people[self.number % len(self.people)]
        body = {"userName": f"p{self.number % len(self.people)}@example.com", "title": f"{self.number}",
                "active": True, "roles": ["a"]}  # fmt: skip
        assert self.client.put(f"/Users/{person}", body).status == 200

    def deactivate(self) -> None:
        self.number += 1
        person = self.people[self.number // 2 % len(self.people)]
        self.patch(f"/Users/{person}", {"op": "replace", "value": {"active": bool(self.number % 2)}})

    def join(self, group: str) -> None:
        self.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": self.spare.pop()}]})

    def join_plain(self) -> None:
        self.join(self.plain)

    def join_giving(self) -> None:
        self.join(self.giving)

    def delete(self) -> None:
        assert self.client.delete(f"/Users/{self.spare.pop()}").status == 204

    def patch(self, path: str, operation: dict[str, Any]) -> None:
        assert self.client.patch(path, {"Operations": [operation]}).status in (200, 204)


def timed(write: Callable[[], None]) -> float:
    began = time.perf_counter()
    write()
    return (time.perf_counter() - began) * 1000


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with tempfile.TemporaryDirectory(dir=".") as folder:
        writes = TimedWrites(folder)
        kinds = (writes.create_plain, writes.create_with_role, writes.put, writes.deactivate, writes.join_plain,
                 writes.join_giving, writes.delete)  # fmt: skip
        for write in kinds:
            on, off = [], []
            for _ in range(rounds):
                on.append(timed(write))
                with without_events():
                    off.append(timed(write))
            tenths = [statistics.quantiles(times, n=10)[0] for times in (off, on)]
            medians = [statistics.median(times) for times in (off, on)]
            ratios = f"{medians[1] / medians[0]:5.2f}  {tenths[1] / tenths[0]:5.2f}"
            print(f"{write.__name__:18} {medians[0]:7.3f} ms  {medians[1]:7.3f} ms  {ratios}")


if __name__ == "__main__":
    main()
