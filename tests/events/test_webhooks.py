"""Webhooks in one process: messages, targets, failures, and an operator's actions."""

import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from flask import Flask
from standardwebhooks.webhooks import Webhook as Signature
from standardwebhooks.webhooks import WebhookVerificationError

from schemas.errors import InvalidValue
from scim.events import delivery
from scim.events.delivery import WebhookDelivery, retry_delay
from scim.events.sender import WebhookSender
from scim.events.urls import AddressPolicy, AddressRefused, is_public
from scim.events.webhooks import WebhookService
from storage import webhooks
from storage.journal import Author
from storage.webhooks import Webhook
from tests.conftest import MakeApp
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, run_json, scim_path
from tests.support.receiver import Receiver

PUBLIC_ONLY = AddressPolicy(False, frozenset())


class WebhookSite:
    """A deployment, a receiver, and a webhook between them."""

    def __init__(self, app: Flask, receiver: Receiver, *options: str) -> None:
        self.app, self.receiver = app, receiver
        self.perch = app.extensions["perch"]
        self.client = ScimClient(wsgi_transport(app), scim_path(app), create_key(app, "x", "--idp", "generic"))
        added = run_json(app, "webhooks", "add", receiver.url, *options)
        self.id = added["id"]
        receiver.secret = added.get("secret", "")
        author = Author("delivery", "")
        service = WebhookService(self.perch.repository, self.perch.settings, "http://perch/ws", author)
        self.delivery = WebhookDelivery(service, self.id, lambda: True)

    def deliver(self, times: int = 50) -> None:
        for _ in range(times):
            if not self.delivery.step():
                return

    def user(self, name: str) -> str:
        return str(self.client.post("/Users", {"userName": name}).body["id"])

    def title(self, identifier: str, text: str) -> None:
        body = {"Operations": [{"op": "add", "path": "title", "value": text}]}
        assert self.client.patch(f"/Users/{identifier}", body).status == 200

    @property
    def webhook(self) -> Webhook:
        with self.perch.database.read() as connection:
            return webhooks.get(connection, self.id)

    @property
    def names(self) -> list[str]:
        return [event["data"]["user"]["userName"] for event in self.receiver.seen]

    def hurry(self) -> None:
        """Make all delays expire."""
        with self.perch.database.write() as connection:
            connection.execute("UPDATE webhook_queue SET nextTry = 0")
            connection.execute("UPDATE webhooks SET nextTry = 0")

    @property
    def waiting(self) -> int:
        with self.perch.database.read() as connection:
            return webhooks.waiting(connection, self.id)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


@pytest.fixture
def site(make_app: MakeApp, receiver: Receiver) -> WebhookSite:
    return WebhookSite(make_app(PERCH_WEBHOOKS_ALLOW_PRIVATE="on", PERCH_WEBHOOK_TIMEOUT="1"), receiver)


def test_events_arrive_signed_in_order_and_once(site: WebhookSite) -> None:
    for number in range(5):
        site.user(f"u{number}")
    site.deliver()
    assert site.names == ["u0", "u1", "u2", "u3", "u4"]
    headers, body = site.receiver.raw[0]
    assert headers["webhook-id"] == json.loads(body)["id"]
    assert set(json.loads(body)) == {"id", "type", "timestamp", "request", "data"}
    with pytest.raises(WebhookVerificationError):
        Signature(site.receiver.secret).verify(body.replace(b"u0", b"u9"), headers)
    site.deliver()
    assert len(site.receiver.seen) == 5 and site.waiting == 0
    assert site.webhook.delivered == 5


def test_only_the_kinds_asked_for(make_app: MakeApp, receiver: Receiver) -> None:
    app = make_app(PERCH_WEBHOOKS_ALLOW_PRIVATE="on")
    run_command(app, "roles", "add", "a", "A")
    site = WebhookSite(app, receiver, "--events", "login.allowed,login.withdrawn")
    ann = str(site.client.post("/Users", {"userName": "ann", "roles": ["a"]}).body["id"])
    site.user("bob")
    site.client.delete(f"/Users/{ann}")
    site.deliver()
    assert [event["type"] for event in receiver.seen] == ["login.allowed", "login.withdrawn"]
    assert site.waiting == 0


