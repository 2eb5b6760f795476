"""Defaults of `gunicorn app:app`; gunicorn's own command line options override them."""

import ctypes
import itertools
import logging
import os
import shutil
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from gunicorn import glogging

# gunicorn reads this file before it looks for the application.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from scim.observability import logs, metrics_folder
from scim.settings import VERSION, WrongSetting, read_settings, unknown_settings

# gunicorn's exit statuses, with which the master stops instead of trying again: 4 for a wrong setting, 3 for what may
# pass (a file that is busy, a full disk, a missing mount).
APP_LOAD_ERROR, WORKER_BOOT_ERROR = 4, 3
HEARTBEAT = 1.0  # in seconds
M_MMAP_THRESHOLD = -3  # <malloc.h>
ROOMS = ("schemas", "storage", "scim")

logs.start_service(os.environ)
try:
    settings = read_settings(os.environ)
except WrongSetting as error:
    print(f"perch: {error}", file=sys.stderr)
    sys.exit(APP_LOAD_ERROR)

bind = "127.0.0.1:8000"

# Measured on two cores with eight clients, GETs / POSTs of a user per second, within 10 %: gthread 2x2 4,070 / 970,
# 2x4 3,670 / 1,120, 2x8 4,070 / 1,110, 3x4 4,190 / 1,040, 4x2 4,200 / 1,090; 1x8 1,300 / 780, as one process uses one
# core; sync 3 4,510 / 1,180, sync 8 3,950 / 880, but an idle connection blocks a sync worker. So: one process per core,
# and threads, which cost nothing, for clients that wait or write slowly.
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = 4

# Okta closes a connection after 60 s; the server waits longer, so it never closes one that Okta is about to use.
keepalive = 75
graceful_timeout = 30

# PERCH_TRUSTED_PROXIES alone decides which X-Forwarded-* headers count; gunicorn would trust those of 127.0.0.1.
forwarded_allow_ips = ""
forwarder_headers = ""

# gunicorn's largest: a filter travels in the request line.
limit_request_line = 8190

# Connections to SQLite must not be carried over a fork.
preload_app = False

# Its path is one per user: two deployments of one user would share it.
control_socket_disable = True

# The workers' heartbeats and metrics files lie in memory where there is a tmpfs.
memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()
worker_tmp_dir = memory

# Perch logs requests itself, with their ids and without personal data.
accesslog = None
loglevel = settings["PERCH_LOG_LEVEL"]


class Logger(glogging.Logger):
    """gunicorn's log in the format of Perch's."""

    def setup(self, cfg: Any) -> None:
        """Set up the log as gunicorn does, then change the format of its error log."""
        super().setup(cfg)
        for handler in logging.getLogger("gunicorn.error").handlers:
            handler.setFormatter(logs.formatter(settings["PERCH_LOG_FORMAT"]))


logger_class = Logger
forks = itertools.count(1)


def on_starting(server: Any) -> None:
    """Log once which version starts and which settings do not exist; make the folder of the metrics files."""
    for line in unknown_settings(os.environ):
        server.log.warning("%s", line)
    server.log.info("Perch %s, file %s", VERSION, os.path.abspath(settings["PERCH_DATABASE"]))
    try:
        metrics_folder.remove_leftovers(memory)
        server.perch_metrics = metrics_folder.make(memory)
    except OSError as error:
        server.log.error("Perch cannot start: %s", error)
        sys.exit(WORKER_BOOT_ERROR)


def on_exit(server: Any) -> None:
    """Remove the folder of the metrics files."""
    shutil.rmtree(server.perch_metrics, ignore_errors=True)


def pre_fork(server: Any, worker: Any) -> None:
    """Mark the first worker: it alone reports a database that cannot be opened."""
    worker.perch_is_first = next(forks) == 1


def post_fork(server: Any, worker: Any) -> None:
    """Unload Perch's modules: a reload (SIGHUP) may bring another version than the one the master loaded."""
    for name in [name for name in sys.modules if name.partition(".")[0] in ROOMS]:
        del sys.modules[name]


def post_worker_init(worker: Any) -> None:
    """Open the database before the first request; if that fails, stop the server with one line of error."""
    from app import app
    from scim.observability import logs

    give_memory_back()
    logs.start(settings["PERCH_LOG_LEVEL"], settings["PERCH_LOG_FORMAT"], settings["PERCH_LOG_PERSONAL"])
    ready = threading.Event()
    threading.Thread(target=beat, args=(worker, ready), daemon=True).start()
    try:
        app.extensions["perch"].open()
    except Exception as error:
        if not worker.perch_is_first:
            wait_for_the_stop(worker)
        worker.log.error("Perch cannot start: %s", error)
        sys.exit(WORKER_BOOT_ERROR)
    finally:
        ready.set()
    # Clients that wait for events must not delay a stop.
    app.extensions["perch.alive"] = lambda: worker.alive
    if settings["PERCH_FOLLOW"]:
        return
    # Old traffic is pruned even if no request ever comes.
    app.extensions["perch.traffic"].writer.start()
    if settings["PERCH_REPLICA"]:
        from storage import heartbeat

        heartbeat.start(app.extensions["perch"].database)


def beat(worker: Any, ready: threading.Event) -> None:
    """Tell the master that a worker lives while it migrates the file or waits for that; end it when it is to stop."""
    while not ready.wait(HEARTBEAT):
        worker.notify()
        if not worker.alive:
            # SQLite takes back what is not committed.
            os._exit(0)


def child_exit(server: Any, worker: Any) -> None:
    """Tell prometheus_client that a worker has ended, as its manual says."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


def give_memory_back() -> None:
    """Have the C library return freed blocks of half a megabyte or more to the system, instead of keeping them."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 512 * 1024)


def wait_for_the_stop(worker: Any) -> None:
    """Wait up to 30 s for the stop that the first worker's failure causes: gunicorn cannot handle a second failure.

    The first one may open a busy file last, and waits for it as long as this one did.
    """
    for _ in range(600):
        if not worker.alive:
            sys.exit(0)
        time.sleep(0.05)
