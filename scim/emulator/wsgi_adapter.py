"""A transport for `requests` that calls a WSGI application in the same process; no socket listens."""

import contextvars
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from werkzeug.test import EnvironBuilder, run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class WsgiAdapter(BaseAdapter):
    """Answers requests by calling an application."""

    def __init__(self, application: "WSGIApplication") -> None:
        super().__init__()
        self.application = application

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Call the application in an empty context, so that it does not see the caller's application context."""
        status, headers, content = contextvars.Context().run(self._call, request)
        response = requests.Response()
        response.status_code = status
        response.headers = CaseInsensitiveDict(headers)
        response.raw = io.BytesIO(content)
        response.url = request.url or ""
        response.request = request
        return response

    def _call(self, request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(request.url or "")
        builder = EnvironBuilder(
            path=url.path,
            query_string=url.query,
            method=request.method or "GET",
            base_url=f"{url.scheme}://{url.netloc}/",
            headers=list(request.headers.items()),
            data=request.body or b"",
        )
        try:
            chunks, status, headers = run_wsgi_app(self.application, builder.get_environ(), buffered=True)
            return int(status.split()[0]), dict(headers.items()), b"".join(chunks)
        finally:
            builder.close()

    def close(self) -> None:
        """Do nothing: no connection is open."""


def wsgi_session(application: "WSGIApplication", origin: str) -> requests.Session:
    """Return a session whose requests to `origin` call the application."""
    session = requests.Session()
    session.trust_env = False
    session.mount(origin, WsgiAdapter(application))
    return session
