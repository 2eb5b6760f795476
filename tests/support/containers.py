"""Images and containers by podman, on a base without a registry, in a network that a test can enter."""

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench.servers import children
from tests.support.client import ScimClient, http_transport
from tests.support.debian import program
from tests.support.server import ROOT

REGISTRY_BASE, OWN_BASE = "docker.io/library/python:3.11-slim-bookworm", "localhost/perch-test-base"
PACKAGES = "python3,python3-pip,python-is-python3,ca-certificates"
# Where root may not raise limits, the engine's own high ones cannot be set.
LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096"]
CLONE_NEWNET = 0x40000000
START_SECONDS = 60.0


def run(*command: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command, with its output in the failure."""
    done = subprocess.run(command, text=True, capture_output=True, check=False, **options)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done


@contextmanager
def in_network(path: str) -> Iterator[None]:
    """Let this thread use a network namespace during the block."""
    libc = ctypes.CDLL(None, use_errno=True)
    before, wanted = (os.open(each, os.O_RDONLY) for each in ("/proc/thread-self/ns/net", path))
    try:
        assert libc.setns(wanted, CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(before)
        os.close(wanted)


class Engine:
    """podman with its own network and images; what it made is removed at the end, except the base."""

    def __init__(self, folder: Path) -> None:
        """Install podman and find a base image; skip the test where either is not possible."""
        self.podman, self.ip = program("podman"), program("ip", "iproute2")
        program("buildah"), program("runc")
        self.folder, self.name = folder, f"perch-test-{os.getpid()}"
        self.images: list[str] = []
        self.own = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.build_options = self._base()
        run(self.ip, "netns", "add", self.name)
        run(self.ip, "-n", self.name, "link", "set", "lo", "up")

    def _base(self) -> list[str]:
        """Return the options for a build on the base of the Dockerfile, or on Debian's Python without a registry."""
        with suppress(subprocess.TimeoutExpired):
            if run(self.podman, "pull", "--quiet", REGISTRY_BASE, check=False, timeout=60).returncode == 0:
                return ["--from", REGISTRY_BASE, "--isolation", "chroot"]
        if run(self.podman, "image", "exists", OWN_BASE, check=False).returncode:
            tar = self.folder / "base.tar"
            made = run(program("mmdebstrap"), "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(tar),
                       check=False)  # fmt: skip
            if made.returncode:
                pytest.skip(f"no base image: {made.stderr[-500:]}")
            changes = ("PIP_BREAK_SYSTEM_PACKAGES=1", "PIP_NO_INDEX=1", "PIP_FIND_LINKS=/wheels")
            run(self.podman, "import", *(f"--change=ENV {change}" for change in changes), str(tar), OWN_BASE)
            tar.unlink()
        return ["--from", OWN_BASE, "--isolation", "chroot", "--volume", f"{self._wheels()}:/wheels:ro"]

    def _wheels(self) -> Path:
        wheels = self.folder / "wheels"
        run(sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--requirement", "requirements.txt",
            "--dest", str(wheels), "--python-version", "3.11", "--only-binary", ":all:", cwd=ROOT)  # fmt: skip
        return wheels

    def build(self, tag: str, root: Path = ROOT) -> str:
        """Build a checkout's image by `make image`, with this checkout's Makefile."""
        image = f"localhost/{self.name}-{tag}"
        options = " ".join(self.build_options)
        run("make", "--file", str(ROOT / "Makefile"), "image", f"IMAGE={image}", f"IMAGE_OPTIONS={options}", cwd=root)
        self.images.append(image)
        return image

    @contextmanager
    def network(self) -> Iterator[None]:
        """Let this thread, and the threads that it starts, use the containers' network."""
        with in_network(f"/run/netns/{self.name}"):
            yield

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Leave that network for the block: podman must not run inside."""
        with in_network(f"/proc/{os.getpid()}/fd/{self.own}"):
            yield

    def inspect(self, image: str) -> Any:
        """Return what the engine knows about an image."""
        return json.loads(run(self.podman, "image", "inspect", image).stdout)

    def close(self) -> None:
        """Remove network and images."""
        run(self.podman, "rmi", "--force", *self.images, check=False)
        run(self.ip, "netns", "delete", self.name, check=False)
        os.close(self.own)


def hardening() -> list[str]:
    """Return what compose.yaml demands of Perch's container, as options of podman."""
    service = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["perch"]
    assert service["read_only"] is True
    options = ["--read-only", "--read-only-tmpfs=false"]
    options += [f"--tmpfs={path}" for path in service["tmpfs"]]
    options += [f"--cap-drop={name}" for name in service["cap_drop"]]
    return options + [f"--security-opt={option.removesuffix(':true')}" for option in service["security_opt"]]


class Container:
    """One deployment: a container and a volume, as compose.yaml would have them, with JSON as the log."""

    def __init__(self, engine: Engine, name: str, image: str, **settings: str) -> None:
        """Start nothing yet."""
        self.engine, self.name, self.image = engine, f"{engine.name}-{name}", image
        environment = {"PERCH_LOG_FORMAT": "json", "PERCH_FUSE": "off", **settings}
        self.options = [
            *("--runtime", "runc"), *LIMITS, *hardening(), *("--network", f"ns:/run/netns/{engine.name}"),
            # podman's own timer would need systemd; the tests run the check by hand.
            *("--health-interval", "disable"), *("--volume", f"{self.name}:/data"),
            *(word for item in environment.items() for word in ("--env", "=".join(item))),
        ]  # fmt: skip

    def podman(self, *words: str, check: bool = True, **options: Any) -> subprocess.CompletedProcess[str]:
        with self.engine.outside():
            return run(self.engine.podman, *words, check=check, **options)

    def up(self) -> float:
        """Create and start the container; return the seconds until it is healthy."""
        begun = time.monotonic()
        self.podman("run", "--detach", "--name", self.name, *self.options, self.image)
        return self.wait(begun)

    def start(self) -> float:
        """Start the stopped container; return the seconds until it is healthy."""
        begun = time.monotonic()
        self.podman("start", self.name)
        return self.wait(begun)

    def wait(self, begun: float) -> float:
        while self.podman("healthcheck", "run", self.name, check=False).returncode:
            assert time.monotonic() < begun + START_SECONDS, self.log()
            time.sleep(0.2)
        return time.monotonic() - begun

    def run_once(self, *command: str, **options: Any) -> str:
        """Run a command in a container of its own on the same volume."""
        words = ["run", "--rm", "--interactive", *self.options, self.image, *command]
        return self.podman(*words, **options).stdout

    def execute(self, *command: str, check: bool = True) -> str:
        """Run a command in the running container."""
        done = self.podman("exec", self.name, *command, check=check)
        return done.stdout

    def flask(self, *arguments: str) -> Any:
        """Return the JSON document that a `flask` command in the container prints."""
        return json.loads(self.execute("flask", *arguments, "--json"))

    def client(self) -> ScimClient:
        """Return a client with a key of its own; to be used inside the engine's network."""
        key = self.flask("keys", "create", "tests", "--idp", "generic")["key"]
        path = self.flask("workspace")["scimPath"].rstrip("/")
        return ScimClient(http_transport("http://127.0.0.1:8000"), path, key, "generic")

    def log(self) -> str:
        done = self.podman("logs", self.name, check=False)
        return done.stdout + done.stderr

    def pid(self) -> int:
        """Return process 1 of the container, by its number outside."""
        return int(self.podman("inspect", "--format", "{{.State.Pid}}", self.name).stdout)

    def deliverers(self) -> list[int]:
        """Return the processes of `flask deliver`, a parent before its child."""
        found, queue = [], [self.pid()]
        while queue:
            pid = queue.pop(0)
            queue += children(pid)
            if b"deliver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
        return found

    def down(self) -> None:
        """Remove container and volume."""
        self.podman("rm", "--force", "--time", "0", "--ignore", self.name, check=False)
        self.podman("volume", "rm", "--force", self.name, check=False)
