"""A TLS server on 127.0.0.1 with a certificate of a test authority, for names and times of choice."""

import socketserver
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Respond = Callable[[dict[str, str]], int]


class Authority:
    """Signs certificates; `bundle` is the file with its own, for those who trust it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.bundle = folder / "authority.pem"
        self.name = _named("Test authority")
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        made = self._build(self.name, self.key.public_key(), timedelta(days=9)).add_extension(constraints, True)
        self.bundle.write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _build(self, name: x509.Name, key: Any, left: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(self.name).public_key(key)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - timedelta(days=30)).not_valid_after(now + left)

    def context(self, host: str, left: timedelta = timedelta(days=9)) -> ssl.SSLContext:
        """Return a server's context with a certificate for a host that expires after some time, or before now."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        made = self._build(_named(host), key.public_key(), left).add_extension(names, False)
        place = self.folder / f"{host}.pem"
        place.write_bytes(
            made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(place)
        return context


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class TlsServer:
    """Listens on a free port of 127.0.0.1; `respond` returns the status of the answer to a request's headers."""

    def __init__(self, context: ssl.SSLContext, respond: Respond) -> None:
        self.paths: list[str] = []
        seen = self.paths

        class Handler(BaseHTTPRequestHandler):
            def setup(self) -> None:
                self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def do_GET(self) -> None:
                seen.append(self.path)
                self.send_response(respond(dict(self.headers)))
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