def test_a_failure_delays_events_of_that_person_only_and_keeps_their_order(site: WebhookSite) -> None:
    bad = {"ann"}
    site.receiver.behave = lambda event: 500 if event["data"]["user"]["userName"] in bad else 204
    ann = site.user("ann")
    bob = site.user("bob")
    site.title(ann, "1")
    site.title(bob, "2")
    site.title(ann, "3")
    site.deliver()
    assert site.names == ["bob", "bob"]
    assert site.waiting == 3
    bad.clear()
    site.hurry()
    site.deliver()
    assert site.names == ["bob", "bob", "ann", "ann", "ann"]
    ids = [int(event["id"].split("_")[1]) for event in site.receiver.seen if event["data"]["user"]["userName"] == "ann"]
    assert ids == sorted(ids) and site.waiting == 0


def test_a_receiver_that_is_down_is_tried_less_and_less(site: WebhookSite) -> None:
    site.receiver.stop()
    for number in range(20):
        site.user(f"u{number}")
    site.deliver()
    held = site.webhook
    assert held.failures == delivery.DOWN_AFTER and held.nextTry > time.time()
    assert site.waiting == 20 and held.reason and "refused" in held.reason.lower()
    site.hurry()
    site.deliver()
    assert site.webhook.failures == delivery.DOWN_AFTER + 1
    site.receiver.start()
    site.hurry()
    site.deliver()
    site.hurry()
    site.deliver()
    assert sorted(site.names, key=lambda name: int(name[1:])) == [f"u{number}" for number in range(20)]
    assert site.waiting == 0 and site.webhook.failures == 0 and site.webhook.reason is None


