"""Load over real sockets: a lean HTTP client on kept-alive connections, and the rates and latencies it saw."""

import socket
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


class WrongAnswer(AssertionError):
    """The server answered something else than the workload expects: an error, not an operation."""


class Connection:
    """One kept-alive HTTP/1.1 connection."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        """Connect to a server on this machine; `headers` go with every request."""
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.head = f"Host: 127.0.0.1:{port}\r\n{lines}"
        self.rest = b""

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send a request and return status and body of its answer."""
        length = f"Content-Length: {len(body)}\r\nContent-Type: application/scim+json\r\n" if body else ""
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\n{self.head}{length}\r\n".encode() + body)
        return self._answer()

    def _answer(self) -> tuple[int, bytes]:
        data = self.rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._receive()
        head = data[:end].lower()
        status = int(head[9:12])
        place = head.find(b"content-length:")
        length = (
            int(head[place + 15 : head.find(b"\r\n", place) if b"\r\n" in head[place:] else None]) if place > 0 else 0
        )
        chunks, have = [data[end + 4 :]], len(data) - end - 4
        while have < length:
            chunks.append(self._receive())
            have += len(chunks[-1])
        body = b"".join(chunks)
        self.rest = body[length:]
        return status, body[:length]

    def _receive(self) -> bytes:
        found = self.socket.recv(1 << 18)
        if not found:
            raise WrongAnswer("the server closed the connection")
        return found

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


@dataclass(frozen=True, slots=True)
class Measured:
    """What a run saw: operations per second, and the latencies' median and 99th percentile in milliseconds."""

    rate: float
    median: float
    p99: float


Operation = Callable[[Connection, int], None]


def run(port: int, headers: dict[str, str], operation: Operation, clients: int, seconds: float) -> Measured:
    """Run an operation over and over by some clients at once; it raises WrongAnswer at a wrong answer."""
    latencies: list[list[float]] = [[] for _ in range(clients)]
    failures: list[BaseException] = []
    begin = threading.Barrier(clients + 1)

    def client(number: int) -> None:
        connection = Connection(port, headers)
        try:
            begin.wait()
            end = time.perf_counter() + seconds
            turn = 0
            while (started := time.perf_counter()) < end and not failures:
                operation(connection, turn * clients + number)
                latencies[number].append(time.perf_counter() - started)
                turn += 1
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    begin.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - started
    if failures:
        raise failures[0]
    return _summary([latency for each in latencies for latency in each], elapsed)


def _summary(found: list[float], elapsed: float) -> Measured:
    found.sort()
    return Measured(
        len(found) / elapsed, statistics.median(found) * 1000, found[min(len(found) - 1, int(len(found) * 0.99))] * 1000
    )
