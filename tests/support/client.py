"""The SCIM client of all tests: it calls the WSGI app directly, or a server over HTTP."""

import base64
import json as jsonlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import requests
from flask import Flask
from requests.structures import CaseInsensitiveDict

Headers = Mapping[str, str | None]

# What each provider sends with every request.
PROVIDER_HEADERS: dict[str, dict[str, str]] = {
    "okta": {
        "Accept": "application/scim+json",
        "Accept-Charset": "utf-8",
        "Content-Type": "application/scim+json; charset=utf-8",
        "User-Agent": "Okta SCIM Client 1.0.0",
    },
    "entra": {
        "Accept": "application/scim+json",
        "Content-Type": "application/scim+json; charset=utf-8",
    },
    "generic": {"Accept": "application/scim+json", "Content-Type": "application/scim+json"},
}


class Answer(NamedTuple):
    """An answer: `status, headers, body = client.get("/Users")`; header names in any case, body None if empty."""

    status: int
    headers: Mapping[str, str]
    body: Any


# method, path below the origin, headers, body -> status, headers, body
Transport = Callable[[str, str, dict[str, str], bytes | None], tuple[int, Mapping[str, str], bytes]]


class ScimClient:
    """Sends requests below one base path with one key; paths are given as `/Users`, already percent-encoded."""

    def __init__(self, transport: Transport, base_path: str, key: str, provider: str = "generic") -> None:
        self.transport = transport
        self.base_path = base_path
        self.key = key
        self.provider = provider

    def request(
        self, method: str, path: str, json: Any = None, headers: Headers | None = None, data: bytes | None = None
    ) -> Answer:
        """Send one request; `data` is sent as it is instead of `json`, and a header of None is left out."""
        body = jsonlib.dumps(json).encode() if json is not None else data
        sent: dict[str, str | None] = {"Authorization": f"Bearer {self.key}", **PROVIDER_HEADERS[self.provider]}
        if body is None:
            del sent["Content-Type"]
        merged = CaseInsensitiveDict(sent)
        merged.update(headers or {})
        wire = {name: value for name, value in merged.items() if value is not None}
        status, answered, content = self.transport(method, self.base_path + path, wire, body)
        return Answer(status, CaseInsensitiveDict(answered), parse_body(content))

    def get(self, path: str, headers: Headers | None = None) -> Answer:
        return self.request("GET", path, headers=headers)

    def post(self, path: str, json: Any = None, headers: Headers | None = None) -> Answer:
        return self.request("POST", path, json, headers)

    def put(self, path: str, json: Any = None, headers: Headers | None = None) -> Answer:
        return self.request("PUT", path, json, headers)

    def patch(self, path: str, json: Any = None, headers: Headers | None = None) -> Answer:
        return self.request("PATCH", path, json, headers)

    def delete(self, path: str, headers: Headers | None = None) -> Answer:
        return self.request("DELETE", path, headers=headers)

    def beside_scim(self) -> "ScimClient":
        """Return a client of the paths beside /scim/v2, such as /events."""
        return ScimClient(self.transport, self.base_path.removesuffix("/scim/v2"), self.key, self.provider)

    @property
    def basic(self) -> str:
        """The Authorization header that carries the key as the password of Basic."""
        return "Basic " + base64.b64encode(f"perch:{self.key}".encode()).decode()


def parse_body(content: bytes) -> Any:
    """Return the JSON document in `content`, its text if it is no JSON, None if it is empty."""
    if not content:
        return None
    try:
        return jsonlib.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")


def wsgi_transport(app: Flask) -> Transport:
    """Return a transport that calls `app` directly, without a socket."""
    client = app.test_client()

    def send(
        method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        response = client.open(path, method=method, headers=headers, data=body)
        return response.status_code, dict(response.headers), response.data

    return send


def http_transport(origin: str) -> Transport:
    """Return a transport over HTTP to `origin`, with kept connections and without a proxy."""
    session = requests.Session()
    session.trust_env = False

    def send(
        method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        response = session.request(method, origin + path, headers=headers, data=body, timeout=60, allow_redirects=False)
        return response.status_code, response.headers, response.content

    return send
