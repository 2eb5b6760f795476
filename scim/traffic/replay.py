"""A recorded request for people: its body indented, as a curl command, and sent again."""

import json
import re
import shlex
from contextvars import Context
from functools import partial

from flask import Flask

from schemas.errors import Conflict, NotFound
from scim.observability.printable import UNPRINTABLE
from scim.observability.redaction import KEPT_BYTES, WITHHELD
from scim.traffic.recorder import Recorder
from scim.traffic.recording import REPLAY, Replay
from scim.traffic.summaries import below_base, what_lacks
from storage import keys, traffic
from storage.database import Connection
from storage.keys import Key
from storage.traffic import TrafficEntry, TrafficQuery


def pretty_lines(text: str | None) -> list[str]:
    """Return the lines of a body, its JSON indented; one line where it is no JSON."""
    if not text:
        return []
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2).split("\n")
    except (ValueError, RecursionError):
        return [text]


def as_curl(entry: TrafficEntry, base: str) -> str:
    """Return an entry as a curl command against a base URL, or the same wrong one, with $KEY for the access key."""
    below, origin = below_base(entry.path), "/".join(base.split("/")[:3])
    # Not joined as URLs are: a path such as //example.com/Users would lead the key to another host.
    url = _quoted((base if below != entry.path else origin) + below)
    parts = [f"curl -X {_quoted(entry.method)} {url}", '-H "Authorization: Bearer $KEY"']
    parts += [f"-H {_quoted(f'{name}: {text}')}" for name, text in entry.headers.items() if name != "User-Agent"]
    if entry.request is not None:
        parts.append(f"--data-binary {_quoted(entry.request)}")
    return " \\\n  ".join(parts)


def _quoted(text: str) -> str:
    """Return text as one word for a shell, printable: unprintable characters as in `$'\\x1b'`, byte by byte."""
    if not UNPRINTABLE.search(text):
        return shlex.quote(text)
    plain = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")

    def escaped(found: re.Match[str]) -> str:
        return "".join(f"\\x{byte:02x}" for byte in found[0].encode("utf-8", "surrogatepass"))

    return f"$'{UNPRINTABLE.sub(escaped, plain)}'"


def replay(app: Flask, entry: TrafficEntry, origin: str | None = None) -> TrafficEntry:
    """Send the request of an entry again inside this process, with the rights that its key has now.

    `origin` is this server's, for the locations in the answer. The journal names the console as the author. The entry
    of the new request is returned.

    :raises Conflict: when it cannot be sent again, and when the traffic could not be written.
    """
    seen: Recorder = app.extensions["perch.traffic"]
    database = app.extensions["perch"].database
    with database.read() as connection:
        before = traffic.last(connection)
        mark = Replay(entry.seq, sender(connection, entry))
    client = app.test_client(use_cookies=False)
    send = partial(
        client.open, entry.path, base_url=origin, method=entry.method, headers=list(entry.headers.items()),
        data=entry.request, environ_overrides={REPLAY: mark},
    )  # fmt: skip
    # In the context of the page that replays it, the request would share that page's `g`.
    Context().run(send)
    seen.writer.flush()
    with database.read() as connection:
        found = traffic.entries(connection, TrafficQuery(replay_of=entry.seq, after=before), limit=1)
    if not found:
        raise Conflict("The request was sent again, but the traffic could not be written.")
    return found[0]


def sender(connection: Connection, entry: TrafficEntry) -> Key:
    """Return the key, as it is now, with which a request can be sent again.

    :raises Conflict: when it cannot: it was never admitted, its key is not live any more, or its body is incomplete.
    """
    if entry.key is None:
        raise Conflict(f"This request came {what_lacks(entry.path)}, so it cannot be sent again.")
    if not entry.admitted:
        raise Conflict("Perch did not admit this request with its access key, so it cannot be sent again.")
    try:
        key = keys.get(connection, entry.key)
    except NotFound:
        raise Conflict("The access key of this request no longer exists, so it cannot be sent again.") from None
    if not key.live:
        state = "was revoked" if key.revoked else "has expired"
        raise Conflict(f"The access key '{key.name}' {state}, so this request cannot be sent again.")
    if entry.brief:
        raise Conflict("Only the first line of this request was kept, so it cannot be sent again.")
    if entry.requestSize > KEPT_BYTES or entry.request == WITHHELD or (entry.requestSize and entry.request is None):
        raise Conflict("Only a part of this request's body was kept, so it cannot be sent again.")
    return key
