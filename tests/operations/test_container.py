"""The container without a container engine: the tests carry out the Dockerfile, lint it and check compose.yaml."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from scim.settings import SETTINGS
from tests.support.dockerfile import Image, instructions, reaches_the_builder
from tests.support.ports import unused_port
from tests.support.server import ROOT

START_SECONDS = 60.0


def one(name: str) -> str:
    """The text of the only instruction with a name."""
    (found,) = [each.text for each in instructions(ROOT / "Dockerfile") if each.name == name]
    return found


def test_hadolint_finds_nothing() -> None:
    program = shutil.which("hadolint") or Path(sys.prefix, "bin", "hadolint")
    if not Path(program).exists():
        pytest.skip("hadolint is not to be had for this kind of machine")
    result = subprocess.run([str(program), "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout + result.stderr) == (0, "")


def test_the_image_is_slim_and_runs_without_privileges() -> None:
    assert one("FROM") == "${BASE}"
    assert re.fullmatch(r"BASE=python:3\.\d+-slim-\w+", one("ARG"))
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", one("USER"))
    assert one("VOLUME") == "/data"
    assert one("STOPSIGNAL") == "SIGTERM"
    assert "curl" not in one("HEALTHCHECK")
    installs = [each.text for each in instructions(ROOT / "Dockerfile") if "pip install" in each.text]
    assert len(installs) == 1 and "--require-hashes" in installs[0] and "--no-cache-dir" in installs[0]


@pytest.mark.parametrize("path", [".git", ".env", "perch.db", "perch.db-wal", "tests", "README.md", ".venv"])
def test_nothing_private_reaches_the_builder(path: str) -> None:
    assert not reaches_the_builder(path)


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The Dockerfile carried out in a folder that other users may enter, unlike pytest's own folders."""
    folder = Path(tempfile.mkdtemp(prefix="perch-image-"))
    folder.chmod(0o755)
    yield Image(folder)
    shutil.rmtree(folder)


@pytest.fixture
def port() -> int:
    return unused_port()


def run(image: Image, command: list[str], port: int, log: Path) -> tuple[int, str]:
    log.write_bytes(b"")
    return image.start(command, port, log).wait(60), log.read_text()


def test_the_container_from_start_to_stop(image: Image, port: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = image.start(image.command, port, log)
    try:
        wait_until_healthy(image, process, port, tmp_path)
        assert "gunicorn" in Path(f"/proc/{process.pid}/cmdline").read_text(), "gunicorn must be process 1"
        assert os.stat(f"/proc/{process.pid}").st_uid == image.user != 0
        code, told = run(image, ["flask", "init"], port, tmp_path / "init")
        assert code == 0, told
        key = re.search(r"perch_\w{10}_\S{43}", told)
        assert key and "Console password" in told
        assert "perch_" not in log.read_text().replace("perch_server", "")
        assert {path.stat().st_uid for path in image.data.iterdir()} == {image.user}
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(35) == 0, log.read_text()
    finally:
        end(process)
    assert (image.data / "perch.db").stat().st_mode & 0o077 == 0
    assert run(image, image.health, port, tmp_path / "health")[0] != 0


def wait_until_healthy(image: Image, process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    """Run the Dockerfile's HEALTHCHECK until it succeeds."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if run(image, image.health, port, folder / "health")[0] == 0:
            return
        time.sleep(0.2)
    raise AssertionError((folder / "log").read_text())


def end(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return found


def test_compose_publishes_caddy_alone() -> None:
    services = compose()["services"]
    ports = [(name, port) for name, service in services.items() for port in service.get("ports", [])]
    assert {name for name, port in ports if not port.startswith("127.0.0.1:")} == {"caddy"}
    assert services["perch"]["environment"]["PERCH_TRUSTED_PROXIES"] == "1"
    assert services["perch"]["read_only"] is True
    assert services["litestream"]["profiles"] == ["litestream"]
    assert services["prometheus"]["profiles"] == ["monitoring"]


def test_compose_mounts_what_is_there() -> None:
    found = compose()
    for service in found["services"].values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith(".") else source in found["volumes"], volume


def test_compose_sets_what_exists() -> None:
    known = {setting.name for setting in SETTINGS}
    for name, service in compose()["services"].items():
        perchs = {each for each in service.get("environment", ()) if each.startswith("PERCH_")}
        assert perchs <= known, name


def test_the_follower_of_compose_reads_what_its_litestream_keeps(tmp_path: Path) -> None:
    found, guide = compose()["services"], (ROOT / "docs" / "second-machine.md").read_text(encoding="utf-8")
    copy, follower, primary = found["follower-copy"], found["follower"], found["perch"]
    assert copy["profiles"] == follower["profiles"] == ["follower"]
    assert "docker compose --profile follower up --detach follower-copy follower" in guide
    assert copy["volumes"] == follower["volumes"] == ["follower:/data"]
    assert copy["user"] == one("USER") == found["litestream"]["user"] and copy["image"] == found["litestream"]["image"]
    # The image that is created first gives the volume its owner.
    assert copy["depends_on"] == ["follower"] and "depends_on" not in follower
    same = ("image", "build", "volumes", "read_only", "tmpfs", "cap_drop", "security_opt", "stop_grace_period")
    assert {name for name in same if follower[name] != primary[name]} == {"volumes"}
    assert follower["environment"].keys() >= {"PERCH_FOLLOW", "PERCH_PRIMARY_URL"}
    assert "PERCH_DATABASE=/data/perch.db" in one("ENV")
    assert one("CMD").endswith(f'exec {" ".join(follower["command"])}"]'), "the primary's without flask deliver"
    (shell, option, script) = copy["entrypoint"]
    for name in ("perch.db", "perch.db-txid", "other.db"):
        (tmp_path / name).touch()
    (tmp_path / "litestream").write_text('#!/bin/sh\necho "$@"\n')
    (tmp_path / "litestream").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PERCH_REPLICA": "s3://bucket/perch"}
    done = subprocess.run([shell, option, script.replace("$$", "$").replace("/data", str(tmp_path))], env=environment,
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.split() == ["restore", "-f", "-o", f"{tmp_path}/perch.db", "s3://bucket/perch"]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["litestream", "other.db"]


def test_the_container_stops_later_than_gunicorn() -> None:
    graceful = re.search(r"^graceful_timeout = (\d+)", (ROOT / "gunicorn.conf.py").read_text(), re.MULTILINE)
    assert graceful
    assert int(compose()["services"]["perch"]["stop_grace_period"].removesuffix("s")) > int(graceful[1])


def test_caddy_forwards_to_perch_and_keeps_monitoring_inside() -> None:
    text = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    assert all(line in text for line in ("read_header 10s", "read_body 5m", "request_buffers 256KiB"))
    assert "reverse_proxy perch:8000" in text
    assert "path /metrics /readyz" in text
    assert "header Content-Type application/scim+json*" in text, "which Caddy's own list of types lacks"
    assert 'Strict-Transport-Security "max-age=31536000; includeSubDomains"' in text
    assert text.count("{") == text.count("}")


def test_only_pages_are_redirected_to_https() -> None:
    text = (ROOT / "deploy" / "Caddyfile").read_text(encoding="utf-8")
    (plain,) = re.findall(r"^http://\{\$DOMAIN\} \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    assert "@pages path / /console /console/*\n" in plain
    assert re.findall(r"^\tredir .*", plain, re.MULTILINE) == ["\tredir @pages https://{host}{uri} 308"]
    assert re.search(r'^\trespond ".*" 403$', plain, re.MULTILINE)
