"""Okta's SCIM client: one request with Okta's own headers, one exchange to look at."""

import json
import time
from collections.abc import Mapping
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
SOCKET_SECONDS = 60.0  # Okta closes a socket after that
UNREACHABLE = 0


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its answer; `status` is 0 and `text` the cause when no answer came; `seconds` it took."""

    method: str
    target: str
    body: Any
    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def request(self) -> str:
        """Return the request in one line, not percent-encoded."""
        return f"{self.method} {self.target}"

    @property
    def document(self) -> Any:
        """Return the answer's JSON; None where it is none."""
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError):
            return None

    @property
    def detail(self) -> str:
        """Return the server's words: the `detail` of an Error (RFC 7644 section 3.12), else the text's beginning."""
        document = self.document
        told = document.get("detail") if isinstance(document, dict) else None
        return str(told) if told else " ".join(self.text.split())[:200]

    @property
    def ok(self) -> bool:
        """Tell whether the server agreed."""
        return 200 <= self.status < 300


class Sender(Protocol):
    """Whatever sends a request as Okta would."""

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Exchange:
        """Send one request below the base URL."""


class OktaClient:
    """Sends requests to one SCIM base URL with one key, over kept connections."""

    def __init__(self, base: str, key: str, session: requests.Session | None = None) -> None:
        self.base = base.rstrip("/")
        self.session = session or requests.Session()
        self.session.headers.clear()
        self.authorization = f"Bearer {key}"
        self.key = key

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Exchange:
        """Send one request; a body given as `bytes` goes out as it is, a header given as None is left out."""
        url = (
            self.base
            + path
            + ("?" + "&".join(f"{k}={quote(str(v), safe='')}" for k, v in query.items()) if query else "")
        )
        shown = path + ("?" + "&".join(f"{k}={v}" for k, v in query.items()) if query else "")
        sent: dict[str, str | None] = {**HEADERS, "Authorization": self.authorization, **(headers or {})}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        wire = {name: value for name, value in sent.items() if value is not None}
        start = time.perf_counter()
        try:
            answer = self.session.request(
                method, url, headers=wire, data=data, timeout=SOCKET_SECONDS, allow_redirects=False
            )
        except requests.RequestException as error:
            return Exchange(method, shown, body, UNREACHABLE, f"no answer: {error}"[:300])
        taken = time.perf_counter() - start
        text = answer.content.decode("utf-8", "replace")
        return Exchange(method, shown, body, answer.status_code, text, answer.headers, taken)


def equals(attribute: str, value: str) -> str:
    """Return the filter that Okta looks a resource up with (RFC 7644 section 3.4.2.2)."""
    return f"{attribute} eq {json.dumps(value, ensure_ascii=False)}"


def look_up(attribute: str, value: str) -> dict[str, object]:
    """Return the query of Okta's look-up."""
    return {"filter": equals(attribute, value), "startIndex": 1, "count": 100}
