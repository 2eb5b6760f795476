"""The folder of the workers' metrics files (prometheus_client's multiprocess mode).

Each worker has files of its own. They are kept until the server stops, so that the sums of counters never fall.
This module does not import prometheus_client, which must find the folder in the environment when it is imported.
"""

import fcntl
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
PREFIX = f"perch-metrics-{os.getuid()}-"
# A master locks its folder right after making it; a folder younger than this may not be locked yet (seconds).
MAKING = 60.0


def make(parent: str) -> str:
    """Make a folder for the workers to come, locked as long as this process lives, and return its path."""
    folder = tempfile.mkdtemp(prefix=PREFIX, dir=parent)
    # The descriptor stays open on purpose: the kernel frees the lock when the process ends, however it ends.
    fcntl.flock(os.open(folder, os.O_RDONLY | os.O_CLOEXEC), fcntl.LOCK_SH)
    os.environ[VARIABLE] = folder
    return folder


def remove_leftovers(parent: str) -> None:
    """Remove the folders of masters that were killed: nobody holds their locks."""
    for folder in Path(parent).glob(f"{PREFIX}*"):
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if folder.stat().st_mtime < time.time() - MAKING:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)
