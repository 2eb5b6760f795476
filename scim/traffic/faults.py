"""Faults on demand (PERCH_FAULTS=on): chosen requests fail on purpose, to show how a client reacts."""

import contextlib
import errno
import socket
import time
from collections.abc import Iterator

from flask import Request, Response

from schemas.errors import InvalidValue, ScimError
from scim.traffic.recording import Recording
from scim.traffic.summaries import below_base
from storage import faults
from storage.database import Database
from storage.faults import Fault

LONGEST_DELAY = 120.0
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "*")


def read_target(text: str) -> tuple[str, str]:
    """Return method and path of a target such as `POST /Users`, `/Users/*` or `*`; `*` stands for any.

    :raises InvalidValue: with the form of a target.
    """
    words = text.split()
    if len(words) == 1:
        words = ["*", *words]
    if len(words) != 2 or words[0].upper() not in METHODS or not (words[1] == "*" or words[1].startswith("/")):
        raise InvalidValue(f"'{text}' is no target; write METHOD /PATH, such as 'POST /Users', '/Users/*' or '*'.")
    return words[0].upper(), words[1].rstrip("/") or "/"


def matches(pattern: str, path: str) -> bool:
    """Tell whether a path below the base URL matches `*`, `/Users` (exactly) or `/Users/*` (all below)."""
    if pattern == "*":
        return True
    path = path.rstrip("/") or "/"
    return path.startswith(pattern[:-1]) if pattern.endswith("*") else path == pattern


def described(fault: Fault) -> str:
    """Return a fault in a few words, such as `fault 3: 429`."""
    parts = [f"delay {fault.delay:g} s"] if fault.delay else []
    if fault.drop:
        parts.append("no answer")
    if fault.status is not None:
        parts.append(str(fault.status))
    return f"fault {fault.id}: {', '.join(parts)}"


def apply(database: Database, sent: Request, recording: Recording, key: str | None) -> Response | None:
    """Apply the fault that matches a request: delay it, close the connection, or raise; None to go on.

    :raises ScimError: with the fault's status, and its Retry-After in seconds.
    """
    fault = _claimed(database, sent.method, below_base(sent.path), key)
    if fault is None:
        return None
    recording.fault = described(fault)
    if fault.delay:
        time.sleep(min(fault.delay, LONGEST_DELAY))
    if fault.drop:
        return _dropped(fault, sent, recording)
    if fault.status is None:
        return None
    error = ScimError(
        f"This failure is made on purpose: {described(fault)} was set in Perch; flask faults clear ends it.",
        {} if fault.retryAfter is None else {"Retry-After": str(fault.retryAfter)},
    )
    error.status = fault.status
    raise error


def _claimed(database: Database, method: str, path: str, key: str | None) -> Fault | None:
    """Return the oldest matching fault that is not used up, and count the use; exact over all workers."""
    with database.read() as connection:
        matching = [fault for fault in faults.candidates(connection, method, key) if matches(fault.path, path)]
    for fault in matching:
        with database.write() as connection:
            if faults.use(connection, fault.id):
                return fault
    return None


def _dropped(fault: Fault, sent: Request, recording: Recording) -> Response:
    """Close the connection without an answer; a caller inside this process gets a ConnectionResetError."""
    recording.dropped = True
    sock: socket.socket | None = sent.environ.get("gunicorn.socket") or sent.environ.get("werkzeug.socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)

    def broken() -> Iterator[bytes]:
        # gunicorn treats this error as a client that went away, and closes its end quietly.
        raise ConnectionResetError(errno.ECONNRESET, f"{described(fault)} was set in Perch")
        yield b""  # type: ignore[unreachable]

    return Response(broken())
