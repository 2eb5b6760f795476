"""A webhook receiver in a thread that can fail, hang and stop, and records accepted events in their order."""

import json
import random
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from standardwebhooks.webhooks import Webhook

Behaviour = Callable[[dict[str, Any]], int]


# Instead of a status: close the connection without an answer, and without or after recording the event.
NOT_ANSWERED, RECORDED_NOT_ANSWERED = 0, 1


class Receiver:
    """Listens on a free port of 127.0.0.1; `behave` returns the status of the answer to an event."""

    def __init__(self, behave: Behaviour = lambda event: 204) -> None:
        self.behave = behave
        self.secret = ""
        self.seen: list[dict[str, Any]] = []
        self.raw: list[tuple[dict[str, str], bytes]] = []
        self._lock = threading.Lock()
        self._server: socketserver.ThreadingTCPServer | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.take(dict(self.headers), body)
                if status in (NOT_ANSWERED, RECORDED_NOT_ANSWERED):
                    self.connection.close()
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True

            def handle_error(self, *_: Any) -> None:
                pass

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening, like a receiver that died; `start` listens on the same port again."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def take(self, headers: dict[str, str], body: bytes) -> int:
        if headers["Content-Type"] != "application/json":
            with self._lock:
                self.raw.append((headers, body))
            return 202
        event = Webhook(self.secret).verify(body, headers) if self.secret else json.loads(body)
        status = self.behave(event)
        if 200 <= status < 300 or status == RECORDED_NOT_ANSWERED:
            with self._lock:
                self.seen.append(event)
                self.raw.append((headers, body))
        return status

    def wait(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait until a condition holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"only {len(self.seen)} events after {seconds} s"
            time.sleep(0.02)


def moody(seed: int, failing: float = 0.12, hanging: float = 0.01) -> Behaviour:
    """Return a behaviour that sometimes fails, hangs, or accepts an event without an answer."""
    mood, lock = random.Random(seed), threading.Lock()

    def behave(event: dict[str, Any]) -> int:
        with lock:
            dice = mood.random()
        if dice < hanging:
            time.sleep(1.5)
            return NOT_ANSWERED
        if dice < failing:
            return mood.choice((NOT_ANSWERED, RECORDED_NOT_ANSWERED, 429, 500, 503))
        return 204

    return behave
