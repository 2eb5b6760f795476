"""Bodies that come slowly or never, on a real gunicorn without a proxy: they hold few threads, and not for long."""

import http.client
import re
import socket
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from scim.web import bodies
from tests.support.server import PerchServer
from tests.support.slow_callers import SlowCallers
from tests.web.test_hostile_sockets import answer_of, error, status

FORM = "Content-Type: application/x-www-form-urlencoded"
PASSWORD = "right horse, right battery"
PROBE_SECONDS = 2.0
ATTACK_SECONDS = 12.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PerchServer]:
    """One server with two workers for all tests of this module."""
    made = PerchServer(tmp_path_factory.mktemp("slow"), 2, {"PERCH_ADMIN_PASSWORD": PASSWORD})
    made.start()
    assert made.key
    yield made
    assert "Traceback" not in made.log(), made.log()
    made.kill()


def head(path: str, length: int | None = 5000, *lines: str, method: str = "POST") -> bytes:
    size = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: perch", size, *lines, "", ""]).encode()


def keyed(server: PerchServer, path: str = "/Users", length: int | None = 5000) -> bytes:
    return head(f"{server.scim_path}{path}", length, f"Authorization: Bearer {server.key}", "Content-Type: application/json")


def connect(server: PerchServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def probe(server: PerchServer) -> float:
    """Return the seconds that a new caller waits for /healthz."""
    begin = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/healthz")
    assert connection.getresponse().read() == b"ok\n"
    connection.close()
    return time.monotonic() - begin


def sign_in(server: PerchServer) -> int:
    """Sign in to the console as a browser does; return the status of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/console/sign-in")
    page = connection.getresponse()
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    token = re.search(r'name="form_token" value="([^"]+)"', page.read().decode())
    assert token
    fields = urlencode({"form_token": token[1], "password": PASSWORD})
    sent = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/console/sign-in", fields, sent)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_callers_without_a_key_cannot_stop_the_service(server: PerchServer) -> None:
    base = server.scim_path
    forms = [head("/console/sign-in", 5000, FORM)]
    others = [
        head("/console/users"),
        head("/console/sign-in", 5000, FORM),
        head(f"{base}/Users"),
        head(f"{base}/Bulk", None),
        head(f"{base}/Users/1", 10**6, method="PUT"),
        head("/nowhere"),
        head("/healthz", method="GET"),
    ]
    with SlowCallers(server.port, forms, others, (60, 40)) as callers:
        waits, end = [], time.monotonic() + ATTACK_SECONDS
        while time.monotonic() < end:
            waits.append(probe(server))
            time.sleep(0.1)
        assert sign_in(server) == 303
        waits.append(probe(server))
    assert max(waits) < PROBE_SECONDS, waits
    print(max(waits), callers.opened)
    assert callers.opened > 200
    refused = [answer for answer in callers.answers if b" 503 " in answer]
    assert refused
    assert all(b"Retry-After:" in answer for answer in refused)


def test_callers_who_never_close_cannot_stop_the_service(server: PerchServer) -> None:
    """gunicorn waits on its main thread until a client closes a connection that is not kept alive."""
    heads = [
        b"GET /healthz HTTP/1.1\r\nHost: perch\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.0\r\n\r\n",
        head("/console/sign-in", 5000, FORM, "Connection: close"),
    ]
    waiting = []
    for number in range(30):
        waiting.append(connect(server))
        waiting[-1].sendall(heads[number % len(heads)])
    assert max(probe(server) for _ in range(5)) < PROBE_SECONDS
    for wire in waiting:
        wire.close()


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/users", "/{base}/Users", "/nowhere"])
@pytest.mark.parametrize("length", [5000, None])
def test_one_slow_body_of_an_unknown_caller_gets_ten_seconds(path: str, length: int | None, server: PerchServer) -> None:
    path = path.replace("/{base}", server.scim_path)
    body = b"a" * 5000 if length else b"1388\r\n" + b"a" * 5000 + b"\r\n0\r\n\r\n"
    with connect(server) as wire:
        wire.sendall(head(path, length, FORM))
        time.sleep(0.5)
        for at in range(0, len(body), 500):
            time.sleep(0.05)
            wire.sendall(body[at : at + 500])
        assert status(answer_of(wire)) in (303, 401, 403, 404)
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: perch\r\nConnection: close\r\n\r\n")
        assert b" 200 " in answer_of(wire)


def test_a_slow_form_ends_after_ten_seconds_and_its_connection_is_closed(server: PerchServer) -> None:
    begin = time.monotonic()
    with connect(server) as wire:
        wire.sendall(head("/console/sign-in", 5000, FORM) + b"password=")
        found = answer_of(wire)
        assert status(found) == 503
        assert b"Retry-After: " in found
        assert wire.recv(1) == b""
    assert bodies.SLOW_SECONDS - 1 < time.monotonic() - begin < bodies.SLOW_SECONDS + 5


def test_the_sixth_part_of_a_megabyte_is_too_much_for_a_slow_caller(server: PerchServer) -> None:
    with connect(server) as wire:
        wire.sendall(head("/nowhere", 10**7))
        time.sleep(0.4)
        assert status(answer_of(wire)) == 404
        begin = time.monotonic()
        with pytest.raises(OSError, match="reset|pipe"):
            while time.monotonic() - begin < 9:
                wire.sendall(b"x" * 65536)
                time.sleep(0.05)


@pytest.mark.parametrize("length", [5000, 900_000, None])
def test_a_keyed_body_that_drips_is_408(length: int | None, server: PerchServer) -> None:
    drop = b"x" if length else b"1\r\nx\r\n"
    begin = time.monotonic()
    with connect(server) as wire:
        wire.sendall(keyed(server, length=length))
        wire.settimeout(0.05)
        found = b""
        while not found and time.monotonic() - begin < 30:
            try:
                wire.sendall(drop)
                found = wire.recv(65536)
            except TimeoutError:
                continue
        assert status(found) == 408
        assert error(found)["status"] == "408"
    assert bodies.FREE_SECONDS - 1 < time.monotonic() - begin < bodies.FREE_SECONDS + 5


@pytest.mark.parametrize("chunked", [False, True])
def test_a_keyed_body_of_more_than_a_kibibyte_a_second_is_read(chunked: bool, server: PerchServer) -> None:
    body = b'{"userName":"slow %d","title":"%s"}' % (chunked, b"x" * 30_000)
    pieces = [body[at : at + 1250] for at in range(0, len(body), 1250)]
    with connect(server) as wire:
        wire.sendall(keyed(server, length=None if chunked else len(body)))
        for piece in pieces:
            wire.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            time.sleep(0.5)
        wire.sendall(b"0\r\n\r\n" if chunked else b"")
        assert status(answer_of(wire)) == 201


@pytest.mark.parametrize("path", ["/Nothing", "/Me"])
def test_a_keyed_body_that_is_only_dropped_ends(path: str, server: PerchServer) -> None:
    begin = time.monotonic()
    with connect(server) as wire:
        wire.sendall(keyed(server, path, 900_000))
        assert status(answer_of(wire)) in (404, 501)
        assert wire.recv(1) == b""
    assert time.monotonic() - begin < bodies.FREE_SECONDS + 5
