"""Defaults of `gunicorn app:app`; every one yields to gunicorn's own command line options."""

import ctypes
import fcntl
import os
import shutil
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn import glogging
from gunicorn.errors import AppImportError

# gunicorn reads this file before it looks for the application.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from scim.observability import logs
from scim.settings import VERSION, WrongSetting, read_settings, unknown_settings

APP_LOAD_ERROR = 4
M_MMAP_THRESHOLD = -3  # <malloc.h>
ROOMS = ("schemas", "storage", "scim")

try:
    settings = read_settings(os.environ)
except WrongSetting as error:
    print(f"perch: {error}", file=sys.stderr)
    sys.exit(APP_LOAD_ERROR)

bind = "127.0.0.1:8000"

# Measured on two cores with eight clients, GETs / POSTs of a user per second, within 10 %: gthread 2x2 4,070 / 970,
# 2x4 3,670 / 1,120, 2x8 4,070 / 1,110, 3x4 4,190 / 1,040, 4x2 4,200 / 1,090; 1x8 1,300 / 780, as one process uses one
# core; sync 3 4,510 / 1,180, sync 8 3,950 / 880, but a sync worker waits for whoever opens a connection and says
# nothing. So: a process for each core, and threads, which cost nothing, for callers that wait or write slowly.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 4

# Okta closes a connection after 60 s: by waiting longer, the server never closes one that Okta is about to use.
keepalive = 75
graceful_timeout = 30

# Whose X-Forwarded-* headers count is Perch's own setting (PERCH_TRUSTED_PROXIES); gunicorn would believe 127.0.0.1.
forwarded_allow_ips = ""
forwarder_headers = ""

# gunicorn's largest: a filter travels in the request line.
limit_request_line = 8190

# Connections to SQLite must not be carried over a fork.
preload_app = False

# Its path is one per user, so that two deployments of one user would meet there.
control_socket_disable = True

# What workers tell the master by, and count into: in memory where there is a file system for that.
memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
worker_tmp_dir = memory

# Perch logs requests itself, with their ids and without what is personal.
accesslog = None
loglevel = settings["PERCH_LOG_LEVEL"]


class Logger(glogging.Logger):
    """gunicorn's log in the form of Perch's."""

    def setup(self, cfg: Any) -> None:
        """Set up the log as gunicorn does, then change the form of what goes to its error log."""
        super().setup(cfg)
        for handler in self.error_log.handlers:
            if getattr(handler, "_gunicorn", False):
                handler.setFormatter(logs.formatter(settings["PERCH_LOG_FORMAT"]))


logger_class = Logger


def on_starting(server: Any) -> None:
    """Say once what starts and which settings do not exist; make the folder that the workers count in."""
    for line in unknown_settings(os.environ):
        server.log.warning("%s", line)
    server.log.info("Perch %s, file %s", VERSION, os.path.abspath(settings["PERCH_DATABASE"]))
    remove_leftovers()
    server.perch_metrics = tempfile.mkdtemp(prefix=f"perch-metrics-{os.getuid()}-", dir=memory)
    server.perch_metrics_lock = os.open(server.perch_metrics, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(server.perch_metrics_lock, fcntl.LOCK_SH)


def remove_leftovers() -> None:
    """Remove the folders of masters that were killed: their locks are free; a new one may not be locked yet."""
    for folder in Path(memory).glob(f"perch-metrics-{os.getuid()}-*"):
        with suppress(OSError):
            handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if folder.stat().st_mtime < time.time() - 60:
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(handle)


def on_exit(server: Any) -> None:
    """Remove the folder that the workers counted in."""
    if folder := getattr(server, "perch_metrics", None):
        shutil.rmtree(folder, ignore_errors=True)


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker the lowest free place: it counts on in the file of the worker that had the place before."""
    taken = {getattr(other, "perch_place", None) for other in server.WORKERS.values()}
    worker.perch_place = next(place for place in range(len(taken) + 1) if place not in taken)


def post_fork(server: Any, worker: Any) -> None:
    """Prepare the worker for the application: its own log, its own file to count in, modules as they are now."""
    # What the master loaded may be of another version than what a reload (SIGHUP) is to bring.
    for name in [name for name in sys.modules if name.partition(".")[0] in ROOMS]:
        del sys.modules[name]
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = server.perch_metrics
    from prometheus_client import values

    values.ValueClass = values.MultiProcessValue(lambda: worker.perch_place)


def post_worker_init(worker: Any) -> None:
    """Open the database before the first request, so that a file that cannot be used stops the start with one line."""
    from scim.observability import logs

    give_memory_back()
    logs.start(settings["PERCH_LOG_LEVEL"], settings["PERCH_LOG_FORMAT"], settings["PERCH_LOG_PERSONAL"])
    try:
        worker.wsgi.extensions["perch"].open()
        # Applications that wait for events must not hold a stop.
        worker.wsgi.extensions["perch.alive"] = lambda: worker.alive
    except Exception as error:
        if worker.age > 1:
            leave_it_to_the_first(worker)
        # Of this exception alone gunicorn prints the text, not the traceback; then it stops instead of trying again.
        raise AppImportError(f"Perch cannot start: {error}") from error
    # Old traffic is pruned even where no request ever comes.
    worker.wsgi.extensions["perch.traffic"].writer.start()


def give_memory_back() -> None:
    """Have the C library return memory of half a megabyte or more at once; it would keep what each thread once had."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 512 * 1024)


def leave_it_to_the_first(worker: Any) -> None:
    """Wait up to 5 s to be told to stop: gunicorn trips over a second failure while it stops for the first."""
    end = time.monotonic() + 5
    while worker.alive and time.monotonic() < end:
        time.sleep(0.05)
    if not worker.alive:
        sys.exit(0)
