"""A newcomer pastes the README's commands into a clean clone, up to the first green `flask okta test`."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.drills import RecordDrill
from tests.support.server import ROOT, clean_environment

START, GOAL = "make run\n", "flask okta test"
# The server stays in the terminal where it was started; a newcomer goes on in a second one once it answers.
SERVE = r"""make run PORT=0 >server.log 2>&1 &
until ORIGIN=$(sed -n 's|.*Listening at: \(http://127[0-9.:]*\).*|\1|p' server.log)
      curl -fso /dev/null "$ORIGIN/healthz"; do
    kill -0 $! || { cat server.log; exit 1; }
    sleep 0.1
done
"""


def commands(text: str) -> str:
    """Return the commands of a page's shell blocks, up to and with the first one that is the goal."""
    found = ""
    for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language not in ("", "sh"):
            continue
        before, goal, _ = block.partition(GOAL)
        found += f"{before}{goal}\n"
        if goal:
            return found
    raise AssertionError(f"no block has {GOAL}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```\nmake run\n```\n\n```sh\na\nflask okta test --app x\nb\n```\n", "make run\n\na\nflask okta test\n"),
        ("`flask okta test`\n```json\n{}\n```\n```sh\nX=1 flask okta test\n```\n", "X=1 flask okta test\n"),
    ],
)
def test_the_commands_end_with_the_goal(text: str, expected: str) -> None:
    assert commands(text) == expected


def test_the_readme_begins_with_a_server_and_comes_to_the_goal() -> None:
    found = commands((ROOT / "README.md").read_text(encoding="utf-8"))
    assert START in found and found.endswith(f"{GOAL}\n")


@pytest.mark.long
def test_a_clean_clone_comes_to_a_green_okta_test(tmp_path: Path, drill: RecordDrill) -> None:
    """The aim is under 60 seconds on an idle machine with the wheels in pip's cache; the time is told, not judged."""
    clone = tmp_path / "perch"
    cloned = subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], capture_output=True, check=False)
    if cloned.returncode:
        pytest.skip("this folder is no clone")
    script = commands((clone / "README.md").read_text(encoding="utf-8")).replace("http://127.0.0.1:8000", "$ORIGIN")
    script = f"set -euo pipefail\n{script.replace(START, SERVE)}"
    environment = clean_environment({"PYTHON": sys.executable})
    begun = time.monotonic()
    process = subprocess.Popen(["bash", "-c", script], cwd=clone, env=environment, text=True, start_new_session=True,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
    try:
        told, _ = process.communicate(timeout=900)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    seconds = time.monotonic() - begun
    assert process.returncode == 0 and re.search(r": \d{2,} passed, 0 failed", told), told[-3000:]
    drill("the README in a clean clone, to a green flask okta test", 0, 0, seconds)
    print(f"{seconds:.0f} seconds from the clone to a green flask okta test")
