"""A recorded request for people: its body indented, as a curl command, and sent again."""

import json
import shlex
from contextvars import Context
from functools import partial

from flask import Flask

from schemas.datetimes import now
from schemas.errors import Conflict, InvalidValue, NotFound
from scim.observability.redaction import KEPT_BYTES, WITHHELD
from scim.service.keys import roles_shape
from scim.traffic.recorder import Recorder
from scim.traffic.recording import REPLAY, Replay
from scim.traffic.summaries import below_base
from storage import keys, traffic
from storage.database import Connection
from storage.keys import Key
from storage.traffic import TrafficEntry, TrafficQuery


def pretty(text: str | None) -> str:
    """Return a body with its JSON indented."""
    if not text:
        return ""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        return text


def as_curl(entry: TrafficEntry, base: str) -> str:
    """Return an entry as a curl command against a base URL, with $KEY in place of the access key."""
    parts = [f"curl -X {entry.method} {shlex.quote(base + below_base(entry.path))}", '-H "Authorization: Bearer $KEY"']
    parts += [f"-H {shlex.quote(f'{name}: {text}')}" for name, text in entry.headers.items() if name != "User-Agent"]
    if entry.request is not None:
        parts.append(f"--data-binary {shlex.quote(entry.request)}")
    return " \\\n  ".join(parts)


def replay(app: Flask, entry: TrafficEntry, origin: str | None = None) -> TrafficEntry:
    """Send the request of an entry again inside this process, with the rights of its key; return the new entry.

    `origin` is this server's, for the locations in the answer. The journal names the console as the author.

    :raises InvalidValue: when only a part of the body was kept.
    :raises Conflict: when the traffic could not be written.
    """
    if entry.requestSize > KEPT_BYTES or entry.request == WITHHELD or (entry.requestSize and entry.request is None):
        raise InvalidValue(f"Only a part of the body of request {entry.seq} was kept; it cannot be sent again.")
    seen: Recorder = app.extensions["perch.traffic"]
    database = app.extensions["perch"].database
    with database.read() as connection:
        before = traffic.last(connection)
        mark = Replay(entry.seq, _key_of(connection, entry))
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


def _key_of(connection: Connection, entry: TrafficEntry) -> Key:
    """Return the key of an entry; one with the same rights where the key is gone."""
    try:
        return keys.get(connection, entry.key or "")
    except NotFound:
        idp = entry.idp or "generic"
        return Key("console", "Console", b"", idp, "provision", roles_shape(idp), 0, now(), None, None, None)
