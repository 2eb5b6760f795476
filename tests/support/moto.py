"""An S3-compatible server for long tests: moto, installed from PyPI into a folder."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

PACKAGE = "moto[server]==5.2.5"
ACCESS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1", "AWS_CA_BUNDLE": ""}

# moto looks at the form of the signature only.
SIGNED = {
    "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, "
    "Signature=x"
}


@contextlib.contextmanager
def bucket(folder: Path) -> Iterator[str]:
    """Serve S3 with one bucket and yield its URL for Litestream; skip the test where moto cannot be installed."""
    target = folder / "moto"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(target), PACKAGE]
    if subprocess.run(command, check=False, capture_output=True, timeout=300).returncode:
        pytest.skip("moto cannot be installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": str(target)}
    with (folder / "moto.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", str(port)], env=environment, stdout=log, stderr=log
        )
    try:
        origin = f"http://127.0.0.1:{port}"
        for _ in range(300):
            with contextlib.suppress(requests.RequestException):
                if requests.put(f"{origin}/perch", headers=SIGNED, timeout=2).status_code == 200:
                    break
            time.sleep(0.1)
        yield f"s3://perch/replica?endpoint={origin}&region=us-east-1&force-path-style=true"
    finally:
        server.kill()
        server.wait()
