"""Sends HTTP requests to one webhook: only to checked addresses, with limits of time and size, without redirects."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

from schemas.errors import InvalidValue
from scim.events.urls import AddressPolicy, AddressRefused, WebhookUrl

# Limits of the response's body (bytes), of a kept connection's age (seconds), and of the text in a result (characters).
MAX_BODY, MAX_AGE, MAX_TEXT = 16 * 1024, 55.0, 200


@dataclass(frozen=True, slots=True)
class SendResult:
    """Status (0 without a response), the response's text or the error, and Retry-After in seconds."""

    status: int
    text: str
    retry_after: float = 0.0

    @property
    def delivered(self) -> bool:
        """Whether the receiver accepted the message."""
        return 200 <= self.status < 300

    def __str__(self) -> str:
        return f"{self.status or 'no answer'} {self.text}".strip()


class WebhookSender:
    """Sends to one URL and keeps the connection if the receiver does; for one thread at a time."""

    def __init__(self, url: str, policy: AddressPolicy, timeout: float) -> None:
        self.url = url
        self.policy = policy
        self.timeout = timeout
        self._connection: http.client.HTTPConnection | None = None
        self._opened = 0.0

    def send(self, body: bytes, headers: Mapping[str, str]) -> SendResult:
        """POST a body and return the result; errors are results, too."""
        began = time.monotonic()
        try:
            target = self.policy.parse(self.url)
            if self._connection is not None and began - self._opened < MAX_AGE:
                try:
                    return self._post(target, body, headers)
                except (ConnectionError, http.client.NotConnected):
                    # An early error means that the receiver closed the kept connection; a late one is our own timeout.
                    if time.monotonic() - began > self.timeout / 2:
                        raise
            self.close()
            return self._post(target, body, headers)
        except InvalidValue as error:
            text = error.detail
        except AddressRefused as error:
            text = str(error)
        except (OSError, http.client.HTTPException, ValueError) as error:
            text = f"{type(error).__name__}: {error}"
        self.close()
        return SendResult(0, text[:MAX_TEXT])

    def _post(self, target: WebhookUrl, body: bytes, headers: Mapping[str, str]) -> SendResult:
        connection = self._connection or self._open(target)
        # The socket's timeout restarts with each byte; this one limits the whole exchange.
        timer = threading.Timer(self.timeout, _shut_down, (connection.sock,))
        timer.daemon = True
        timer.start()
        try:
            connection.request("POST", target.path, body, dict(headers))
            response = connection.getresponse()
            data = response.read(MAX_BODY + 1)
            later = response.headers.get("Retry-After") or ""
            seconds = min(int(later), 3600) if later.isascii() and later.isdecimal() and len(later) < 9 else 0
            result = SendResult(response.status, _one_line(data), float(seconds))
            # http.client drops the socket when the server closes; the rest of an answer over MAX_BODY is not read.
            if connection.sock is None or len(data) > MAX_BODY:
                self.close()
            return result
        finally:
            timer.cancel()

    def _open(self, target: WebhookUrl) -> http.client.HTTPConnection:
        """Connect to an address that was checked just now: a second DNS query could return another one."""
        end, last = time.monotonic() + self.timeout, OSError("The host has no address.")
        for address in self.policy.addresses(target):
            try:
                plain = socket.create_connection((address, target.port), max(0.1, end - time.monotonic()))
                plain.settimeout(self.timeout)
                # Head and body are two packets; Nagle's algorithm would hold the second one back.
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = http.client.HTTPConnection(target.host, target.port)
                if target.scheme == "https":
                    connection = http.client.HTTPSConnection(target.host, target.port, context=_tls())
                # http.client must not reconnect by itself: it would resolve the name again.
                connection.auto_open = 0
                connection.sock = _with_tls(plain, target.host) if target.scheme == "https" else plain
            except OSError as error:
                last = error
                continue
            self._connection, self._opened = connection, time.monotonic()
            return connection
        raise last

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _with_tls(plain: socket.socket, host: str) -> socket.socket:
    try:
        return _tls().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _shut_down(connected: socket.socket | None) -> None:
    with suppress(OSError):
        if connected is not None:
            connected.shutdown(socket.SHUT_RDWR)


def _one_line(data: bytes) -> str:
    # The text reaches terminals by the log of `flask deliver`.
    text = " ".join(data.decode("utf-8", "replace").split())[:MAX_TEXT]
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
