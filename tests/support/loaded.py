"""Perch for gunicorn with one more URL: /loaded lists the modules that the worker has loaded."""

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from app import app as perch

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """List all loaded modules at /loaded; leave other requests to Perch."""
    if environ["PATH_INFO"] != "/loaded":
        return perch(environ, start_response)
    body = json.dumps(sorted(sys.modules)).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
