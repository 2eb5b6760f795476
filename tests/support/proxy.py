"""A proxy that normalises URLs as far as RFC 3986 section 6.2.2 and common practice go, and decodes no slash."""

import http.client
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urljoin

UNRESERVED = re.compile(r"%(2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")


def normalised(path: str) -> str:
    """Return a path with escapes of unreserved characters decoded, dot segments resolved, and slashes merged."""
    plain = UNRESERVED.sub(lambda found: chr(int(found[1], 16)), path)
    return urljoin("http://host", re.sub("//+", "/", plain)).removeprefix("http://host")


@contextmanager
def normalising_proxy(target: str) -> Iterator[str]:
    """Pass GET requests on to the origin `target` while the block runs; yield the proxy's origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, mark, query = self.path.partition("?")
            connection = http.client.HTTPConnection(target.removeprefix("http://"), timeout=30)
            connection.request("GET", normalised(path) + mark + query, headers=dict(self.headers))
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
