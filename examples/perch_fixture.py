"""A pytest fixture to copy into your application's tests: a Perch of its own, and an identity provider that fills it.

Copy this file as `perch_fixture.py` beside your conftest.py, and write there (a linter may call the names unused)
`from perch_fixture import perch, perch_server`. Then:

    def test_a_leaver_may_not_log_in(perch):
        perch.assign("ada@example.com", roles=["billing:reader"])
        perch.push_group("Support", ["ada@example.com"])
        ...  # your application asks perch.base with perch.read_key
        perch.deactivate("ada@example.com")

`PERCH_HOME=/path/to/perch` names the folder of a Perch with its `.venv`, or `PERCH_IMAGE=perch` a container image where
docker or podman is installed. Perch runs as a process of its own on a free port; nothing of it is imported, so that
your project may have an `app.py` and a `schemas/` too. Each test begins with an empty Perch. Only pytest is needed.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
START_SECONDS = 30
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class PerchError(AssertionError):
    """Perch refused a request or does not start; the message says why."""


class Machine:
    """Where Perch runs: a folder of this machine, or a container that is started for the tests."""

    def __init__(self, port: int) -> None:
        self.port, self.container, self.engine = port, "", ""
        image, home = os.environ.get("PERCH_IMAGE"), os.environ.get("PERCH_HOME")
        self.home = Path(home).resolve() if home else None
        if self.home and not (self.home / "scim").is_dir():
            pytest.fail(f"PERCH_HOME={home} is not the folder of a Perch; it is where Perch's app.py and scim/ are.")
        self.folder = tempfile.mkdtemp(prefix="perch-") if home else "/data"
        if self.home is None:
            self.engine = next(filter(None, map(shutil.which, ("docker", "podman"))), "")
            if not (image and self.engine):
                pytest.fail(
                    "Set PERCH_HOME to the folder of a Perch, or PERCH_IMAGE to its image for docker or podman."
                )
            command = [self.engine, "run", "--rm", "-d", "-p", f"127.0.0.1:{port}:8000", image, "sleep", "86400"]
            self.container = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def command(self, environment: dict[str, str], *words: str) -> dict[str, Any]:
        """Return the arguments of subprocess for a Python module of Perch, which sees nothing of your project."""
        if self.home is None:
            settings = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
            return {"args": [self.engine, "exec", *settings, self.container, "python", "-m", *words]}
        own = self.home / ".venv" / "bin" / "python"
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        python = str(own if own.exists() else sys.executable)
        return {"args": [python, "-m", *words], "cwd": self.home, "env": {**kept, **environment}}

    def shell(self, script: str) -> None:
        """Run a line of shell beside Perch."""
        prefix = [self.engine, "exec", self.container] if self.container else []
        subprocess.run([*prefix, "sh", "-c", script], capture_output=True, check=False)

    def close(self) -> None:
        """Remove the container or the folder."""
        if self.container:
            subprocess.run([self.engine, "kill", self.container], capture_output=True, check=False)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)


class Perch:
    """A running Perch: `base` is its SCIM base URL, `key` a provider's access key, `read_key` an application's."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.machine = Machine(self.port)
        self.count, self.used = 0, False
        self.process: subprocess.Popen[bytes] | None = None
        self.template = f"{self.machine.folder}/template.db"
        self.flask("init", database=self.template)
        options = ("--unknown-roles", "create", "--json")
        self.key = str(json.loads(self.flask("keys", "create", "Tests", *options, database=self.template))["key"])
        read = self.flask("keys", "create", "Application", "--access", "read", "--json", database=self.template)
        self.read_key = str(json.loads(read)["key"])
        path = json.loads(self.flask("workspace", "--json", database=self.template))["scimPath"]
        self.base = f"http://127.0.0.1:{self.port}{path}"
        self.start()

    def environment(self, database: str = "") -> dict[str, str]:
        """Return the settings of this Perch; the fuse is off, since tests deactivate everybody."""
        file = database or f"{self.machine.folder}/{self.count}.db"
        settings = {"PERCH_DATABASE": file, "PERCH_FUSE": "off", "WEB_CONCURRENCY": "1"}
        return {**settings, "PERCH_WEBHOOKS_ALLOW_PRIVATE": "on", "FLASK_APP": "app.py"}

    def flask(self, *words: str, database: str = "") -> str:
        """Run a `flask` command of Perch and return what it prints."""
        command = self.machine.command(self.environment(database), "flask", *words)
        done = subprocess.run(**command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise PerchError(f"flask {' '.join(words)}: {done.stdout}{done.stderr}")
        return str(done.stdout)

    def start(self) -> None:
        """Start the server on a new file with the same keys."""
        self.count += 1
        self.machine.shell(f"cp {self.template} {self.machine.folder}/{self.count}.db")
        bind = f"{'0.0.0.0:8000' if self.machine.container else f'127.0.0.1:{self.port}'}"
        words = ("gunicorn", "app:app", "--bind", bind, "--pid", f"{self.machine.folder}/pid", "--workers", "1")
        command = self.machine.command(self.environment(), *words)
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(**command, stdout=quiet, stderr=quiet, start_new_session=True)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            with suppress(OSError):
                if OPENER.open(f"http://127.0.0.1:{self.port}/healthz", timeout=5).status == 200:
                    return
            time.sleep(0.02)
        raise PerchError(f"Perch does not start; in its folder, run: gunicorn --bind {bind} app:app")

    def stop(self) -> None:
        """Stop the server at once."""
        if self.process is None:
            return
        if self.machine.container:
            self.machine.shell(f"kill -QUIT $(cat {self.machine.folder}/pid)")
        else:
            os.killpg(self.process.pid, signal.SIGKILL)  # its files are not read again
        self.process.wait(START_SECONDS)
        self.process = None

    def reset(self) -> None:
        """Begin again with an empty Perch: a new file and a restart; base URL and keys stay."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop the server and remove all that it wrote."""
        self.stop()
        self.machine.close()

    def send(self, method: str, path: str, body: Any = None, key: str = "") -> Any:
        """Send a request below the base URL, and return the document of the answer; a refusal raises PerchError."""
        headers = {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/scim+json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, headers, method=method)
        try:
            with OPENER.open(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise PerchError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from None

    def find(self, endpoint: str, attribute: str, value: str) -> dict[str, Any] | None:
        """Return the person or group with this name, None where there is none."""
        query = urllib.parse.quote(f"{attribute} eq {json.dumps(value)}")
        found = self.send("GET", f"{endpoint}?filter={query}")["Resources"]
        return found[0] if found else None

    def user(self, login: str) -> dict[str, Any]:
        """Return a person as Perch has it now."""
        found = self.find("/Users", "userName", login)
        if found is None:
            raise PerchError(f"Perch has nobody with the login {login}; assign them first.")
        return found

    def assign(self, login: str, roles: Sequence[str] = (), **attributes: Any) -> str:
        """Assign a person to the application, or again; return the id. Roles that Perch lacks are created."""
        given, _, family = login.partition("@")[0].partition(".")
        name = {"givenName": given.title(), "familyName": family.title() or "Test"}
        body = {"schemas": [USER], "userName": login, "name": name, "active": True, "roles": list(roles)}
        body |= {"emails": [{"value": login, "primary": True, "type": "work"}], **attributes}
        found = self.find("/Users", "userName", login)
        written = self.send("PUT", f"/Users/{found['id']}", body) if found else self.send("POST", "/Users", body)
        return str(written["id"])

    def deactivate(self, login: str) -> None:
        """Withdraw the application from a person: the account stays, and may not log in."""
        change = {"op": "replace", "path": "active", "value": False}
        self.send("PATCH", f"/Users/{self.user(login)['id']}", {"schemas": [PATCH], "Operations": [change]})

    def push_group(self, name: str, logins: Sequence[str] = ()) -> str:
        """Push a group with exactly these members; return the id."""
        members = [{"value": self.user(login)["id"]} for login in logins]
        body = {"schemas": [GROUP], "displayName": name, "members": members}
        found = self.find("/Groups", "displayName", name)
        written = self.send("PUT", f"/Groups/{found['id']}", body) if found else self.send("POST", "/Groups", body)
        return str(written["id"])


@pytest.fixture(scope="session")
def perch_server() -> Iterator[Perch]:
    """One Perch for all tests."""
    server = Perch()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def perch(perch_server: Perch) -> Perch:
    """An empty Perch for one test."""
    if perch_server.used:
        perch_server.reset()
    perch_server.used = True
    return perch_server
