"""Load over real sockets: a minimal HTTP client on kept-alive connections, and its rates and latencies."""

import re
import socket
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)")
CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked")


class WrongAnswer(AssertionError):
    """An answer is not the one that the workload expects."""


class HttpClient(Protocol):
    """Sends requests to a server, over a socket or by a call within the process."""

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request and return status and body of its answer."""


class HttpConnection:
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        """Connect to a server on this machine; `headers` go with every request."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=300)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.head = f"Host: 127.0.0.1:{port}\r\n{lines}"
        self.rest = b""

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request and return status and body of its answer."""
        length = f"Content-Length: {len(body)}\r\nContent-Type: application/scim+json\r\n" if body else ""
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\n{self.head}{length}\r\n".encode() + body)
        head = self._until(b"\r\n\r\n").lower()
        status = int(head[9:12])
        if CHUNKED.search(head):
            return status, self._chunks()
        found = LENGTH.search(head)
        return status, self._exactly(int(found[1]) if found else 0)

    def _until(self, end: bytes) -> bytes:
        while (place := self.rest.find(end)) < 0:
            self.rest += self._receive()
        found, self.rest = self.rest[:place], self.rest[place + len(end) :]
        return found

    def _exactly(self, length: int) -> bytes:
        parts, have = [self.rest], len(self.rest)
        while have < length:
            parts.append(self._receive())
            have += len(parts[-1])
        found = b"".join(parts)
        self.rest = found[length:]
        return found[:length]

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self._until(b"\r\n").partition(b";")[0], 16):
            parts.append(self._exactly(size + 2)[:-2])
        self._until(b"\r\n")
        return b"".join(parts)

    def _receive(self) -> bytes:
        found = self.socket.recv(1 << 18)
        if not found:
            raise WrongAnswer("the server closed the connection")
        return found

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


@dataclass(frozen=True, slots=True)
class Measurement:
    """Operations per second, and the median and 99th percentile of the latencies in milliseconds."""

    rate: float
    median: float
    p99: float


Operation = Callable[[HttpClient, int], None]


def run(port: int, headers: dict[str, str], operation: Operation, clients: int, seconds: float) -> Measurement:
    """Repeat an operation for some seconds with some clients at once.

    Each client's first operation, before all begin, does not count.

    :raises WrongAnswer: at the first wrong answer.
    """
    latencies: list[list[float]] = [[] for _ in range(clients)]
    failures: list[BaseException] = []
    begin = threading.Barrier(clients + 1)

    def warm_up(connection: HttpConnection, number: int) -> None:
        try:
            operation(connection, number)
        except BaseException:
            begin.abort()
            raise

    def client(number: int) -> None:
        connection = HttpConnection(port, headers)
        try:
            warm_up(connection, number)
            begin.wait()
            end = time.perf_counter() + seconds
            turn, now = 1, 0.0
            while now < end and not failures:
                started = time.perf_counter()
                operation(connection, turn * clients + number)
                now, turn = time.perf_counter(), turn + 1
                latencies[number].append(now - started)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    with suppress(threading.BrokenBarrierError):
        begin.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    for failure in failures:
        if not isinstance(failure, threading.BrokenBarrierError):
            raise failure
    return _summary([latency for each in latencies for latency in each], elapsed)


def _summary(found: list[float], elapsed: float) -> Measurement:
    found.sort()
    return Measurement(
        len(found) / elapsed, statistics.median(found) * 1000, found[min(len(found) - 1, int(len(found) * 0.99))] * 1000
    )
