"""A real OpenID provider for one person: Canaille, which pytest-iam serves from an environment of its own (.venv-iam).

It is a process because pytest-iam loads Canaille into every pytest of its environment. There, `serve_until_closed` is
the only test.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-iam" / "bin" / "python"
CLIENT, SECRET = "perch-console", "the secret of the client"
PERSON, EMAIL, PASSWORD = "ada", "ada@example.com", "correct horse battery staple"
START_SECONDS = 120.0
# Otherwise clients on this machine need no consent.
SETTINGS = {"PYTEST_IAM_CANAILLE_OIDC__TRUSTED_DOMAINS": "[]"}
PYTEST = (
    "-m", "pytest", "-q", "-s", "--noconftest", "-c", os.devnull, "-p", "no:cacheprovider",
    "-o", "python_functions=serve_until_closed",
)  # fmt: skip


class IamProvider:
    """A Canaille on a free port, whose client may be redirected to one address."""

    def __init__(self, folder: Path) -> None:
        self.log_file = folder / "iam.log"
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [str(PYTHON), *PYTEST, str(Path(__file__))], cwd=folder, env={**os.environ, **SETTINGS},
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.issuer = self._said("issuer")

    def allow(self, redirect: str) -> None:
        """Add the client, with the address to which the provider may send its browsers back."""
        assert self.process.stdin is not None
        self.process.stdin.write(redirect.encode() + b"\n")
        self.process.stdin.flush()
        assert self._said("client") == CLIENT

    def _said(self, name: str) -> str:
        """Wait until the process has printed a value."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            log = self.log_file.read_text(errors="replace")
            if found := re.search(rf"^{name}=(\S+)$", log, re.MULTILINE):
                return found[1]
            assert self.process.poll() is None, log
            time.sleep(0.05)
        raise AssertionError(f"The provider does not say {name} after {START_SECONDS} s:\n{log}")

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def serve_until_closed(iam_server: Any) -> None:
    """Serve the provider in .venv-iam: print the issuer, read the redirect URI, and wait."""
    # Chromium opens spare connections; a server that takes one after the other must not wait for them.
    iam_server.httpd.RequestHandlerClass.timeout = 1
    iam_server.random_user(user_name=PERSON, emails=[EMAIL], password=PASSWORD, preferred_language="en")
    say("issuer", iam_server.url.rstrip("/"))
    client = iam_server.models.Client(
        client_id=CLIENT, client_secret=SECRET, client_name="Perch", client_uri="http://127.0.0.1",
        redirect_uris=[sys.stdin.readline().strip()], grant_types=["authorization_code"], response_types=["code"],
        token_endpoint_auth_method="client_secret_basic", scope=["openid", "profile", "email"],
        id_token_signed_response_alg="RS256",
    )  # fmt: skip
    iam_server.backend.save(client)
    iam_server.backend.update(client, audience=[client])
    iam_server.backend.save(client)
    say("client", client.client_id)
    sys.stdin.read()


def say(name: str, value: str) -> None:
    print(f"\n{name}={value}", flush=True)
