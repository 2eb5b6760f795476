"""The blocks of docs/operate.md and docs/upgrade.md, run as they stand."""

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import requests

from tests.support.server import ROOT, clean_environment

GUIDE = ROOT / "docs" / "operate.md"


def block(title: str, guide: Path = GUIDE) -> str:
    """Return the only block whose first line is a comment that begins with the title."""
    blocks = re.findall(r"^```sh\n(.*?)^```", guide.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (found,) = [each for each in blocks if re.match(f"# {re.escape(title)}[;\n]", each)]
    return str(found)


def run_block(script: str, folder: Path, programs: dict[str, str], **environment: str) -> str:
    """Run a block in a folder; `programs` are stand-ins, each a shell script, found before the machine's own."""
    stand_ins = folder / "stand-ins"
    stand_ins.mkdir(exist_ok=True)
    for name, text in programs.items():
        (stand_ins / name).write_text(f"#!/bin/sh\n{text}\n")
        (stand_ins / name).chmod(0o755)
    settings = clean_environment({**environment, "PATH": f"{stand_ins}:{os.environ['PATH']}"})
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=settings, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}{done.stderr}"
    return done.stdout


def wait_for(url: str, seconds: float = 60) -> None:
    """Wait until a URL answers 200."""
    end = time.monotonic() + seconds
    while True:
        with suppress(requests.RequestException):
            if requests.get(url, timeout=5).status_code == 200:
                return
        assert time.monotonic() < end, url
        time.sleep(0.1)


def by_podman(**names: str) -> str:
    """Return a stand-in for `docker` that runs its few commands of the guide by podman."""
    environment = " ".join(f"{name}='{value}'" for name, value in names.items())
    return f'cd {ROOT} && {environment} exec {sys.executable} -m tests.support.docker_by_podman "$@"'
