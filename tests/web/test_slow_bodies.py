"""Bodies that come slowly or never, on a real gunicorn without a proxy: they hold few threads, and not for long."""

import http.client
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlencode

import pytest

from scim.web import bodies
from tests.support.server import PerchServer
from tests.support.slow_callers import SlowCallers
from tests.web.test_hostile_sockets import answer_of, error, is_complete, status

FORM = "Content-Type: application/x-www-form-urlencoded"
PASSWORD = "right horse, right battery"
PROBE_SECONDS = 2.0
ATTACK_SECONDS = 11.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PerchServer]:
    """One server with two workers for all tests of this module."""
    # The tests send many requests without a key.
    settings = {"PERCH_ADMIN_PASSWORD": PASSWORD, "PERCH_FAILED_KEYS": "100000"}
    made = PerchServer(tmp_path_factory.mktemp("slow"), 2, settings)
    made.start()
    assert made.key
    yield made
    assert "Traceback" not in made.log(), made.log()
    made.kill()


def head(path: str, length: int | None = 5000, *lines: str, method: str = "POST") -> bytes:
    size = f"Content-Length: {length}" if length is not None else "Transfer-Encoding: chunked"
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: perch", size, *lines, "", ""]).encode()


def keyed(server: PerchServer, path: str = "/Users", length: int | None = 5000) -> bytes:
    return head(
        f"{server.scim_path}{path}", length, f"Authorization: Bearer {server.key}", "Content-Type: application/json"
    )


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
def test_one_slow_body_of_an_unknown_caller_gets_ten_seconds(
    path: str, length: int | None, server: PerchServer
) -> None:
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


def slow_form(server: PerchServer) -> bytes:
    """Send a part of a form of an unknown caller; return the answer once the connection is closed."""
    with connect(server) as wire:
        wire.sendall(head("/console/sign-in", 5000, FORM) + b"password=")
        found = answer_of(wire)
        assert wire.recv(1) == b""
        return found


def dripping(server: PerchServer, length: int | None) -> bytes:
    """Send a keyed body byte by byte until there is an answer."""
    drop = b"x" if length else b"1\r\nx\r\n"
    with connect(server) as wire:
        wire.sendall(keyed(server, length=length))
        wire.settimeout(0.05)
        found = b""
        while not found:
            with suppress(TimeoutError):
                wire.sendall(drop)
                found = wire.recv(65536)
        # The head and the body of an answer may come one after the other.
        return found if is_complete(found) else found + wire.recv(65536)


def only_dropped(server: PerchServer) -> bytes:
    """Send the head of a keyed request that is refused; return the answer once the connection is closed."""
    with connect(server) as wire:
        wire.sendall(keyed(server, "/Nothing", 900_000))
        found = answer_of(wire)
        assert wire.recv(1) == b""
        return found


def test_what_comes_too_slowly_ends_after_ten_seconds(server: PerchServer) -> None:
    """At the same time: it takes long."""
    begin = time.monotonic()
    with ThreadPoolExecutor(5) as pool:
        form, dropped = pool.submit(slow_form, server), pool.submit(only_dropped, server)
        keyed_ones = [pool.submit(dripping, server, length) for length in (5000, 900_000, None)]
        assert status(dropped.result()) == 404
        assert status(form.result()) == 503
        assert b"\r\nRetry-After: " in form.result()
        for each in keyed_ones:
            assert (status(each.result()), error(each.result())["status"]) == (408, "408")
    assert bodies.FREE_SECONDS - 1 < time.monotonic() - begin < bodies.FREE_SECONDS + 15


def test_a_slow_unknown_caller_may_send_256_kibibytes(server: PerchServer) -> None:
    with connect(server) as wire:
        wire.sendall(head("/nowhere", 10**7))
        time.sleep(0.4)
        assert status(answer_of(wire)) == 404
        begin = time.monotonic()
        with pytest.raises(OSError, match="reset|pipe"):
            while time.monotonic() - begin < 9:
                wire.sendall(b"x" * 65536)
                time.sleep(0.05)


def steady(server: PerchServer, chunked: bool) -> bytes:
    """Send a keyed body with 2.5 KiB per second; return the answer."""
    body = b'{"userName":"slow %d","title":"%s"}' % (chunked, b"x" * 28_000)
    with connect(server) as wire:
        wire.sendall(keyed(server, length=None if chunked else len(body)))
        for at in range(0, len(body), 1250):
            piece = body[at : at + 1250]
            wire.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
            time.sleep(0.5)
        wire.sendall(b"0\r\n\r\n" if chunked else b"")
        return answer_of(wire)


def test_a_keyed_body_of_more_than_a_kibibyte_a_second_is_read(server: PerchServer) -> None:
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda chunked: steady(server, chunked), [False, True]))
    assert list(map(status, answers)) == [201, 201]
