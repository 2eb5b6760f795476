"""Defaults of `gunicorn app:app`; every one yields to gunicorn's own command line options."""

import os
import sys
import time
from typing import Any

from gunicorn.errors import AppImportError

bind = "127.0.0.1:8000"

# Two processes of four threads answered most requests per second on two cores; four processes were slower.
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


def post_worker_init(worker: Any) -> None:
    """Open the database before the first request, so that a file that cannot be used stops the start with one line."""
    try:
        worker.wsgi.extensions["perch"].open()
    except Exception as error:
        if worker.age > 1:
            leave_it_to_the_first(worker)
        # Of this exception alone gunicorn prints the text, not the traceback; then it stops instead of trying again.
        raise AppImportError(f"Perch cannot start: {error}") from error


def leave_it_to_the_first(worker: Any) -> None:
    """Wait up to 5 s to be told to stop: gunicorn trips over a second failure while it stops for the first."""
    end = time.monotonic() + 5
    while worker.alive and time.monotonic() < end:
        time.sleep(0.05)
    if not worker.alive:
        sys.exit(0)
