"""Signs client assertions for tests, and serves an issuer's documents on this machine."""

import json
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, Key, KeySet, RSAKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def new_key(kid: str = "k1", kind: str = "EC") -> Any:
    if kind == "EC":
        return ECKey.generate_key("P-256", {"kid": kid})
    return RSAKey.generate_key(2048, {"kid": kid})


def key_set(*keys: Any) -> dict[str, Any]:
    return dict(KeySet(list(keys)).as_dict(private=False))


def signed(key: Key, claims: dict[str, Any], alg: str = "ES256", kid: str | None = "k1") -> str:
    header = {"alg": alg, **({"kid": kid} if kid else {})}
    return jwt.encode(header, claims, key, algorithms=[alg])


def claims(issuer: str, subject: str, audience: Any, seconds: int = 300, **more: Any) -> dict[str, Any]:
    now = int(time.time())
    found = {"iss": issuer, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + seconds, **more}
    return {name: value for name, value in found.items() if value is not None}


def form(client: str | None, assertion: str, **more: str) -> dict[str, str]:
    named = {"client_id": client} if client else {}
    return {
        "grant_type": "client_credentials", **named, "client_assertion": assertion,
        "client_assertion_type": ASSERTION_TYPE, **more,
    }  # fmt: skip


class Issuer:
    """An issuer on this machine; `metadata` and `keys` may be changed, `asked` has the paths that were fetched.

    `pause` is how many seconds it waits before it sends each byte of a document.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status, self.pause = 200, 0.0
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                document = issuer.metadata if self.path.startswith("/.well-known") else issuer.keys
                body = json.dumps(document).encode()
                self.send_response(issuer.status)
                self.send_header("Location", f"{issuer.url}/moved")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with suppress(OSError):
                    for part in [body[at : at + 1] for at in range(len(body))] if issuer.pause else [body]:
                        time.sleep(issuer.pause)
                        self.wfile.write(part)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.metadata: dict[str, Any] = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.keys: dict[str, Any] = {"keys": []}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
