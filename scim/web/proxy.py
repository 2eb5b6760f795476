"""Requests through trusted proxies, and base URLs that were pasted with a final slash."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROLE_PATH = re.compile("/+[^/]+/+scim/+v2/+Roles/")


def behind(proxies: int, application: "WSGIApplication") -> "WSGIApplication":
    """Wrap the application: X-Forwarded-For, -Proto and -Host count as set by this many trusted proxies.

    A double slash counts as one, since providers join `https://host/ws/scim/v2/` and `/Users`; not so in the slug of a
    role, behind `/Roles/`.
    """

    def received(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if "//" in environ["PATH_INFO"]:
            role = ROLE_PATH.match(path := environ["PATH_INFO"])
            start = role.end() if role else len(path)
            environ["PATH_INFO"] = re.sub("//+", "/", path[:start]) + path[start:]
        return application(environ, start_response)

    return ProxyFix(received, x_for=proxies, x_proto=proxies, x_host=proxies) if proxies else received
