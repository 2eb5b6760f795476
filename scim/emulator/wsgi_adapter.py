"""A transport for `requests` that calls a WSGI application in the same process; no socket listens."""

import contextvars
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from werkzeug.test import Client

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class WsgiAdapter(BaseAdapter):
    """Answers requests by calling an application."""

    def __init__(self, application: "WSGIApplication") -> None:
        super().__init__()
        self.client = Client(application, use_cookies=False)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Call the application in an empty context, so that it does not see the caller's application context."""
        url = urlsplit(request.url or "")
        answered = contextvars.Context().run(
            self.client.open,
            path=url.path,
            query_string=url.query,
            method=request.method or "GET",
            base_url=f"{url.scheme}://{url.netloc}/",
            headers=list(request.headers.items()),
            data=request.body or b"",
        )
        response = requests.Response()
        response.status_code = answered.status_code
        response.headers = CaseInsensitiveDict(answered.headers.items())
        response.raw = io.BytesIO(answered.get_data())
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Do nothing: no connection is open."""


def wsgi_session(application: "WSGIApplication", origin: str) -> requests.Session:
    """Return a session whose requests to `origin` call the application."""
    session = requests.Session()
    session.trust_env = False
    session.mount(origin, WsgiAdapter(application))
    return session
