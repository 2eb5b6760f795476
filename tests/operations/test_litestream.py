"""Litestream with the documented configuration: writes acknowledged before the last sync survive the disk."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.support.client import ScimClient
from tests.support.litestream import litestream
from tests.support.resources import patch_op
from tests.support.server import ROOT, PerchServer, clean_environment
from tests.support.writers import check_file, everybody

CONFIGURATION = ROOT / "docs" / "litestream.yml"
SYNC_SECONDS = 60


class Litestream:
    """Litestream with the documented configuration, for one server, with a folder as the replica."""

    def __init__(self, program: Path, server: PerchServer, folder: Path) -> None:
        self.program = program
        self.database = server.database
        self.folder = folder
        self.replica = folder / "replica"
        self.log = folder / "litestream.log"
        settings = {"PERCH_DATABASE": str(server.database), "PERCH_REPLICA": f"file://{self.replica}"}
        self.environment = clean_environment(settings)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Replicate until the end of the block, then kill Litestream, so that there is no last sync."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [self.program, "replicate", "-config", CONFIGURATION], env=self.environment, stdout=log, stderr=log
            )
        try:
            yield
            assert process.poll() is None, self.log.read_text()
        finally:
            process.kill()
            process.wait()

    def restore(self, target: Path) -> bool:
        """Restore the replica to a file; return whether there was anything to restore."""
        target.unlink(missing_ok=True)
        command = [
            str(word) for word in (self.program, "restore", "-config", CONFIGURATION, "-o", target, self.database)
        ]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=60)
        return done.returncode == 0 and target.exists()


class BackgroundWriter:
    """Creates users and adds each to one group, until `stop` is set."""

    def __init__(self, client: ScimClient) -> None:
        self.client = client
        self.group = client.post("/Groups", {"displayName": "Replicated"}).body["id"]
        self.acknowledged: list[str] = []
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set():
            name = f"user-{len(self.acknowledged)}@example.com"
            created = self.client.post("/Users", {"userName": name, "title": "x" * 20000})
            assert created.status == 201
            operation = {"op": "add", "path": "members", "value": [{"value": created.body["id"]}]}
            assert self.client.patch(f"/Groups/{self.group}", patch_op(operation)).status in (200, 204)
            self.acknowledged.append(created.body["id"])


@pytest.mark.parametrize("source", ["python", "npm"])
def test_synced_writes_survive_the_disk(source: str, make_server: MakeServer, tmp_path: Path) -> None:
    program = litestream(source, tmp_path)
    server = make_server()
    server.start()
    replication = Litestream(program, server, tmp_path)
    client = server.client(key=server.key)
    author = BackgroundWriter(client)
    with replication.running():
        writing = threading.Thread(target=author.run)
        writing.start()
        try:
            time.sleep(3)
            synced = list(author.acknowledged)
            wait_until_synced(replication, tmp_path / "probe.db", synced[-1])
        finally:
            author.stop.set()
            writing.join(30)
        server.kill()
    assert "new generation" not in replication.log.read_text().partition("no generation exists")[2], "a gap in the log"
    disk_is_lost(server)

    restored = tmp_path / "restored.db"
    assert replication.restore(restored)
    server.flask("restore", str(restored))
    check_file(server.database)
    server.start()
    assert set(synced) <= everybody(client).keys()
    members = client.get(f"/Groups/{author.group}").body["members"]
    assert set(synced) <= {member["value"] for member in members}
    goes_on(replication, client, tmp_path / "again.db")


def wait_until_synced(replication: Litestream, probe: Path, identifier: str) -> None:
    """Wait until a restore contains the user."""
    end = time.monotonic() + SYNC_SECONDS
    while time.monotonic() < end:
        if replication.restore(probe) and identifier.encode() in probe.read_bytes():
            return
        time.sleep(0.3)
    pytest.fail(f"not replicated within {SYNC_SECONDS} s:\n{replication.log.read_text()}")


def disk_is_lost(server: PerchServer) -> None:
    """Delete everything in the folder except gunicorn's log."""
    for path in server.folder.iterdir():
        if path != server.log_file:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert os.listdir(server.folder) == [server.log_file.name]


def goes_on(replication: Litestream, client: ScimClient, probe: Path) -> None:
    """Check that replication of the restored file continues into the same replica."""
    with replication.running():
        later = client.post("/Users", {"userName": "later@example.com"}).body["id"]
        wait_until_synced(replication, probe, later)
