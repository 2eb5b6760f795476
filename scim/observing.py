"""What is noted of every request: its id, one line in the log, one count and one duration in the metrics."""

import re
import secrets
import time

from flask import Flask, Response, g, request

from scim import logs, metrics
from scim.logs import Line
from scim.redaction import KEY, redacted_path

# What callers may send as X-Request-Id, so that it can be written anywhere as it is.
SENT_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,100}")
RESOURCE_ID = re.compile(r"[0-9a-f-]{36}")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
# What monitors ask all day long is logged when it fails.
QUIET = frozenset(("/healthz", "/readyz", "/metrics"))
NO_ROUTE = "(none)"


def begin() -> None:
    """Note when the request came, and give it the id that log, journal, traffic and answer share."""
    g.began = time.perf_counter()
    sent = request.environ.get("HTTP_X_REQUEST_ID")
    # Whoever sends a key as the id of a request need not find it in the log.
    fits = sent is not None and SENT_ID.fullmatch(sent) and not KEY.search(sent)
    g.request_id = sent if fits else secrets.token_hex(8)
    logs.request_id.set(g.request_id)


def end(response: Response) -> Response:
    """Count, time and log the request, and answer its id."""
    if "began" not in g:
        return response
    seconds = time.perf_counter() - g.began
    response.headers["X-Request-Id"] = g.request_id
    rule = request.url_rule
    route = NO_ROUTE if rule is None else rule.rule
    method = request.method if request.method in METHODS else "OTHER"
    key = _key()
    metrics.count(route, method, response.status_code, key, seconds)
    log = logs.of_requests()
    if log is not None:
        level = _level(route, response.status_code)
        if log.wants(level):
            line = Line(level, g.request_id, method, route, response.status_code, seconds, key, _resource())
            if log.personal:
                line.url, line.address = redacted_path(request.full_path.rstrip("?")), request.remote_addr or ""
            log.write(line)
    logs.request_id.set("")
    return response


def _key() -> str:
    exchange = g.get("exchange")
    return exchange.key.id if exchange is not None and exchange.key is not None else ""


def _level(route: str, status: int) -> str:
    if status >= 500:
        return "error"
    return "debug" if route in QUIET and status < 400 else "info"


def _resource() -> str:
    """Return the id of the resource in the path; what is no id may be a name, and is left out."""
    sent = (request.view_args or {}).get("identifier", "")
    return sent if RESOURCE_ID.fullmatch(sent) else ""


def register(app: Flask) -> None:
    """Observe every request of the application; what is registered first ends last."""
    app.before_request(begin)
    app.after_request(end)