def test_after_three_days_it_is_paused_and_shown(site: WebhookSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.receiver.behave = lambda event: 500
    site.user("ann")
    site.deliver()
    assert site.webhook.paused is None
    monkeypatch.setattr(delivery, "GIVE_UP", -1.0)
    site.hurry()
    site.deliver()
    (shown,) = run_json(site.app, "webhooks", "list")
    assert shown["state"] == "paused" and "500" in shown["reason"] and shown["waiting"] == 1
    site.hurry()
    assert site.delivery.step() is False
    monkeypatch.undo()
    site.receiver.behave = lambda event: 204
    run_command(site.app, "webhooks", "resume", site.id)
    site.deliver()
    assert site.names == ["ann"]


def test_a_receiver_that_is_gone_is_paused_at_once(site: WebhookSite) -> None:
    site.receiver.behave = lambda event: 410
    site.user("ann")
    site.deliver()
    assert site.webhook.paused is not None and site.waiting == 1
    entry = run_json(site.app, "journal")[0]
    assert (entry["type"], entry["action"], entry["actor"]) == ("Webhook", "pause", "delivery")
    assert entry["changes"]["paused"]["before"] is None


def test_pause_and_replay(site: WebhookSite) -> None:
    run_command(site.app, "webhooks", "pause", site.id)
    site.user("ann")
    site.deliver()
    assert site.receiver.seen == []
    run_command(site.app, "webhooks", "resume", site.id)
    site.deliver()
    first = site.receiver.seen[0]["id"]
    site.user("bob")
    site.deliver()
    run_command(site.app, "webhooks", "replay", site.id, "--from", first)
    site.deliver()
    assert site.names == ["ann", "bob", "bob"]
    run_command(site.app, "webhooks", "replay", site.id, "--from", "oldest")
    site.deliver()
    assert site.names[3:] == ["ann", "bob"]
    run_command(site.app, "webhooks", "replay", site.id, "--from", "2020-01-01T00:00:00Z")
    site.deliver()
    assert site.names[5:] == ["ann", "bob"]
    site.receiver.behave = lambda event: 500
    site.user("cid")
    site.deliver()
    run_command(site.app, "webhooks", "replay", site.id, "--from", "latest")
    assert site.waiting == 0


def test_lost_events_pause_the_webhook_and_say_so(site: WebhookSite) -> None:
    run_command(site.app, "webhooks", "pause", site.id)
    site.user("ann")
    site.user("bob")
    with site.perch.database.write() as connection:
        connection.execute("DELETE FROM events WHERE seq = 1")
    run_command(site.app, "webhooks", "resume", site.id)
    site.deliver()
    assert site.receiver.seen == [] and site.webhook.reason == delivery.PRUNED
    assert run_json(site.app, "journal")[0]["actor"] == "delivery"
    run_command(site.app, "webhooks", "resume", site.id)
    site.deliver()
    assert site.names == ["bob"]


def test_both_secrets_sign_during_the_overlap(site: WebhookSite) -> None:
    old = site.receiver.secret
    new = run_json(site.app, "webhooks", "rotate", site.id)["secret"]
    assert new != old and new.startswith("whsec_")
    site.user("ann")
    site.deliver()
    headers, body = site.receiver.raw[0]
    for secret in (old, new):
        assert Signature(secret).verify(body, headers)["data"]["user"]["userName"] == "ann"
    run_command(site.app, "webhooks", "rotate", site.id, "--overlap", "0")
    assert len(site.webhook.secrets()) == 1


def test_test_sends_an_event_now(site: WebhookSite) -> None:
    assert run_command(site.app, "webhooks", "test", site.id).strip() == "204"
    assert site.receiver.seen[0]["type"] == "perch.test"
    site.receiver.behave = lambda event: 503
    result = site.app.test_cli_runner().invoke(args=["webhooks", "test", site.id])
    assert result.exit_code == 1 and "503" in result.output


def test_secrets_are_shown_once(site: WebhookSite) -> None:
    assert "whsec_" not in run_command(site.app, "webhooks", "list", "--json")
    assert "whsec_" not in run_command(site.app, "webhooks", "list")
    run_command(site.app, "webhooks", "remove", site.id)
    assert run_json(site.app, "webhooks", "list") == []


def test_a_hanging_and_a_slow_receiver_cost_only_the_timeout() -> None:
    for behaviour in ("hang", "drip"):
        listener = socket.create_server(("127.0.0.1", 0))
        stop = threading.Event()
        threading.Thread(target=_bad_server, args=(listener, behaviour, stop), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        began = time.monotonic()
        outcome = WebhookSender(url, AddressPolicy(True, frozenset()), 0.5).send(b"{}", {})
        assert outcome.status == 0 and outcome.text
        assert time.monotonic() - began < 60
        stop.set()
        listener.close()


def _bad_server(listener: socket.socket, behaviour: str, stop: threading.Event) -> None:
    connection, _ = listener.accept()
    while not stop.wait(0.05):
        if behaviour == "drip":
            try:
                connection.sendall(b"H")
            except OSError:
                return


def test_the_text_of_a_receiver_is_one_printable_line() -> None:
    class Hostile(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(410)
            self.end_headers()
            self.wfile.write("gone\n\x1b[2Jpaused\u202e\x9b1m\u2028FORGED Zoë".encode())

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hostile)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sender = WebhookSender(f"http://127.0.0.1:{server.server_port}/", AddressPolicy(True, frozenset()), 5)
    assert sender.send(b"{}", {}).text == "gone \ufffd[2Jpaused\ufffd\ufffd1m FORGED Zoë"
    server.shutdown()
    server.server_close()


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    class Redirecting(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(307)
            self.send_header("Location", receiver.url)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Redirecting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    policy = AddressPolicy(True, frozenset())
    outcome = WebhookSender(f"http://127.0.0.1:{server.server_port}/", policy, 5).send(b"{}", {})
    assert outcome.status == 307 and not outcome.delivered
    server.shutdown()
    server.server_close()
    assert receiver.raw == []


@pytest.mark.parametrize(
    "url",
    [
        "http://app.example.com/", "ftp://app.example.com/", "https://user:pw@app.example.com/", "https:///x",
        "nonsense", "https://app.example.com/#x", "https://app.example.com/a b", "https://app.example.com:99999/", "",
        "https://app.example.com/\x7f", "https://app.example.com/\x00", "https://app.example.com/a\r\nHost: x",
        "https://app.exam\tple.com/", "\x1bhttps://app.example.com/", "https://app.example.com/?a=\x1f",
        "https://app.example.com/\x9b", "https://app.example.com/\u202e", "https://app.exam\x7fple.com/",
    ],
)  # fmt: skip
def test_urls_that_webhooks_may_not_have(url: str) -> None:
    with pytest.raises(InvalidValue):
        PUBLIC_ONLY.parse(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "ff02::1", "2001:db8::1", "192.0.2.1",
        "fec0::1", "feff:ffff::1", "3fff::1", "3fff:fff:ffff::1", "5f00::1", "64:ff9b:1::a00:1",
        "192.0.0.192", "192.0.0.9", "192.88.99.1", "168.63.129.16",
        "::ffff:168.63.129.16", "2002:a83f:8110::1", "64:ff9b::a83f:8110", "::ffff:192.0.0.192", "2002:c000:c0::",
        "64:ff9b::c000:c0", "::ffff:192.88.99.1", "2002:c058:6301::1", "64:ff9b::c058:6301",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822", "168.63.129.15", "168.63.129.17",
        "192.0.1.1", "192.88.98.1", "::ffff:168.63.129.17", "2002:5db8:d822::1", "2a00:3fff::1", "2600::fec0",
    ],
)  # fmt: skip
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def test_a_name_that_now_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])

    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), 443))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    target = PUBLIC_ONLY.parse("https://rebind.example.com/hook")
    assert PUBLIC_ONLY.addresses(target) == ["93.184.216.34"]
    with pytest.raises(AddressRefused, match="not public"):
        PUBLIC_ONLY.addresses(target)
    assert AddressPolicy(False, frozenset({"rebind.example.com"})).addresses(target) == ["127.0.0.1"]


