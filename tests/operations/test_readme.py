"""The README's shell blocks run unchanged, one after the other, against a real server."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.support.server import ROOT, clean_environment

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
ANSWER = re.search(r"^```json\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
# The tests' interpreter replaces the virtual environment that `make run` creates.
ACTIVATE = ". .venv/bin/activate\n"
# It serves until it is stopped; tests/operations/test_example_app.py runs it.
EXAMPLE = "flask --app examples/app.py run --port 5000\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the checkout that the commands may write to."""
    made = tmp_path / "checkout"
    made.mkdir()
    for name in ("app.py", "schemas", "scim", "storage", "examples"):
        (made / name).symlink_to(ROOT / name)
    return made


def test_every_block_runs(make_server: MakeServer, folder: Path) -> None:
    server = make_server(settings={"PERCH_FAULTS": "on", "PERCH_TRAFFIC": "all"})
    server.start()
    script = "set -euo pipefail\n" + "\n".join(f"printf '\\n--- {n}\\n'\n{block}" for n, block in enumerate(BLOCKS))
    script = script.replace(ACTIVATE, "").replace(EXAMPLE, "").replace("http://127.0.0.1:8000", server.origin)
    environment = clean_environment({"PERCH_DATABASE": str(server.database), "PERCH_PUBLIC_URL": server.origin})
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    outputs = re.split(r"^--- \d+\n", done.stdout, flags=re.MULTILINE)[1:]
    assert shape(json.loads(outputs[0])) == shape(printed_answer()), "the README's answer is out of date"
    assert json.loads(outputs[1])["Resources"] == [json.loads(outputs[0])]


def printed_answer() -> object:
    assert ANSWER is not None
    return json.loads(ANSWER[1])


def shape(document: object) -> object:
    """The document with each value that changes from run to run replaced by its type."""
    if isinstance(document, dict):
        moving = {"id", "created", "lastModified", "location"}
        return {key: type(item).__name__ if key in moving else shape(item) for key, item in document.items()}
    if isinstance(document, list):
        return [shape(item) for item in document]
    return document


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_a_newcomer_can_read_it_in_one_go() -> None:
    assert README.count("\n") < 300
