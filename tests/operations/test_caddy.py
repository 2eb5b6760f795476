"""Caddy with the shipped configuration, on this machine and without TLS."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.conftest import MakeServer
from tests.support.debian import program
from tests.support.guide import wait_for
from tests.support.ports import unused_port
from tests.support.resources import create_users
from tests.support.server import ROOT, PerchServer

pytestmark = pytest.mark.long


@pytest.fixture
def server(make_server: MakeServer) -> PerchServer:
    made = make_server(settings={"PERCH_TRUSTED_PROXIES": "1"})
    made.start()
    create_users(made.client(key=made.key), [f"p{n}@example.com" for n in range(50)])
    return made


@pytest.fixture
def caddy(server: PerchServer, tmp_path: Path) -> Iterator[str]:
    """Caddy in front of the server; returns its origin."""
    path, origin = program("caddy"), f"http://127.0.0.1:{unused_port()}"
    text = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    text = re.sub(r"^http://.*?^\}\n", "", text, flags=re.MULTILINE | re.DOTALL)
    text = text.replace("{$DOMAIN}", origin).replace("perch:8000", f"127.0.0.1:{server.port}")
    # Debian's Caddy is older than this option.
    text = text.replace("request_buffers 256KiB", "").replace("{\n\tservers", "{\n\tadmin off\n\tservers", 1)
    (tmp_path / "Caddyfile").write_text(text)
    command = [path, "run", "--config", str(tmp_path / "Caddyfile"), "--adapter", "caddyfile"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env={"HOME": str(tmp_path)})
    try:
        wait_for(f"{origin}/healthz")
        yield origin
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("path", ["/Users?count=50", "/Schemas", "/ResourceTypes", "/Nothing"])
def test_answers_of_scim_are_compressed(path: str, encoding: str, server: PerchServer, caddy: str) -> None:
    headers = {"Authorization": f"Bearer {server.key}", "Accept-Encoding": encoding}
    answer = requests.get(f"{caddy}{server.scim_path}{path}", headers=headers, timeout=10, stream=True)
    assert answer.headers["Content-Type"].startswith("application/scim+json")
    # Caddy leaves answers of less than half a kilobyte as they are.
    assert answer.headers.get("Content-Encoding") == (None if path == "/Nothing" else encoding)


@pytest.mark.parametrize(("path", "status"), [("/metrics", 404), ("/readyz", 404), ("/healthz", 200)])
def test_monitoring_stays_inside(path: str, status: int, server: PerchServer, caddy: str) -> None:
    answer = requests.get(f"{caddy}{path}", headers={"Authorization": f"Bearer {server.key}"}, timeout=10)
    assert answer.status_code == status
