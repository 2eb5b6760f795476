"""Sends one request to a webhook: to a checked address, bounded in time and size, following nothing."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from scim.events.urls import Policy, Refused, Target

# How much of an answer is read (bytes), and how long a connection may be kept (seconds).
READ_AT_MOST, KEEP = 16 * 1024, 55.0
SHOWN = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it went: the status, 0 without an answer, what was answered or went wrong, and when to try again."""

    status: int
    text: str
    retry_after: float = 0.0

    @property
    def delivered(self) -> bool:
        """Whether the receiver took it."""
        return 200 <= self.status < 300


class Sender:
    """Sends to one URL, over a kept connection where the receiver keeps it; not for several threads at once."""

    def __init__(self, target: Target, policy: Policy, timeout: float) -> None:
        self.target = target
        self.policy = policy
        self.timeout = timeout
        self._connection: http.client.HTTPConnection | None = None
        self._opened = 0.0

    def send(self, body: bytes, headers: Mapping[str, str]) -> Outcome:
        """POST a body and say how it went; whatever goes wrong is an outcome."""
        began = time.monotonic()
        try:
            if self._connection is not None and began - self._opened < KEEP:
                try:
                    return self._once(body, headers)
                except (ConnectionError, http.client.NotConnected):
                    # The receiver closed what it had kept, unless it was this side that lost patience.
                    if time.monotonic() - began > self.timeout / 2:
                        raise
            self.close()
            return self._once(body, headers)
        except Refused as refused:
            return self._failed(str(refused))
        except (OSError, http.client.HTTPException, ValueError, UnicodeError) as error:
            return self._failed(f"{type(error).__name__}: {error}")

    def _failed(self, text: str) -> Outcome:
        self.close()
        return Outcome(0, text[:SHOWN])

    def _once(self, body: bytes, headers: Mapping[str, str]) -> Outcome:
        connection = self._connection or self._open()
        # A receiver that sends a byte now and then must not hold the deliverer: the time is for the whole answer.
        guard = threading.Timer(self.timeout, _cut, (connection.sock,))
        guard.daemon = True
        guard.start()
        try:
            connection.request("POST", self.target.path, body, dict(headers))
            response = connection.getresponse()
            data = response.read(READ_AT_MOST)
            outcome = Outcome(response.status, _shown(data), _seconds(response.headers.get("Retry-After")))
            if not response.isclosed() or response.will_close:
                self.close()
            return outcome
        finally:
            guard.cancel()

    def _open(self) -> http.client.HTTPConnection:
        """Connect to one of the addresses that were just checked, and to no other: DNS may answer anew each time."""
        end, last = time.monotonic() + self.timeout, OSError("The host has no address.")
        for address in self.policy.addresses(self.target):
            try:
                plain = socket.create_connection((address, self.target.port), max(0.1, end - time.monotonic()))
                plain.settimeout(self.timeout)
                # Head and body go out one after the other; without this the body would wait for an acknowledgement.
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = http.client.HTTPConnection(self.target.host, self.target.port)
                # Without this it would connect anew by itself, wherever the name leads by then.
                connection.auto_open = 0
                connection.sock = self._secured(plain) if self.target.scheme == "https" else plain
            except OSError as error:
                last = error
                continue
            if self.target.scheme == "https":
                connection.default_port = 443
            self._connection, self._opened = connection, time.monotonic()
            return connection
        raise last

    def _secured(self, plain: socket.socket) -> socket.socket:
        try:
            return _tls().wrap_socket(plain, server_hostname=self.target.host)
        except BaseException:
            plain.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _cut(connected: socket.socket | None) -> None:
    with suppress(OSError):
        if connected is not None:
            connected.shutdown(socket.SHUT_RDWR)


def _shown(data: bytes) -> str:
    return " ".join(data.decode("utf-8", "replace").split())[:SHOWN]


def _seconds(text: str | None) -> float:
    return float(min(int(text), 3600)) if text and text.isascii() and text.isdecimal() and len(text) < 9 else 0.0
