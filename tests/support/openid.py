"""An OpenID provider on a free port whose answers a test can spoil."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

CLIENT, SECRET = "perch-console", "the secret of the client"


@cache
def _rsa_key() -> RSAKey:
    """Return one key for all providers of a process, since making one takes long."""
    return RSAKey.generate_key(2048, {"kid": "k1"})


class OpenIdProvider:
    """Answers discovery, `keys` and codes; `spoil` changes the claims, `sign` makes the id_token of them."""

    def __init__(self) -> None:
        self.key: RSAKey | ECKey = _rsa_key()
        self.claims: dict[str, Any] = {"sub": "00u1", "email": "ada@example.com", "email_verified": True}
        self.spoil: Callable[[dict[str, Any]], object] = lambda claims: None
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.metadata: dict[str, Any] = {}
        self.keys: Callable[[], Any] = lambda: {"keys": [self.key.as_dict(private=False)]}
        self.asked: dict[str, str] = {}
        self.reads: list[str] = []
        self.codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.reads.append(self.path)
                self._answer(*provider.get(self.path))

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self._answer(*provider.token({name: each[0] for name, each in form.items()}, self.headers))

            def _answer(self, status: int, document: Any) -> None:
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                if status == 302:
                    self.send_header("Location", f"{provider.issuer}/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    @property
    def settings(self) -> dict[str, str]:
        return {
            "PERCH_OIDC_ISSUER": self.issuer, "PERCH_OIDC_CLIENT_ID": CLIENT, "PERCH_OIDC_CLIENT_SECRET": SECRET,
            "PERCH_OIDC_ADMINS": "Ada@Example.com",
        }  # fmt: skip

    def get(self, path: str) -> tuple[int, Any]:
        if path == "/.well-known/openid-configuration":
            found = {
                "issuer": self.issuer, "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token", "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["none", "HS256", "RS256"], **self.metadata,
            }  # fmt: skip
            return int(found.pop("status", 200)), found
        if path == "/keys":
            return 200, self.keys()
        return 404, {}

    def authorize(self, url: str) -> tuple[str, str]:
        """Let the person sign in for a browser that was sent to a URL; return code and state."""
        parts = urlsplit(url)
        assert url.startswith(f"{self.issuer}/authorize?")
        self.asked = {name: each[0] for name, each in parse_qs(parts.query).items()}
        code = base64.urlsafe_b64encode(hashlib.sha256(url.encode()).digest()).decode()
        self.codes[code] = self.asked
        return code, self.asked["state"]

    def token(self, form: dict[str, str], headers: Any) -> tuple[int, Any]:
        asked = self.codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).decode().rstrip("=")
        if headers["Authorization"] != f"Basic {basic}" or "client_secret" in form:
            return 401, {"error": "invalid_client"}
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": "the code is not for you"}
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "exp": now + 300,
            "iat": now,
            "nonce": asked["nonce"],
            **self.claims,
        }
        self.spoil(claims)
        return 200, {"access_token": "x", "token_type": "Bearer", "id_token": self.sign(claims)}

    def signed(self, claims: dict[str, Any], algorithm: str = "RS256", **header: Any) -> str:
        return jwt.encode({"alg": algorithm, "kid": "k1", **header}, claims, self.key, algorithms=[algorithm])
