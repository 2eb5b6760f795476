"""The test over the public URL is green only when it was reached, red only for what Okta would refuse, else grey."""

import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from scim.console import public_url
from scim.console.public_url import FAILED, PASSED, UNKNOWN, Outcome, check
from tests.support.tls import Authority, Respond, TlsServer

HOST, PUBLIC = "perch.customer.example", "93.184.216.34"
BASE = f"https://{HOST}/acme/scim/v2"
Reach = Callable[..., Outcome]
create_connection = socket.create_connection


def use(patched: pytest.MonkeyPatch, resolve: Any, connect: Any) -> None:
    """Let hosts have other addresses, and connections lead elsewhere."""
    patched.setattr(public_url, "resolve", resolve)
    patched.setattr(socket, "create_connection", connect)


def guarded(headers: dict[str, str]) -> int:
    return 200 if headers.get("Authorization") == "Bearer right" else 401


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def reach(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reach]:
    """Check a base URL against a server whose certificate is for `host`, as if it were at `address`."""
    servers: list[TlsServer] = []

    def run(
        respond: Respond = guarded, *, base: str = BASE, key: str = "right", host: str = HOST, trusted: bool = True,
        left: timedelta = timedelta(days=9), addresses: tuple[str, ...] = (PUBLIC,),
    ) -> Outcome:  # fmt: skip
        server = TlsServer(authority.context(host, left), respond)
        servers.append(server)

        def connect(place: tuple[str, int], seconds: float) -> socket.socket:
            assert place[0] in addresses
            if place[0].endswith(".99"):
                raise ConnectionRefusedError("refused")
            return create_connection(("127.0.0.1", server.port), seconds)

        bundle = authority.bundle if trusted else public_url.AUTHORITIES
        with monkeypatch.context() as patched:
            use(patched, lambda host, port: addresses, connect)
            patched.setattr(public_url, "AUTHORITIES", bundle)
            return check(base, key, {"X-Mark": "1"})

    yield run
    for server in servers:
        server.stop()


def test_a_url_that_leads_to_perch_is_green(reach: Reach) -> None:
    seen: list[dict[str, str]] = []

    def respond(headers: dict[str, str]) -> int:
        seen.append(headers)
        return guarded(headers)

    assert reach(respond).state == PASSED
    assert [headers.get("Authorization") for headers in seen] == [None, "Bearer right"]
    assert {(headers["Host"], headers["X-Mark"]) for headers in seen} == {(HOST, "1")}


def test_the_first_address_that_answers_is_used(reach: Reach) -> None:
    assert reach(addresses=("93.184.216.99", PUBLIC)).state == PASSED
    assert reach(addresses=("93.184.216.99",)).state == UNKNOWN


@pytest.mark.parametrize(
    "base",
    [
        "http://perch.customer.example/acme/scim/v2", "http://127.0.0.1:8000/acme/scim/v2",
        "http://93.184.216.34/acme/scim/v2", "ftp://perch.customer.example/acme/scim/v2",
    ],
)  # fmt: skip
def test_a_url_without_https_is_red(reach: Reach, base: str) -> None:
    found = reach(base=base)
    assert found.state == FAILED and "Okta needs https" in found.text


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.20.0.1", "192.168.0.7", "169.254.169.254", "100.64.0.1", "0.0.0.0", "192.0.2.1",
        "203.0.113.9", "224.0.0.1", "::1", "fe80::1", "fc00::1", "2001:db8::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
    ],
)  # fmt: skip
def test_a_private_or_reserved_address_is_red(reach: Reach, address: str) -> None:
    for addresses in ((address,), (PUBLIC, address)):
        found = reach(addresses=addresses)
        assert found.state == FAILED and f"{HOST} has the address {address}" in found.text


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"trusted": False}, "unable to get local issuer certificate"),
        ({"left": timedelta(days=-1)}, "certificate has expired"),
        ({"host": "other.example"}, "Hostname mismatch"),
        ({"host": "*.example"}, "Hostname mismatch"),
    ],
)
def test_a_certificate_that_okta_refuses_is_red(reach: Reach, options: dict[str, object], told: str) -> None:
    found = reach(**options)
    assert found.state == FAILED and told in found.text


@pytest.mark.parametrize("status", [200, 204, 302, 403, 404, 500, 502])
def test_anything_but_401_without_a_key_is_red(reach: Reach, status: int) -> None:
    found = reach(lambda headers: status)
    assert found.state == FAILED and f"without an access key was answered {status}" in found.text


@pytest.mark.parametrize(
    ("status", "told"), [(401, "removes the header Authorization"), (404, "answered 404"), (502, "502")]
)
def test_a_key_that_does_not_arrive_is_red(reach: Reach, status: int, told: str) -> None:
    found = reach(lambda headers: status if "Authorization" in headers else 401)
    assert found.state == FAILED and told in found.text


def fails(error: Exception) -> Callable[..., Any]:
    def run(*_: object) -> Any:
        raise error

    return run


@pytest.mark.parametrize(
    ("resolve", "connect"),
    [
        (fails(socket.gaierror(-2, "Name or service not known")), None),
        (lambda host, port: (), None),
        (lambda host, port: (PUBLIC,), fails(TimeoutError("timed out"))),
        (lambda host, port: (PUBLIC,), fails(ConnectionRefusedError(111, "refused"))),
        (lambda host, port: (PUBLIC,), fails(OSError(101, "Network is unreachable"))),
        (fails(UnicodeError("label too long")), None),
    ],
)
def test_what_cannot_be_reached_is_grey(resolve: Any, connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, resolve, connect)
    found = check(BASE, "right", {})
    assert found.state == UNKNOWN
    assert "could not be reached from this machine, which proves nothing about Okta" in found.text


def test_a_server_that_speaks_no_tls_or_hangs_up_is_grey(reach: Reach, monkeypatch: pytest.MonkeyPatch) -> None:
    def plain(_: tuple[str, int], seconds: float) -> socket.socket:
        near, far = socket.socketpair()
        far.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        far.close()
        return near

    with monkeypatch.context() as patched:
        use(patched, lambda host, port: (PUBLIC,), plain)
        assert check(BASE, "right", {}).state == UNKNOWN
    assert reach(fails(ConnectionError("gone"))).state == UNKNOWN
