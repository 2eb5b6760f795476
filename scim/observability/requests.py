"""What is noted of every request: its id, one line in the log, one count and one duration in the metrics."""

import random
import re
import time
from typing import NamedTuple

from scim.observability import logs, metrics
from scim.observability.logs import RequestLine
from scim.observability.redaction import redacted_path, redacted_text

# What callers may send as X-Request-Id, so that it can be written anywhere as it is.
SENT_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,100}")
RESOURCE_ID = re.compile(r"[0-9a-f-]{36}")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
# What monitors ask all day long is logged when it fails.
QUIET = frozenset(("/healthz", "/readyz", "/metrics"))
NO_ROUTE = "(none)"


class Seen(NamedTuple):
    """A request and its answer: when it began (`time.perf_counter`), what it asked, and who asked.

    `path` has the query; `route`, `key` and `identifier` are "" where there is none.
    """

    began: float
    request_id: str
    method: str
    path: str
    address: str | None
    status: int
    route: str = ""
    key: str = ""
    identifier: str = ""


def begin(sent: str | None) -> str:
    """Return the id of a request, the sent one if it will do; log, journal, traffic and answer share it."""
    # A key that was sent as the id of a request must not reach the log.
    if sent is not None and SENT_ID.fullmatch(sent) and redacted_text(sent) == sent:
        found = str(sent)
    else:
        # The id is no secret: the faster generator is good enough.
        found = f"{random.getrandbits(64):016x}"
    logs.request_id.set(found)
    return found


def end(seen: Seen) -> None:
    """Count, time and log a request."""
    seconds, route = time.perf_counter() - seen.began, seen.route or NO_ROUTE
    method = seen.method if seen.method in METHODS else "OTHER"
    metrics.count(route, method, seen.status, seen.key, seconds)
    log = logs.of_requests()
    is_quiet = route in QUIET and seen.status < 400
    level = "error" if seen.status >= 500 else "debug" if is_quiet else "info"
    if log is not None and log.wants(level):
        # Text that is no id may be a person's name and is left out.
        resource = seen.identifier if RESOURCE_ID.fullmatch(seen.identifier) else ""
        line = RequestLine(level, seen.request_id, method, route, seen.status, seconds, seen.key, resource)
        if log.personal:
            line.url, line.address = redacted_path(seen.path), seen.address or ""
        log.write(line)
    logs.request_id.set("")
