"""/healthz, /readyz and /metrics: whether the process answers, whether it can serve, and its metrics."""

import ipaddress
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, jsonify, request

from schemas.errors import ScimError
from scim.observability.metrics import DeploymentMetrics
from scim.service import status
from scim.settings import Settings
from scim.web.auth import Authenticator
from storage import integrity, statistics, webhooks
from storage.database import Database
from storage.failed_keys import FailedKeys

MIB = 1024 * 1024
# In seconds. /readyz caches its answer, so that frequent requests cannot slow down writes; it waits for the writer.
CACHE_SECONDS, WAIT_SECONDS = 1.0, 5.0
# A process that committed nothing for this long commits a row. Pages show what /readyz found for so long.
UNPROVEN_SECONDS, KNOWN_SECONDS = 10.0, 60.0
FORWARDED = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
ORIGINAL = "werkzeug.proxy_fix.orig"
blueprint = Blueprint("health", __name__)
log = logging.getLogger("perch")


@dataclass(slots=True)
class Health:
    """The checks of /readyz and the metrics of this process; `app.extensions["perch.health"]`."""

    settings: Settings
    database: Database
    authenticator: Authenticator
    figures: DeploymentMetrics
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _found: dict[str, str] = field(default_factory=dict)
    _deliverer: str = ""
    _until: float = 0.0

    def checks(self) -> tuple[dict[str, str], str]:
        """Return "ok" or what is wrong for each check, public, so without paths; and the state of the deliverer."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._found = self._check_all()
                self._deliverer = self._find_deliverer()
                self._until = time.monotonic() + CACHE_SECONDS
            return dict(self._found), self._deliverer

    def _check_all(self) -> dict[str, str]:
        found = {
            "schema": _result(self._check_schema, "not the schema of this version; see the log"),
            "disk": _result(self._check_disk, "less free than PERCH_DISK_FREE"),
        }
        if self.database.follows:
            return {**found, "age": _result(self._check_age, "beyond PERCH_FOLLOW_MAX_AGE; see the log")}
        wait = min(WAIT_SECONDS, self.settings["PERCH_WRITE_WAIT"])
        check = partial(self.database.check_writable, wait, UNPROVEN_SECONDS)
        return {**found, "file": _result(check, "cannot be written; see the log")}

    def failed(self) -> list[str]:
        """Return the names of the checks that failed when somebody last asked, within a minute; checks nothing."""
        known = time.monotonic() < self._until + KNOWN_SECONDS
        return [name for name, result in self._found.items() if result != "ok"] if known else []

    def _find_deliverer(self) -> str:
        if self.database.follows:
            return "not needed"
        try:
            with self.database.read() as connection:
                return webhooks.deliverer(connection, self.database.file)
        except ScimError:
            return "ok" if webhooks.is_delivering(self.database.file) else webhooks.MISSING

    def _check_schema(self) -> None:
        with self.database.read() as connection:
            integrity.check_schema(connection, self.database.file)

    def _check_age(self) -> None:
        found = status.age(self.database, self.settings)
        if found.level == status.WRONG:
            raise RuntimeError(f"{found.text} {found.remedy}")

    def _check_disk(self) -> None:
        free, wanted = statistics.free_bytes(self.database.file) // MIB, self.settings["PERCH_DISK_FREE"]
        if free < wanted:
            raise RuntimeError(f"{free} MiB are free beside the file, PERCH_DISK_FREE asks for {wanted}")


def _result(check: Callable[[], None], otherwise: str) -> str:
    try:
        check()
    except Exception as error:
        log.warning("not ready: %s", error.detail if isinstance(error, ScimError) else error)
        return otherwise
    return "ok"


def register(app: Flask, settings: Settings, database: Database, authenticator: Authenticator) -> None:
    """Register the routes for monitoring."""
    app.extensions["perch.health"] = Health(settings, database, authenticator, DeploymentMetrics(settings, database))
    app.register_blueprint(blueprint)


def failures() -> FailedKeys:
    """Return what counts wrong keys, secrets and begun sign-ins of each address, across all workers."""
    return _health().authenticator.failures


def _health() -> Health:
    found: Health = current_app.extensions["perch.health"]
    return found


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer 200 once requests can be served."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")


@blueprint.get("/readyz")
def readyz() -> Response:
    """Answer 200 when writes commit, the schema is current and the disk has room, else 503 with what failed.

    The deliverer is named beside that: Perch serves without it. A follower is ready while its file is young enough.
    """
    checks, deliverer = _health().checks()
    ready = set(checks.values()) == {"ok"}
    response = jsonify(status="ready" if ready else "not ready", checks=checks, deliverer=deliverer)
    response.status_code = 200 if ready else 503
    return response


@blueprint.get("/metrics")
def metrics() -> Response:
    """Answer the metrics to callers on this machine and to holders of an access key.

    :raises Unauthorized: when a caller from elsewhere has no valid key.
    """
    if not from_this_machine(request.environ):
        _health().authenticator.admit(request.headers.get("Authorization"), request.remote_addr)
    return Response(_health().figures.text(), content_type="text/plain; version=0.0.4; charset=utf-8")


def from_this_machine(environ: dict[str, Any]) -> bool:
    """Tell whether a caller is on this machine: connection and Host are local, and no proxy forwarded the request.

    A proxy on this machine connects locally for remote callers, so any forwarding header counts as remote.
    """
    if any(name in environ for name in FORWARDED):
        return False
    original = environ.get(ORIGINAL, environ)
    host = urlsplit(f"//{original.get('HTTP_HOST', '')}").hostname or ""
    return _is_loopback(original.get("REMOTE_ADDR", "")) and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