def test_the_connection_goes_to_the_checked_address_and_is_not_reopened(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def resolve(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(AddressPolicy, "addresses", lambda self, target: [resolve(target.host, target.port)[0][4][0]])
    policy = AddressPolicy(False, frozenset({"app.example.com"}))
    sender = WebhookSender(f"http://app.example.com:{receiver.port}/hook", policy, 5)
    body = b'{"id":"1"}'
    headers = {"Content-Type": "application/json"}
    assert sender.send(body, headers).status == 204 and sender.send(body, headers).status == 204
    assert asked == ["app.example.com"]
    assert receiver.raw[0][0]["Host"] == f"app.example.com:{receiver.port}"
    receiver.stop()
    sender.close()
    assert sender.send(body, headers).status == 0


@pytest.mark.parametrize("trusted", [True, False])
def test_a_receiver_without_a_valid_certificate_gets_nothing(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if trusted:
        client = ssl.create_default_context(cafile=certificate)
        monkeypatch.setattr("scim.events.sender._tls", lambda: client)
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer_over_tls, args=(server, context, seen))
        thread.start()
        sender = WebhookSender(
            f"https://localhost:{server.getsockname()[1]}/", AddressPolicy(False, frozenset({"localhost"})), 5
        )
        result = sender.send(b"{}", {})
        sender.close()
        thread.join(10)
    assert (result.status, bool(seen)) == ((204, True) if trusted else (0, False)), result
    assert trusted or "CERTIFICATE_VERIFY_FAILED" in result.text


def answer_over_tls(server: socket.socket, context: ssl.SSLContext, seen: list[bytes]) -> None:
    plain, _ = server.accept()
    with suppress(OSError), context.wrap_socket(plain, server_side=True) as connected:
        request = b""
        # Closing with unread bytes would reset the connection, and the answer with it.
        while not request.endswith(b"\r\n\r\n{}"):
            if not (part := connected.recv(1000)):
                return
            request += part
        seen.append(request)
        connected.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    instant = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), instant - timedelta(1), instant + timedelta(1)
        )
        .add_extension(names, False)
        .sign(key, hashes.SHA256())
    )
    encoded = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "certificate.pem"
    path.write_bytes(encoded + made.public_bytes(Encoding.PEM))
    return path


def test_private_addresses_need_a_setting(app: Flask) -> None:
    perch = app.extensions["perch"]
    service = WebhookService(perch.repository, perch.settings, "http://perch/ws", Author("tests", ""))
    with pytest.raises(InvalidValue, match="https"):
        service.add("http://127.0.0.1:1/hook")
    found = service.add("https://127.0.0.1:1/hook")
    outcome = service.test(found.id)
    assert outcome.status == 0 and "not public" in outcome.text
    with pytest.raises(InvalidValue, match="no event 'x'"):
        service.add("https://app.example.com/", ["x"])


def test_retry_delays_grow_up_to_a_limit() -> None:
    assert 0.75 <= retry_delay(1, 3600) <= 1.25
    assert 6 <= retry_delay(4, 3600) <= 10
    assert retry_delay(100, 3600) <= 4500
