"""How long a thread waits for the body of a request, and how an unread body is dropped.

gunicorn hands a request to a thread when its head is complete; the body may come slowly or never. So every reader of a
body has a time limit: short for an unknown caller (PATIENCE, SLOW_SECONDS), long for a known one (RATE).
"""

import errno
import io
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Response

from schemas.errors import RequestTimeout, ScimError, Unavailable

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# Seconds in which the body of an unknown caller must come; threads that wait at the same time share them.
PATIENCE = 0.1
# A body of an unknown caller that takes longer: seconds and bytes, for one at a time in each process.
SLOW_SECONDS, SLOW_BYTES = 10.0, 256 * 1024
# Bytes per second that a known caller must send on average after the first seconds.
RATE, FREE_SECONDS = 1024, 10.0
# Fewest bytes that gunicorn reads at once; bytes that are read at once to be dropped.
STEP, DROP_AT_ONCE = 1024, 65536
SOCKET, BODY = "gunicorn.socket", "perch.body"


class Body(io.RawIOBase):
    """The body of a request under gunicorn, as its `wsgi.input`; reading raises ScimError when the time is over."""

    def __init__(self, environ: "WSGIEnvironment", watch: "BodyWatch") -> None:
        self._source = environ["wsgi.input"]
        self._watch = watch
        length = environ.get("CONTENT_LENGTH", "")
        self._length = int(length) if length.isdecimal() else math.inf
        self._ended = self._length == 0
        self.connection: socket.socket = environ[SOCKET]
        self.known = self.slow = self.dropped = self.cut = False
        self.received, self.most = 0, math.inf
        self.began = self.deadline = 0.0

    def readable(self) -> bool:
        """Tell that the stream can be read (io.RawIOBase)."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read some bytes into a buffer (io.RawIOBase).

        :raises Unavailable: when an unknown caller sends too slowly.
        :raises RequestTimeout: when a known caller does.
        """
        if self._ended:
            return 0
        with self._watch.reading(self):
            data = b"" if self.cut else self._read(min(len(buffer), self.step))
        self.received += len(data)
        self._ended = self.received >= self._length or not (data or self.cut)
        if not self._ended and (self.cut or self.received > self.most):
            self.cut = True
            raise self._too_late()
        buffer[: len(data)] = data
        return len(data)

    def admit(self) -> None:
        """Note that the caller is known: has a valid key or session."""
        self.known, self.began = True, 0.0

    @property
    def is_over(self) -> bool:
        """Whether nothing is read any more: all came, the time is over, or the client hung up."""
        return self._ended or self.cut

    @property
    def step(self) -> int:
        """The number of bytes that are read at once: few at first, since only bytes of whole steps are counted."""
        return max(STEP, self.received // 4)

    def _read(self, size: int) -> bytes:
        try:
            return bytes(self._source.read(size))
        except Exception:
            # Servers raise different errors for a body that is cut short or badly chunked.
            if self.cut:
                return b""
            self.cut = True
            raise

    def _too_late(self) -> ScimError:
        if self.known:
            return RequestTimeout(f"The body came more slowly than {RATE} bytes per second; send it again, faster.")
        return Unavailable("The body did not come together with the request's head; send the request again, at once.")

    def finish(self, most: int) -> None:
        """Drop up to `most` bytes that are left after the answer: a client that still sends would not see it.

        :raises ConnectionResetError: when there are more; gunicorn then closes the connection quietly.
        """
        self.dropped = True
        if self.known:
            self.began = 0.0
        with suppress(Exception):
            while most > 0 and (data := self.read(DROP_AT_ONCE)):
                most -= len(data)
        if self.cut or not self._ended:
            stop_reading(self.connection)
            raise ConnectionResetError(errno.ECONNRESET, "the body was not read to its end")


class BodyWatch:
    """Ends the reading of bodies whose time is over, from one thread of the process, however few bytes come."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reading: set[Body] = set()
        self._slow: Body | None = None
        self._wakes = math.inf
        self._thread: threading.Thread | None = None

    @contextmanager
    def reading(self, body: Body) -> Iterator[None]:
        """Watch a body while a thread waits for it."""
        with self._changed:
            self._reading.add(body)
            if not body.began:
                body.began = time.monotonic()
                waiting = sum(not each.known for each in self._reading)
                body.deadline = body.began + (FREE_SECONDS if body.known else PATIENCE / waiting)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="bodies", daemon=True)
                self._thread.start()
            elif body.deadline < self._wakes:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._reading.discard(body)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for body in [each for each in self._reading if each.deadline <= now and not each.cut]:
                    self._decide(body, now)
                self._wakes = min((each.deadline for each in self._reading if not each.cut), default=math.inf)
                self._changed.wait(None if self._wakes == math.inf else self._wakes - now)

    def _decide(self, body: Body, now: float) -> None:
        """Give a body that did not come in time more of it, or end its reading."""
        enough_until = body.began + (body.received + body.step) / RATE
        if body.known and not body.dropped and enough_until > now:
            body.deadline = enough_until
        elif not (body.known or body.slow) and (self._slow is None or self._slow.is_over or self._slow.deadline <= now):
            self._slow, body.slow = body, True
            body.deadline, body.most = now + SLOW_SECONDS, body.received + SLOW_BYTES
        else:
            body.cut = True
            stop_reading(body.connection)


def watched(environ: "WSGIEnvironment", watch: BodyWatch) -> None:
    """Limit the time in which the body of a request may be read, under gunicorn."""
    if SOCKET in environ and ("CONTENT_LENGTH" in environ or "HTTP_TRANSFER_ENCODING" in environ):
        environ["wsgi.input"] = environ[BODY] = Body(environ, watch)


def admit(environ: "WSGIEnvironment") -> None:
    """Note that the caller of a request is known: it has a valid key or session."""
    if BODY in environ:
        environ[BODY].admit()


def finish(environ: "WSGIEnvironment", response: Response, most: int) -> None:
    """After the answer, drop up to `most` bytes of an unread body, or close the connection."""
    if BODY in environ:
        response.call_on_close(partial(environ[BODY].finish, most))
    if SOCKET in environ:
        wanted = environ.get("HTTP_CONNECTION", "").lower()
        # Then gunicorn closes the connection after the answer.
        if wanted == "close" or (environ.get("SERVER_PROTOCOL") != "HTTP/1.1" and wanted != "keep-alive"):
            response.call_on_close(partial(stop_reading, environ[SOCKET]))


def stop_reading(connection: socket.socket) -> None:
    """End the reading of a connection, in other threads too.

    gunicorn's main thread waits up to 2 s for the client to close a connection, and meanwhile accepts nobody, unless
    reading has ended.
    """
    with suppress(OSError):
        # Not `connection.shutdown`, which on a TLS connection would send the answer unencrypted.
        socket.socket.shutdown(connection, socket.SHUT_RD)
