"""Okta's HTTP client: sends one request with Okta's headers and returns the server's reply."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

import requests

HEADERS = {
    "Accept": "application/scim+json",
    "Accept-Charset": "utf-8",
    "Content-Type": "application/scim+json; charset=utf-8",
    "User-Agent": "Okta SCIM Client 1.0.0",
}
TIMEOUT_SECONDS = 60.0  # Okta's own
UNREACHABLE = 0

Query = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's reply and the request line it answers, not percent-encoded; `status` 0 means that none came."""

    request: str
    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

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


class OktaClient:
    """Sends requests to one SCIM base URL with one access key, over connections that are kept open."""

    def __init__(self, base: str, key: str, session: requests.Session | None = None) -> None:
        self.base = base.rstrip("/")
        self.key = key
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
                headers={**HEADERS, "Authorization": f"Bearer {self.key}", **(headers or {})},
                data=data,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            return Reply(request, UNREACHABLE, f"no answer: {error}"[:300])
        seconds = time.perf_counter() - start
        text = response.content.decode("utf-8", "replace")
        return Reply(request, response.status_code, text, response.headers, seconds)


def _target(path: str, query: Query | None, encode: Callable[[str], str]) -> str:
    pairs = [f"{name}={encode(str(value))}" for name, value in (query or {}).items()]
    return f"{path}?{'&'.join(pairs)}" if pairs else path


def look_up(attribute: str, value: str) -> Query:
    """Return the query with which Okta looks a resource up before it creates one (RFC 7644 section 3.4.2.2)."""
    return {"filter": f"{attribute} eq {json.dumps(value, ensure_ascii=False)}", "startIndex": 1, "count": 100}
