"""A provider's HTTP client: sends one request with the dialect's headers and returns the server's reply."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import requests

from scim.emulator.dialects import CUSTOM, ENTRA, HEADERS

TIMEOUT_SECONDS = 60.0  # Okta's own
UNREACHABLE = 0
USUAL_PATHS = ("/scim/v2", "/scim", "/v2", "/api/scim/v2")

Query = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply, the request line it answers, not percent-encoded, and the body that was `sent`.

    `status` 0 means that no reply came.
    """

    request: str
    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    sent: str = ""

    @property
    def document(self) -> Any:
        """Return the JSON in the body, None where it is not JSON."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    @property
    def detail(self) -> str:
        """Return the `detail` of a SCIM error (RFC 7644 section 3.12), else the first 200 characters of the body."""
        document = self.document
        detail = document.get("detail") if isinstance(document, dict) else None
        return str(detail) if detail else " ".join(self.text.split())[:200]

    @property
    def ok(self) -> bool:
        """Return whether the status is a success."""
        return 200 <= self.status < 300


class ProvisioningClient(Protocol):
    """Sends requests to one SCIM server."""

    def send(self, method: str, path: str, query: Query | None = None, body: Any = None) -> Reply:
        """Send one request to a path below the base URL."""


class ScimClient:
    """Sends requests to one SCIM base URL with one access key, over connections that are kept open."""

    def __init__(self, base: str, key: str, session: requests.Session | None = None, dialect: str = CUSTOM) -> None:
        self.base = base.rstrip("/")
        self.key = key
        self.headers = HEADERS[dialect]
        self.session = session or requests.Session()
        self.session.headers.clear()

    def send(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        """Send one request; a body of `bytes` is sent unchanged, a header with the value None is left out."""
        request = f"{method} {_target(path, query, str)}"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        start = time.perf_counter()
        try:
            response = self.session.request(
                method,
                self.base + _target(path, query, lambda value: quote(value, safe="")),
                headers={**self.headers, "Authorization": f"Bearer {self.key}", **(headers or {})},
                data=data,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return no_reply(request, error)
        seconds = time.perf_counter() - start
        text = response.content.decode("utf-8", "replace")
        sent = (data or b"").decode("utf-8", "replace")
        return Reply(request, response.status_code, text, response.headers, seconds, sent)


def no_reply(request: str, error: requests.RequestException) -> Reply:
    """Return what stands for the reply that did not come, with the cause but without the names of the library."""
    cause = getattr(error.args[0], "reason", error) if error.args else error
    return Reply(request, UNREACHABLE, f"no answer: {str(cause).rpartition('): ')[2]}"[:300])


def better_base(client: ScimClient) -> str | None:
    """Return a base URL below or above the client's at which users are listed with its key; None if none is."""
    folder = client.base.removesuffix("/Users").rstrip("/")
    for base in (folder, *(folder + part for part in USUAL_PATHS)):
        probe = ScimClient(base, client.key, client.session)
        reply = probe.send("GET", "/Users", {"count": 1})
        if base != client.base and reply.ok and isinstance(reply.document, dict):
            return base
    return None


def _target(path: str, query: Query | None, encode: Callable[[str], str]) -> str:
    pairs = [f"{name}={encode(str(value))}" for name, value in (query or {}).items()]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def look_up(attribute: str, value: str, dialect: str = CUSTOM) -> Query:
    """Return the query with which a provider looks a resource up before it creates one (RFC 7644 section 3.4.2.2)."""
    query: dict[str, object] = {"filter": f"{attribute} eq {json.dumps(value, ensure_ascii=False)}"}
    if dialect == ENTRA:
        return {"excludedAttributes": "members", **query} if attribute == "displayName" else query
    return {**query, "startIndex": 1, "count": 100}
