"""Requests look like Okta's on the wire."""

from typing import Any

from werkzeug.wrappers import Request, Response

from scim.emulator.client import ScimClient, look_up
from scim.emulator.wsgi_adapter import wsgi_session


def test_requests_have_oktas_headers_and_encoding() -> None:
    received: list[Request] = []

    def application(environ: Any, start_response: Any) -> Any:
        received.append(Request(environ))
        return Response('{"id": "1"}', 201)(environ, start_response)

    client = ScimClient("http://s.example/scim/v2/", "KEY", wsgi_session(application, "http://s.example"))
    reply = client.send("POST", "/Users", body={"userName": "zoë"})
    assert (reply.status, reply.document, reply.request) == (201, {"id": "1"}, "POST /Users")
    headers = {name: received[0].headers[name] for name in ("Accept", "Accept-Charset", "Content-Type", "User-Agent")}
    assert headers == {
        "Accept": "application/scim+json",
        "Accept-Charset": "utf-8",
        "Content-Type": "application/scim+json; charset=utf-8",
        "User-Agent": "Okta SCIM Client 1.0.0",
    }
    assert received[0].headers["Authorization"] == "Bearer KEY"
    assert received[0].path == "/scim/v2/Users"
    assert received[0].get_data() == '{"userName": "zoë"}'.encode()
    reply = client.send("GET", "/Users", look_up("userName", 'o"zoë+&@x'), headers={"Authorization": None})
    query = received[1].environ["QUERY_STRING"]
    assert query == "filter=userName%20eq%20%22o%5C%22zo%C3%AB%2B%26%40x%22&startIndex=1&count=100"
    assert reply.request == r'GET /Users?filter=userName eq "o\"zoë+&@x"&startIndex=1&count=100'
    assert "Authorization" not in received[1].headers
