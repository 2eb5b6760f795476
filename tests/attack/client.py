"""Sends inputs over sockets: HTTP on kept connections, raw bytes on connections of their own."""

import http.client
import re
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field

from tests.attack.inputs import Input

# Seconds until the client gives up an answer, and until it has heard enough after raw bytes.
PATIENCE, RAW_PATIENCE = 40.0, 15.0
STATUS = re.compile(rb"HTTP/1\.[01] (\d\d\d) ")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer; status 0 means that none came, and `hung_up` that the client did not wait for it."""

    status: int
    seconds: float
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    hung_up: bool = False
    problem: str = ""


class AttackClient:
    """One connection to the server."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.connection: http.client.HTTPConnection | None = None

    def send(self, sent: Input) -> Answer:
        """Send a request without placeholders."""
        return self._send_raw(sent) if sent.raw else self._send_http(sent)

    def close(self) -> None:
        """Close the connection."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _send_http(self, sent: Input) -> Answer:
        data = http_bytes(sent)
        for attempt in (0, 1):
            fresh = self.connection is None
            began = time.monotonic()
            try:
                return self._exchange(sent, data, began)
            except TimeoutError:
                self.close()
                seconds = time.monotonic() - began
                return Answer(0, seconds, hung_up=bool(sent.patience), problem=f"no answer for {seconds:.0f} s")
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.close()
                # A kept connection may have been closed by the server before this request.
                if fresh or attempt:
                    return Answer(0, time.monotonic() - began, problem=repr(error))
        raise AssertionError("not reached")

    def _exchange(self, sent: Input, data: bytes, began: float) -> Answer:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port)
            self.connection.connect()
            self.connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = self.connection.sock
        wire.settimeout(sent.patience or PATIENCE)
        with suppress(BrokenPipeError, ConnectionResetError):
            # A server that refuses a large body may answer and close before it has come.
            wire.sendall(data)
        response = http.client.HTTPResponse(wire, method=sent.method)
        response.begin()
        body = response.read()
        seconds = time.monotonic() - began
        headers = {name.lower(): text for name, text in response.getheaders()}
        if response.will_close:
            self.close()
        return Answer(response.status, seconds, headers, body)

    def _send_raw(self, sent: Input) -> Answer:
        began, found = time.monotonic(), b""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=RAW_PATIENCE) as wire:
            with suppress(OSError):
                wire.sendall(sent.data)
            wire.shutdown(socket.SHUT_WR)
            while part := wire.recv(65536):
                found += part
        seconds = time.monotonic() - began
        # The worst of a pipeline counts.
        return Answer(max(map(int, STATUS.findall(found)), default=0), seconds, body=found)


def http_bytes(sent: Input) -> bytes:
    """Return a request as it goes over the wire; only its content is hostile, so it must be well-formed HTTP."""
    lines = [f"{sent.method} {sent.target} HTTP/1.1", "Host: perch.example"]
    lines += [f"{name}: {text}" for name, text in sent.headers]
    if sent.body is not None:
        lines.append(f"Content-Length: {len(sent.data)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + sent.data
