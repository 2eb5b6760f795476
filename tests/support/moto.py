"""An S3-compatible server for long tests: moto, in the environment that `make test-long` makes."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.ports import unused_port
from tests.support.server import ROOT

PYTHON = ROOT / ".venv-s3" / "bin" / "python"
ACCESS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_CA_BUNDLE": ""}
# moto looks at the form of the signature only.
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
    "Signature=x"
}
SECONDS = 60.0


@contextlib.contextmanager
def bucket(folder: Path) -> Iterator[str]:
    """Serve S3 with one bucket and yield its URL for Litestream; skip the test without moto."""
    if not PYTHON.exists():
        pytest.skip("moto is not installed; make test-long installs it")
    port = unused_port()
    with (folder / "moto.log").open("wb") as log:
        server = subprocess.Popen([PYTHON, "-m", "moto.server", "-p", str(port)], stdout=log, stderr=log)
    try:
        origin = f"http://127.0.0.1:{port}"
        _make_bucket(f"{origin}/perch")
        yield f"s3://perch/replica?endpoint={origin}&region=us-east-1&force-path-style=true"
    finally:
        server.kill()
        server.wait()


def _make_bucket(url: str) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(requests.RequestException):
            if requests.put(url, headers=SIGNED, timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail("moto does not answer")
