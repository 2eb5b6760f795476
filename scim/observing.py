"""What is noted of every request: its id, one line in the log, one count and one duration in the metrics."""

import random
import re
import time
from typing import Any

from flask import Request, Response

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


def begin(values: Any, sent: Request) -> None:
    """Note in Flask's `g` when the request came, and the id that log, journal, traffic and answer share."""
    values.began = time.perf_counter()
    asked = sent.environ.get("HTTP_X_REQUEST_ID")
    # Whoever sends a key as the id of a request need not find it in the log.
    fits = asked is not None and SENT_ID.fullmatch(asked) and redacted_text(asked) == asked
    # The id is no secret, so that the faster generator will do.
    values.request_id = asked if fits else f"{random.getrandbits(64):016x}"
    logs.request_id.set(values.request_id)


def end(values: Any, sent: Request, response: Response) -> None:
    """Count, time and log the request, and answer its id."""
    seconds, identifier, status = time.perf_counter() - values.began, values.request_id, response.status_code
    response.headers.add("X-Request-Id", identifier)
    route = NO_ROUTE if sent.url_rule is None else sent.url_rule.rule
    method = sent.method if sent.method in METHODS else "OTHER"
    exchange = values.get("exchange")
    key = exchange.key.id if exchange is not None and exchange.key is not None else ""
    metrics.count(route, method, status, key, seconds)
    log = logs.of_requests()
    if log is not None and log.wants(level := _level(route, status)):
        line = Line(level, identifier, method, route, status, seconds, key, _resource(sent))
        if log.personal:
            line.url, line.address = redacted_path(sent.full_path.rstrip("?")), sent.remote_addr or ""
        log.write(line)
    logs.request_id.set("")


def _level(route: str, status: int) -> str:
    if status >= 500:
        return "error"
    return "debug" if route in QUIET and status < 400 else "info"


def _resource(sent: Request) -> str:
    """Return the id of the resource in the path; what is no id may be a name, and is left out."""
    found = sent.view_args.get("identifier", "") if sent.view_args else ""
    return found if RESOURCE_ID.fullmatch(found) else ""
