"""Hostile bytes on a real gunicorn's socket: bodies beyond the limit, chunks, half requests, garbage, pipelines."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeApp
from tests.support.client import ScimClient, http_transport
from tests.support.commands import create_key, scim_path
from tests.support.hostile import ERROR
from tests.support.server import PerchServer

LIMIT = 1_000_000
PATIENCE = 20.0


class Wire:
    """Sends raw bytes to a server."""

    def __init__(self, server: PerchServer, path: str, key: str) -> None:
        self.server, self.path, self.key = server, path, key
        self.client = ScimClient(http_transport(server.origin), path, key)

    def head(self, *lines: str, method: str = "POST", path: str = "/Users", key: str | None = None) -> bytes:
        """Return the head of a request: the usual lines, then `lines`."""
        start = [f"{method} {self.path}{path} HTTP/1.1", "Host: perch", f"Authorization: Bearer {key or self.key}"]
        return "\r\n".join([*start, "Content-Type: application/scim+json", *lines, "", ""]).encode("latin-1")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE)

    def say(self, *parts: bytes, end: bool = False) -> bytes:
        """Send parts and return one answer; with `end`, close the sending side before reading."""
        with self.connect() as wire:
            for part in parts:
                try:
                    wire.sendall(part)
                except (BrokenPipeError, ConnectionResetError):
                    break
            if end:
                with suppress(OSError):
                    wire.shutdown(socket.SHUT_WR)
            return answer_of(wire)


def answer_of(wire: socket.socket) -> bytes:
    """Return one answer, head and body, or what came until the server closed the connection."""
    found = b""
    while not is_complete(found):
        try:
            part = wire.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        found += part
    return found


def is_complete(found: bytes) -> bool:
    head, gap, body = found.partition(b"\r\n\r\n")
    lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(gap) and bool(lengths) and len(body) >= lengths[0]


def status(found: bytes) -> int:
    return int(found.split(b" ", 2)[1]) if found.startswith(b"HTTP/1.1 ") else 0


def error(found: bytes) -> Any:
    """Return the SCIM error that an answer holds."""
    document = json.loads(found.partition(b"\r\n\r\n")[2])
    assert document["schemas"] == [ERROR]
    return document


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """One server with two workers for all tests of this module."""
    from app import create_app

    folder = tmp_path_factory.mktemp("sockets")
    server = PerchServer(folder, 2, {"PERCH_MAX_BODY": str(LIMIT), "PERCH_FAILED_KEYS": "100000"})
    server.start()
    app = create_app(server.settings)
    yield Wire(server, scim_path(app), create_key(app, "sockets"))
    server.kill()


@pytest.fixture(autouse=True)
def still_well(wire: Wire) -> Iterator[None]:
    """Check after each test that the server answers and has logged no failure."""
    before = len(wire.server.log())
    yield
    assert wire.client.get("/Users?count=0").status == 200
    assert "Traceback" not in wire.server.log()[before:], wire.server.log()[before:]
    assert "Booting worker" not in wire.server.log()[before:]


def test_a_large_body_is_refused_before_it_is_sent(wire: Wire) -> None:
    begin = time.monotonic()
    found = wire.say(wire.head(f"Content-Length: {10**12}"))
    assert status(found) == 413
    assert error(found)["status"] == "413"
    assert time.monotonic() - begin < PATIENCE / 2


def test_endless_chunks_are_refused_at_the_limit(wire: Wire) -> None:
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    found = wire.say(wire.head("Transfer-Encoding: chunked"), *[chunk] * (LIMIT // 65536 + 2))
    assert status(found) == 413
    assert "PERCH_MAX_BODY" in error(found)["detail"]


def test_a_chunked_body_is_read(wire: Wire) -> None:
    body = b'{"userName":"in chunks"}'
    chunks = b"".join(b"1\r\n" + body[at : at + 1] + b"\r\n" for at in range(len(body))) + b"0\r\n\r\n"
    assert status(wire.say(wire.head("Transfer-Encoding: chunked"), chunks)) == 201


@pytest.mark.parametrize(
    "chunks",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-1\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}XX0\r\n\r\n",
        b"2;" + b"x" * 100_000 + b"\r\n{}\r\n0\r\n\r\n",
        b"ffffffffffffffff\r\n{}",
        b"2\r\n{}\r\n",
        b"2\r\n{}\r\n0\r\n" + b"T: x\r\n" * 50_000 + b"\r\n",
    ],
    ids=["letters", "negative", "no line end", "long extension", "huge", "never ended", "many trailers"],
)
def test_broken_chunks_are_refused(chunks: bytes, wire: Wire) -> None:
    found = wire.say(wire.head("Transfer-Encoding: chunked"), chunks, end=True)
    assert status(found) in (0, 400, 413)


def test_the_body_of_a_refused_request_is_discarded(wire: Wire) -> None:
    body = b" " * (LIMIT - 10)
    for key, path, expected in (("perch_x_y", "/Users", 401), (wire.key, "/Nothing", 404), (wire.key, "/Me", 501)):
        with wire.connect() as connection:
            for _ in range(2):
                connection.sendall(wire.head(f"Content-Length: {len(body)}", key=key, path=path))
                connection.sendall(body)
                assert status(answer_of(connection)) == expected


def test_a_body_slightly_over_the_limit_is_413(wire: Wire) -> None:
    for size in (LIMIT + 1, LIMIT + 30_000):
        found = wire.say(wire.head(f"Content-Length: {size}"), b" " * size)
        assert status(found) == 413


def test_a_body_that_never_comes_delays_no_answer(wire: Wire) -> None:
    begin = time.monotonic()
    with wire.connect() as connection:
        connection.sendall(wire.head("Content-Length: 900000", key="perch_x_y"))
        assert status(answer_of(connection)) == 401
        assert time.monotonic() - begin < PATIENCE / 2
        assert connection.recv(1) == b""
    assert time.monotonic() - begin < PATIENCE


def test_a_body_cut_short_creates_nothing(wire: Wire) -> None:
    found = wire.say(wire.head("Content-Length: 1000"), b'{"userName":"cut short"}', end=True)
    assert status(found) in (0, 400)
    assert wire.client.get("/Users?filter=userName%20eq%20%22cut%20short%22").body["totalResults"] == 0


def test_expect_100_continue_is_answered(wire: Wire) -> None:
    body = b'{"userName":"expected"}'
    with wire.connect() as connection:
        connection.sendall(wire.head("Expect: 100-continue", f"Content-Length: {len(body)}"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body)
        assert status(answer_of(connection)) == 201


@pytest.mark.parametrize(
    "lines",
    [
        ["Content-Length: 2", "Content-Length: 3"],
        ["Content-Length: -1"],
        ["Content-Length: 2_0"],
        ["Content-Length: 1e3"],
        ["Content-Length: 2", "Transfer-Encoding: chunked"],
        ["Transfer-Encoding: gzip"],
        ["Transfer-Encoding: chunked, identity"],
        ["Transfer-Encoding : chunked"],
        [" folded: header"],
        ["X" * 9000 + ": x"],
        [f"X-{n}: x" for n in range(200)],
        ["Bad Name: x"],
        ["Nul: \0"],
    ],
    ids=range(13),
)
def test_smuggling_and_endless_heads_are_refused(lines: list[str], wire: Wire) -> None:
    found = wire.say(wire.head(*lines), b"{}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", end=True)
    assert status(found) in (0, 400, 413, 417, 431, 501)
    assert b" 200 " not in found


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\n\r\n",
        b"\r\n" * 5000,
        b"GET http://other/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT other:443 HTTP/1.1\r\nHost: other\r\n\r\n",
        b"A" * 100_000,
    ],
    ids=range(11),
)
def test_garbage_gets_an_error_or_a_closed_connection(garbage: bytes, wire: Wire) -> None:
    found = wire.say(garbage, end=True)
    assert status(found) in (0, 200, 302, 303, 308, 400, 404, 405, 414, 501, 505), found


def test_a_query_of_megabytes_is_refused_by_gunicorn(wire: Wire) -> None:
    found = wire.say(wire.head(method="GET", path="/Users?filter=" + "x" * 3_000_000))
    assert status(found) in (0, 400, 414)


def test_a_pipeline_is_answered_in_order(wire: Wire) -> None:
    requests = [wire.head(method="GET", path=f"/Users?count=0&startIndex={n + 1}") for n in range(20)]
    with wire.connect() as connection:
        connection.sendall(b"".join(requests) + wire.head("Connection: close", method="GET", path="/Users?count=0"))
        found = b""
        while part := connection.recv(65536):
            found += part
    assert found.count(b"HTTP/1.1 200") == 21
    places = [found.index(f'"startIndex":{n + 1},'.encode()) for n in range(20)]
    assert places == sorted(places)


def test_a_client_that_hangs_up_does_no_harm(wire: Wire) -> None:
    for _ in range(10):
        with wire.connect() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            connection.sendall(wire.head(method="GET", path="/Schemas"))


def test_memory_does_not_grow_with_large_bodies(wire: Wire, make_app: MakeApp) -> None:
    before = largest(wire.server)
    for _ in range(10):
        wire.say(wire.head(f"Content-Length: {LIMIT}"), b"[" * LIMIT)
        wire.say(wire.head(f"Content-Length: {10**11}"))
    assert largest(wire.server) - before < 60_000


def largest(server: PerchServer) -> int:
    """Return the resident memory of the largest process of a server, in KiB."""
    assert server.process is not None
    master = Path(f"/proc/{server.process.pid}")
    children = (master / "task" / master.name / "children").read_text().split()
    texts = [Path(f"/proc/{child}/status").read_text() for child in children]
    return max(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith("VmRSS"))
