"""Headers that an answer gets behind Flask: its id, its protection, and the location of its resource.

Werkzeug would search all headers for each, copy them all, and rewrite locations: 40 us of a read.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import Response, request
from werkzeug.urls import iri_to_uri

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Headers = list[tuple[str, str]]

# For a browser that opens an answer to a client; pages, static files and the public signing keys have their own.
PROTECTION: Headers = [
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    ("Cache-Control", "no-store"),
]
LOCATION, ADDED = "perch.location", "perch.headers"


def located(status: int, location: str) -> None:
    """Let the answer to the current request say where its resource is; 304 has no `Location` (RFC 9110).

    Both headers equal `meta.location` (RFC 7643 section 3.1).
    """
    uri = location if location.isascii() else iri_to_uri(location)
    names = ("Content-Location",) if status == 304 else ("Location", "Content-Location")
    request.environ[LOCATION] = [(name, uri) for name in names]


def location_of(environ: "WSGIEnvironment") -> str:
    """Return the location that the answer to a request will have, "" for none."""
    noted: Headers = environ.get(LOCATION, [])
    return noted[0][1] if noted else ""


def complete(environ: "WSGIEnvironment", response: Response, request_id: str, is_scim: bool) -> None:
    """Give an answer the id of its request and its location, and PROTECTION, of which all but SCIM may have parts."""
    added = [("X-Request-Id", request_id), *environ.get(LOCATION, ())]
    if is_scim:
        added += PROTECTION
    else:
        for name, value in PROTECTION:
            response.headers.setdefault(name, value)
    environ[ADDED] = added


def with_added(application: "WSGIApplication") -> "WSGIApplication":
    """Wrap the application: an answer gets the headers of `complete`."""

    def received(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        def start(status: str, headers: Headers, exc_info: Any = None) -> Any:
            return start_response(status, headers + environ.get(ADDED, []), exc_info)

        return application(environ, start)

    return received
