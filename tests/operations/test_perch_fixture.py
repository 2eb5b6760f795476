"""examples/perch_fixture.py works where it is copied: in an empty project with an app.py and a schemas/ of its own."""

import shutil
import subprocess
import sys
from pathlib import Path

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


def test_the_fixture_in_an_empty_project(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "perch_fixture.py", tmp_path)
    (tmp_path / "conftest.py").write_text("from perch_fixture import perch, perch_server  # noqa: F401\n")
    (tmp_path / "app.py").write_text("NAME = 'mine'\n")
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "__init__.py").write_text("NAME = 'mine'\n")
    # 2 s on a quiet machine; the tests of this project run beside many others.
    (tmp_path / "test_mine.py").write_text(TESTS.replace("LIMIT", "8"))
    environment = clean_environment({"PERCH_HOME": str(ROOT), "PYTHONPATH": str(tmp_path)})
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_without_a_perch_the_message_says_what_to_set(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples" / "perch_fixture.py", tmp_path)
    (tmp_path / "conftest.py").write_text("from perch_fixture import perch, perch_server  # noqa: F401\n")
    (tmp_path / "test_mine.py").write_text("def test_x(perch):\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, cwd=tmp_path, env=clean_environment({}), capture_output=True, text=True, timeout=60, check=False
    )
    assert "Set PERCH_HOME to the folder of a Perch" in done.stdout
