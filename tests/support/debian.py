"""Programs that a long test may install from Debian."""

import os
import shutil
import subprocess
from functools import cache

import pytest


@cache
def program(name: str, package: str = "") -> str:
    """Return the path of a program, installed by apt-get if need be; skip the test where that is not possible."""
    found = shutil.which(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        command = ["apt-get", "install", "--yes", "--no-install-recommends", package or name]
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(command, env=environment, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} cannot be installed here")
    return found
