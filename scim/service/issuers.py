"""Public keys of issuers of signed JWTs, from their discovery documents (OpenID Connect Discovery 1.0 section 4)."""

import http.client
import ipaddress
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import SplitResult, urlsplit

from schemas.errors import InvalidValue

# Bytes of a document; seconds for one, between two tries to fetch, and after which it is fetched again.
MOST_BYTES, SECONDS, BETWEEN, KEPT = 256 * 1024, 5.0, 60.0, 600.0
WELL_KNOWN = "/.well-known/openid-configuration"
UNREADABLE = (OSError, http.client.HTTPException, ValueError, RecursionError, InvalidValue)
log = logging.getLogger("perch")


class _Cached:
    """The keys of one issuer in this process; its lock lets one thread fetch."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.keys: dict[str, Any] = {}
        self.tried = self.fetched = float("-inf")


_cache: dict[str, _Cached] = {}


def parse(url: str) -> SplitResult:
    """Return the parts of a URL of an issuer: https, or http to this machine.

    Issuers are named by the operator, so private addresses are allowed.

    :raises InvalidValue: for any other URL.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        parts = urlsplit("")
    host = parts.hostname or ""
    plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url
    allowed = parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(host))
    if not (plain and host and allowed) or parts.username is not None or parts.fragment or parts.query:
        raise InvalidValue("An issuer needs an https URL without user, query and fragment (http to localhost only).")
    return parts


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def key_set(issuer: str, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return the JWK Set of an issuer: the cached one, unless it is old or does not fit.

    It is fetched at most once a minute; what cannot be fetched is as if it had not changed.
    """
    cached = _cache.setdefault(issuer, _Cached())
    with cached.lock:
        now = time.monotonic()
        wanted = now - cached.fetched > KEPT or not fits(cached.keys)
        if wanted and now - cached.tried >= BETWEEN:
            cached.tried = now
            try:
                cached.keys, cached.fetched = _fetch_keys(issuer), now
            except UNREADABLE as error:
                log.warning("The keys of an issuer of signed JWTs cannot be fetched: %s", type(error).__name__)
        return cached.keys


def keys_of(document: Any) -> list[dict[str, Any]]:
    """Return the keys in a JWK Set, none for any other document."""
    found = document.get("keys") if isinstance(document, dict) else None
    return [key for key in found if isinstance(key, dict)] if isinstance(found, list) else []


def _fetch_keys(issuer: str) -> dict[str, Any]:
    """Fetch the keys that the discovery document of an issuer names; it must name the issuer, too."""
    metadata = read_json(issuer.rstrip("/") + WELL_KNOWN)
    if metadata.get("issuer") != issuer or not isinstance(metadata.get("jwks_uri"), str):
        raise ValueError("the discovery document is of another issuer, or has no jwks_uri")
    return read_json(metadata["jwks_uri"])


def read_json(url: str) -> dict[str, Any]:
    """Return the JSON object at a URL; redirects are errors.

    :raises InvalidValue: for a URL that `parse` refuses.
    :raises OSError: or HTTPException or ValueError when there is no such object; see UNREADABLE.
    """
    parts = parse(url)
    made = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    options: dict[str, Any] = {"context": ssl.create_default_context()} if parts.scheme == "https" else {}
    connection = made(parts.hostname or "", parts.port, timeout=SECONDS, **options)
    # The socket's timeout starts again with each byte; this one limits the whole exchange.
    over = threading.Event()
    timer = threading.Timer(SECONDS, _stop, (connection, over))
    timer.daemon = True
    timer.start()
    try:
        connection.request("GET", parts.path or "/", headers={"Accept": "application/json"})
        response = connection.getresponse()
        data = response.read(MOST_BYTES + 1)
        if response.status != 200 or len(data) > MOST_BYTES or over.is_set():
            raise ValueError(f"answered with {response.status}, not with a document of at most 256 KiB in time")
        document = json.loads(data)
        if not isinstance(document, dict):
            raise ValueError("not answered with an object")
        return document
    finally:
        timer.cancel()
        connection.close()


def _stop(connection: http.client.HTTPConnection, over: threading.Event) -> None:
    over.set()
    with suppress(OSError, AttributeError):
        connection.sock.shutdown(socket.SHUT_RDWR)
