"""The location of the resource in an answer as headers, which equal `meta.location` (RFC 7643 section 3.1)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flask import request
from werkzeug.urls import iri_to_uri

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HEADERS = "perch.location"


def located(status: int, location: str) -> None:
    """Let the answer to the current request say where its resource is; 304 has no `Location` (RFC 9110)."""
    uri = location if location.isascii() else iri_to_uri(location)
    names = ("Content-Location",) if status == 304 else ("Location", "Content-Location")
    request.environ[HEADERS] = [(name, uri) for name in names]


def noted(environ: "WSGIEnvironment") -> str:
    """Return the location that the answer to a request will have, "" for none."""
    headers: list[tuple[str, str]] = environ.get(HEADERS, [])
    return headers[0][1] if headers else ""


def with_locations(application: "WSGIApplication") -> "WSGIApplication":
    """Wrap the application: an answer gets the headers that `located` noted.

    Werkzeug would parse and rewrite both, which costs a read 30 us and gives hosts in lower case.
    """

    def received(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, headers + environ.get(HEADERS, []), exc_info)

        return application(environ, start)

    return received
