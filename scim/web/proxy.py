"""Where requests come from: the proxies in front that are believed, and base URLs pasted with a final slash."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.middleware.proxy_fix import ProxyFix

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def behind(proxies: int, application: "WSGIApplication") -> "WSGIApplication":
    """Return the application as it sees requests: X-Forwarded-For, -Proto and -Host of so many proxies count.

    A provider that joins `https://host/ws/scim/v2/` and `/Users` sends a double slash: it means one.
    """

    def received(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if "//" in environ["PATH_INFO"]:
            environ["PATH_INFO"] = re.sub("//+", "/", environ["PATH_INFO"])
        return application(environ, start_response)

    return ProxyFix(received, x_for=proxies, x_proto=proxies, x_host=proxies) if proxies else received
