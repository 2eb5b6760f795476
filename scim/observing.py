"""What is noted of every request: its id, one line in the log, one count and one duration in the metrics."""

import random
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Request
from werkzeug.wrappers import Response

from scim import logs, metrics
from scim.logs import Line
from scim.redaction import redacted_path, redacted_text

# What callers may send as X-Request-Id, so that it can be written anywhere as it is.
SENT_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,100}")
RESOURCE_ID = re.compile(r"[0-9a-f-]{36}")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
# What monitors ask all day long is logged when it fails.
QUIET = frozenset(("/healthz", "/readyz", "/metrics"))
NO_ROUTE = "(none)"


class Seen(NamedTuple):
    """What is known of a request at its end: when it began (`time.perf_counter`), its id, route, key and resource."""

    began: float
    request: str
    route: str
    key: str = ""
    identifier: str = ""


def begin(environ: Mapping[str, Any]) -> str:
    """Return the id of a request, which log, journal, traffic and answer share."""
    sent = environ.get("HTTP_X_REQUEST_ID")
    # Whoever sends a key as the id of a request need not find it in the log.
    if sent is not None and SENT_ID.fullmatch(sent) and redacted_text(sent) == sent:
        found = str(sent)
    else:
        # The id is no secret, so that the faster generator will do.
        found = f"{random.getrandbits(64):016x}"
    logs.request_id.set(found)
    return found


def end(sent: Request, response: Response, seen: Seen) -> None:
    """Count, time and log a request, and answer its id."""
    seconds, status = time.perf_counter() - seen.began, response.status_code
    response.headers.add("X-Request-Id", seen.request)
    route = seen.route or NO_ROUTE
    method = sent.method if sent.method in METHODS else "OTHER"
    metrics.count(route, method, status, seen.key, seconds)
    log = logs.of_requests()
    if log is not None and log.wants(level := _level(route, status)):
        # What is no id may be a name, and is left out.
        resource = seen.identifier if RESOURCE_ID.fullmatch(seen.identifier) else ""
        line = Line(level, seen.request, method, route, status, seconds, seen.key, resource)
        if log.personal:
            line.url, line.address = redacted_path(full_path(sent)), sent.remote_addr or ""
        log.write(line)
    logs.request_id.set("")


def full_path(sent: Request) -> str:
    """Return the path of a request with its query, whatever bytes that holds."""
    query = sent.query_string.decode(errors="replace")
    return f"{sent.path}?{query}" if query else sent.path


def _level(route: str, status: int) -> str:
    if status >= 500:
        return "error"
    return "debug" if route in QUIET and status < 400 else "info"
