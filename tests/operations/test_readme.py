"""The README's shell blocks run as pasted, in order: `make run` in a first terminal, the others in a second."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.guide import run_block
from tests.support.pages import blocks
from tests.support.server import ROOT, clean_environment

README = ROOT / "README.md"
BLOCKS = blocks(README, "sh")
SERVE = "make run\n"
WAIT_SECONDS = 120
# Compose needs a container engine; here the command that would run in the container runs on a file of its own.
DOCKER = """
case "$*" in
    "compose up --detach") test -n "$DOMAIN" && grep --quiet 'DOMAIN:?' compose.yaml ;;
    "compose exec perch "*) shift 3; PERCH_DATABASE=compose.db exec "$@" ;;
    *) echo "unexpected: docker $*" >&2; exit 64 ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout as git clones it, with the virtual environment that `make run` would make."""
    made = tmp_path / "perch"
    made.mkdir()
    kept = ("app.py", "gunicorn.conf.py", "compose.yaml", "Makefile", "requirements.txt")
    for name in (*kept, "schemas", "scim", "storage", "examples"):
        (made / name).symlink_to(ROOT / name)
    (made / ".venv").symlink_to(sys.prefix)
    make = tmp_path / "stand-ins" / "make"
    make.parent.mkdir()
    make.write_text(f'#!/bin/sh\nexec {shutil.which("make")} --old-file .venv/run.stamp PORT=0 "$@"\n')
    make.chmod(0o755)
    return made


@contextmanager
def first_terminal(folder: Path) -> Iterator[str]:
    """Run the block with `make run` until the end of the block; yield the address that it serves."""
    log = folder.parent / "first-terminal"
    environment = clean_environment({"PATH": f"{folder.parent / 'stand-ins'}{os.pathsep}{os.environ['PATH']}"})
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["bash", "-euc", SERVE], cwd=folder, env=environment, stdin=subprocess.DEVNULL,
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield wait_for_origin(process, log)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(WAIT_SECONDS)


def wait_for_origin(process: "subprocess.Popen[bytes]", log: Path) -> str:
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"Listening at: (http://127\.0\.0\.1:\d+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"make run does not serve:\n{log.read_text()}")


can_run = pytest.mark.skipif(not (Path(sys.prefix) / "bin" / "activate").exists(), reason="needs a virtual environment")


@can_run
def test_every_block_runs_as_pasted(folder: Path) -> None:
    assert BLOCKS[0] == SERVE, "the README begins with the server"
    script = "".join(f"printf '\\n--- {n}\\n'\n{block}" for n, block in enumerate(BLOCKS[1:]))
    with first_terminal(folder) as origin:
        printed = run_block(script.replace("http://127.0.0.1:8000", origin), folder, {"docker": DOCKER})
    tested, created, asked, served = re.split(r"^--- \d+\n", printed, flags=re.MULTILINE)[1:]
    assert re.search(r"\b1\d\d passed, 0 failed, 0 warnings, 0 skipped", tested)
    (shown,) = blocks(README, "json")
    assert shown in created, "the README's part of the answer is out of date"
    allowed, explained, *_ = asked.splitlines()
    assert allowed == "yes: managed:editor" and explained.startswith("ada@example.com: May log in")
    found = json.loads(asked[asked.index("{") :])["Resources"]
    assert found == [json.loads(created)]
    assert "/scim/v2" in served and "perch_" in served


def test_a_newcomer_can_read_it_in_one_go() -> None:
    assert README.read_text(encoding="utf-8").count("\n") < 150
