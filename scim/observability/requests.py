"""What is noted of every request: its id, one line in the log, one count and one duration in the metrics."""

import random
import re
import time

from scim.observability import logs, metrics
from scim.observability.logs import RequestLine
from scim.observability.redaction import redacted_path, redacted_text

# What callers may send as X-Request-Id, so that it can be written anywhere as it is.
SENT_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,100}")
RESOURCE_ID = re.compile(r"[0-9a-f-]{36}")
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
# What monitors ask all day long is logged when it fails.
QUIET = frozenset(("/healthz", "/readyz", "/metrics"))


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


def end(began: float, line: RequestLine) -> None:
    """Count, time and log a request that began at `began` (of `time.perf_counter`)."""
    line.seconds = time.perf_counter() - began
    if line.method not in METHODS:
        line.method = "OTHER"
    metrics.count(line.route, line.method, line.status, line.key, line.seconds)
    is_quiet = line.route in QUIET and line.status < 400
    line.level = "error" if line.status >= 500 else "debug" if is_quiet else "info"
    log = logs.of_requests()
    if log is not None and log.wants(line.level):
        # Text that is no id may be a person's name and is left out.
        if not RESOURCE_ID.fullmatch(line.resource):
            line.resource = ""
        line.url = redacted_path(line.url) if log.personal else ""
        line.address = line.address if log.personal else ""
        log.write(line)
    logs.request_id.set("")
