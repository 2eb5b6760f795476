"""A provider's side of OAuth 2.0: client credentials with a secret or an assertion of its own."""

import json
from dataclasses import dataclass, field

import requests

from scim.emulator.client import TIMEOUT_SECONDS, Reply, no_reply

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ENTRAS_ADDRESS = "https://provisioning.example"


@dataclass(slots=True)
class OAuthClient:
    """One client at one token endpoint; the secret or the assertion may be empty."""

    token_url: str
    client_id: str
    secret: str = field(default="", repr=False)
    assertion: str = field(default="", repr=False)
    session: requests.Session = field(default_factory=requests.Session)
    answered: Reply | None = field(default=None, repr=False)

    def token(self) -> Reply:
        """Ask for a token with the secret, or else with the assertion (RFC 6749 section 4.4, RFC 7523 section 2.2)."""
        return self.token_by_secret() if self.secret else self.token_by_assertion()

    def token_by_secret(self) -> Reply:
        """Ask with client id and secret in the body, as Entra does."""
        return self._post(client_secret=self.secret)

    def token_by_assertion(self) -> Reply:
        """Ask with an assertion, without a scope and with Entra's own parameter `baseAddress`.

        It is sent once only, since a server may refuse it the second time (RFC 7523 section 3, `jti`).
        """
        self.answered = self.answered or self._post(
            client_assertion=self.assertion, client_assertion_type=JWT_BEARER, baseAddress=ENTRAS_ADDRESS
        )
        return self.answered

    def _post(self, **credentials: str) -> Reply:
        form = {"grant_type": "client_credentials", "client_id": self.client_id, **credentials}
        request = f"POST {self.token_url}"
        try:
            response = self.session.post(self.token_url, data=form, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            return no_reply(request, error)
        return Reply(request, response.status_code, response.text, response.headers, sent=" ".join(sorted(form)))


def access_token(reply: Reply) -> str:
    """Return the access token in a reply, "" where there is none (RFC 6749 section 5.1)."""
    token = reply.document.get("access_token") if reply.ok and isinstance(reply.document, dict) else None
    return token if isinstance(token, str) else ""


def cause(reply: Reply) -> str:
    """Return why there is no token (RFC 6749 section 5.2), without one that might be in the answer."""
    document = reply.document
    if isinstance(document, dict):
        shown = {name: document[name] for name in ("error", "error_description") if name in document}
        return f"{reply.status} {json.dumps(shown, ensure_ascii=False)}" if shown else f"{reply.status}, no token"
    return f"{reply.status} {reply.detail}".strip()
