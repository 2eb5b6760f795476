"""examples/perch_fixture.py works where it is copied: in an empty project with an app.py and a schemas/ of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import ROOT, clean_environment

TESTS = """
import time
import app, schemas
import pytest
from perch_fixture import PerchError

ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"

def test_the_project_is_its_own():
    assert app.NAME == schemas.NAME == "mine"

def test_provider(perch):
    perch.assign("ada.lovelace@example.com", roles=["billing:reader"])
    perch.assign("grace@example.com", title="Admiral")
    ada = perch.user("ada.lovelace@example.com")
    assert (ada["roles"], ada["name"]["familyName"]) == (["billing:reader"], "Lovelace")
    assert ada[ACCESS]["loginAllowed"]
    perch.push_group("Support", ["ada.lovelace@example.com", "grace@example.com"])
    perch.push_group("Support", ["ada.lovelace@example.com"])
    assert [item["value"] for item in perch.find("/Groups", "displayName", "Support")["members"]] == [ada["id"]]
    perch.deactivate("ada.lovelace@example.com")
    assert not perch.user("ada.lovelace@example.com")[ACCESS]["loginAllowed"]
    assert perch.assign("ada.lovelace@example.com") == ada["id"]
    assert perch.user("ada.lovelace@example.com")["active"] is True

def test_each_test_begins_empty(perch):
    assert perch.send("GET", "/Users", key=perch.read_key)["totalResults"] == 0
    with pytest.raises(PerchError, match="403"):
        perch.send("POST", "/Users", {"userName": "x"}, key=perch.read_key)
    with pytest.raises(PerchError, match="assign them first"):
        perch.deactivate("nobody@example.com")

def test_reset_is_fast(perch):
    base, key = perch.base, perch.key
    perch.assign("ada@example.com")
    start = time.monotonic()
    perch.reset()
    print("reset took", time.monotonic() - start)
    assert time.monotonic() - start < LIMIT
    assert (perch.base, perch.key) == (base, key)
    assert perch.find("/Users", "userName", "ada@example.com") is None
"""


# Stands for docker: what runs in the container runs here, on a folder and a port that are not the container's.
ENGINE = """#!{python}
import os, sys
from pathlib import Path
words, data, port = sys.argv[1:], "{folder}/data", Path("{folder}/port")
if words[0] == "run":
    os.makedirs(data)
    port.write_text(words[words.index("-p") + 1].split(":")[1])
    print("c1")
elif words[0] == "exec":
    words, environment = words[1:], {{"PATH": os.environ["PATH"]}}
    while words[0] == "-e":
        name, _, value = words[1].partition("=")
        environment[name], words = value.replace("/data/", data + "/"), words[2:]
    assert words[0] == "c1"
    bind = "127.0.0.1:" + port.read_text()
    words = [word.replace("/data/", data + "/").replace("0.0.0.0:8000", bind) for word in words]
    words[1] = "{python}" if words[1] == "python" else words[1]
    os.chdir("{root}")
    os.execvpe(words[1], words[1:], environment)
"""


@pytest.mark.parametrize("where", ["folder", "image"])
def test_the_fixture_in_an_empty_project(where: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "schemas").mkdir(parents=True)
    shutil.copy(ROOT / "examples" / "perch_fixture.py", project)
    (project / "conftest.py").write_text("from perch_fixture import perch, perch_server  # noqa: F401\n")
    for own in ("app.py", "schemas/__init__.py"):
        (project / own).write_text("NAME = 'mine'\n")
    # 2 s on a quiet machine; the tests of this project run beside many others.
    (project / "test_mine.py").write_text(TESTS.replace("LIMIT", "8"))
    settings = {"PERCH_HOME": str(ROOT), "PYTHONPATH": str(project)}
    if where == "image":
        engine = tmp_path / "docker"
        engine.write_text(ENGINE.format(python=sys.executable, folder=tmp_path, root=ROOT))
        engine.chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        settings = {"PERCH_IMAGE": "perch", "PATH": path, "PYTHONPATH": str(project)}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(project)]
    environment = clean_environment(settings)
    done = subprocess.run(
        command, cwd=project, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "Set PERCH_HOME to the folder of a Perch"),
        ({"PERCH_HOME": "."}, "PERCH_HOME=. is not the folder of a Perch"),
    ],
    ids=["nothing set", "another folder"],
)
def test_without_a_perch_the_message_says_what_to_set(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    shutil.copy(ROOT / "examples" / "perch_fixture.py", tmp_path)
    (tmp_path / "conftest.py").write_text("from perch_fixture import perch, perch_server  # noqa: F401\n")
    (tmp_path / "test_mine.py").write_text("def test_x(perch):\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, env=clean_environment(settings), capture_output=True, text=True, timeout=60, check=False
    )
    assert said in done.stdout
