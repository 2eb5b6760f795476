"""The window on the traffic: each request under the base URL is captured with its answer, for people to look at."""

import json
import re
import shlex
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from flask import Flask, Request
from werkzeug.wrappers import Response

from schemas import tolerances
from schemas.datetimes import from_seconds, now
from schemas.errors import Conflict, InvalidValue, NotFound
from schemas.tolerances import Tolerance, Used
from scim.observability.redaction import (
    KEPT_BYTES,
    PARSED_BYTES,
    WITHHELD,
    answer_text,
    body_text,
    redacted_path,
    redacted_text,
)
from scim.service.keys import roles_shape
from scim.settings import Settings
from scim.traffic.summaries import below_base
from scim.traffic.writer import Prepared, Writer
from storage import keys, traffic
from storage.database import Connection, Database
from storage.keys import Key
from storage.quirks import Quirk
from storage.traffic import TrafficEntry, TrafficQuery

KEPT_HEADERS = {
    "CONTENT_TYPE": "Content-Type",
    "HTTP_ACCEPT": "Accept",
    "HTTP_USER_AGENT": "User-Agent",
    "HTTP_IF_MATCH": "If-Match",
    "HTTP_IF_NONE_MATCH": "If-None-Match",
}
LONGEST_HEADER = 200
LONGEST_PATH = 8190
REPLAY = "perch.replay"
# To a key that gets roles as strings, /Schemas describes them as strings.
ROLE_STRINGS = frozenset({(Tolerance.BARE_VALUE, "roles")})
FAILED_OPERATION = re.compile(rb'"status": ?"[45]')


@dataclass(slots=True)
class Exchange:
    """A request while it is served, and what is handed to the writer afterwards."""

    started: float
    used: Used
    token: Any
    replay: "Replay | None"
    request_id: str
    at: float = 0.0
    key: Key | None = None
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    fault: str | None = None
    dropped: bool = False
    status: int = 0
    duration: float = 0.0
    body: bytes = b""
    body_size: int = 0
    answer: bytes = b""
    answer_size: int = 0
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Replay:
    """What marks a request inside the process as the replay of an entry, sent with the rights of a key."""

    seq: int
    key: Key


class Traffic:
    """Captures requests; `app.extensions["perch.traffic"]`."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.mode: str = settings["PERCH_TRAFFIC"]
        self.writer = Writer(database, prepared, settings["PERCH_TRAFFIC_KEEP"], settings["PERCH_TRAFFIC_DAYS"])

    def begin(self, sent: Request, began: float, request_id: str) -> Exchange:
        """Begin to watch a request, which came at `began` (of `time.perf_counter`)."""
        used, token = tolerances.start()
        return Exchange(began, used, token, replayed(sent), request_id)

    def record(self, exchange: Exchange, sent: Request, response: Response) -> None:
        """Hand a request and its answer to the writer, if they are to be kept; never fails, never waits."""
        exchange.keep = self._is_kept(exchange, sent, response)
        if exchange.keep or (exchange.used or exchange.used.ignored) and exchange.key is not None:
            _complete(exchange, sent, response)
            self.writer.put(exchange, len(exchange.body) + len(exchange.answer))

    def _is_kept(self, exchange: Exchange, sent: Request, response: Response) -> bool:
        if self.mode == "all" or exchange.replay is not None:
            return True
        if self.mode == "off":
            return False
        if response.status_code >= 400 or exchange.fault is not None:
            return True
        return sent.path.endswith("/Bulk") and FAILED_OPERATION.search(_answer_of(response)) is not None


def end(exchange: Exchange | None) -> None:
    """Stop to collect the tolerances of a request."""
    if exchange is not None:
        tolerances.stop(exchange.token)


def admitted(exchange: Exchange, key: Key, path: str) -> None:
    """Say whose request an exchange is; from here on a strict key's tolerances are refused."""
    exchange.key = key
    exchange.used.strict = bool(key.strict)
    if key.rolesAs == "strings":
        exchange.used.expected = ROLE_STRINGS
    if path.endswith("/"):
        tolerances.note(Tolerance.TRAILING_SLASH, below_base(path))


def replayed(sent: Request) -> Replay | None:
    """Return the mark of a request as a replay; no header can set it."""
    found: Replay | None = sent.environ.get(REPLAY)
    return found


def _complete(exchange: Exchange, sent: Request, response: Response) -> None:
    """Note what the request was and what it came to; the work on it is the writer's."""
    exchange.duration = (time.perf_counter() - exchange.started) * 1000
    exchange.at = time.time()
    exchange.method = sent.method
    exchange.status = 0 if exchange.dropped else response.status_code
    environ = sent.environ
    exchange.path = environ.get("RAW_URI") or environ.get("REQUEST_URI") or full_path(sent)
    if not exchange.keep:
        return
    exchange.headers = {name: environ[variable] for variable, name in KEPT_HEADERS.items() if environ.get(variable)}
    body, answer = _body_of(sent, exchange), _answer_of(response)
    exchange.body_size, exchange.answer_size = len(body) or sent.content_length or 0, len(answer)
    exchange.body = body if len(body) <= PARSED_BYTES else body[: PARSED_BYTES + 1]
    exchange.answer = answer if len(answer) <= PARSED_BYTES else answer[: PARSED_BYTES + 1]


def full_path(sent: Request) -> str:
    """Return the path of a request with its query; bytes that are not UTF-8 are replaced."""
    query = sent.query_string.decode(errors="replace")
    return f"{sent.path}?{query}" if query else sent.path


def _body_of(sent: Request, exchange: Exchange) -> bytes:
    """Return the body as far as it was read; a short one of a client with a key is read now."""
    cached = getattr(sent, "_cached_data", None)
    if cached is not None:
        return bytes(cached)
    most = min(KEPT_BYTES, sent.max_content_length or KEPT_BYTES)
    if exchange.key is None or not 0 < (sent.content_length or 0) <= most:
        return b""
    return sent.get_data(cache=True)


def _answer_of(response: Response) -> bytes:
    return b"" if response.is_streamed else response.get_data()


def prepared(exchange: Exchange) -> Prepared:
    """Return the row and the quirks of an exchange, redacted; the writer's thread calls it."""
    at = from_seconds(exchange.at)
    return (traffic.row_of(_entry(exchange, at)) if exchange.keep else None), _quirks(exchange, at)


def _entry(exchange: Exchange, at: str) -> TrafficEntry:
    key = exchange.key
    return TrafficEntry(
        at=at,
        key=key.id if key else None,
        keyName=key.name if key else None,
        idp=key.idp if key else None,
        method=exchange.method,
        path=redacted_path(exchange.path)[:LONGEST_PATH],
        status=exchange.status,
        duration=round(exchange.duration, 3),
        headers=dict(_headers(tuple(exchange.headers.items()))),
        request=body_text(exchange.body, exchange.body_size),
        requestSize=exchange.body_size,
        response=_answer_text(exchange),
        responseSize=exchange.answer_size,
        requestId=redacted_text(exchange.request_id),
        tolerances={tolerance.name: redacted_text(example) for tolerance, example in exchange.used.items()},
        ignored=[redacted_text(name) for name in exchange.used.ignored],
        reason=_reason(exchange),
        fault=exchange.fault,
        replayOf=exchange.replay.seq if exchange.replay else None,
    )


def _answer_text(exchange: Exchange) -> str | None:
    """Return what is kept of the answer; but for errors, which may quote the request, it has no secret attributes."""
    if exchange.status >= 400 or not exchange.answer or "/Bulk" in exchange.path:
        return body_text(exchange.answer, exchange.answer_size)
    return answer_text(exchange.answer, exchange.answer_size)


@lru_cache(maxsize=256)
def _headers(sent: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, redacted_text(text)[:LONGEST_HEADER]) for name, text in sent)


def _reason(exchange: Exchange) -> str | None:
    """Return why a request failed: the error's detail, or that of a bulk request's first failed operation."""
    if exchange.status == 0:
        return "The connection was closed without an answer."
    failed_part = exchange.status < 400 and FAILED_OPERATION.search(exchange.answer)
    if exchange.status < 400 and not failed_part:
        return None
    try:
        answer = json.loads(exchange.answer)
        if not failed_part:
            return redacted_text(str(answer["detail"]))
        failed = [result for result in answer["Operations"] if result["status"][0] in "45"]
        first = redacted_text(str(failed[0]["response"]["detail"]))
        return f"{len(failed)} of {len(answer['Operations'])} operations failed; the first: {first}"
    except (ValueError, LookupError, TypeError):
        return "Some operations failed." if failed_part else f"Status {exchange.status}, without a SCIM error."


def _quirks(exchange: Exchange, at: str) -> list[Quirk]:
    if exchange.key is None or exchange.replay is not None:
        return []
    key = exchange.key.id
    used = [
        Quirk(key, "tolerance", tolerance.name, 1, redacted_text(example), at, at)
        for tolerance, example in exchange.used.items()
    ]
    example = f"{exchange.method} {below_base(redacted_path(exchange.path))}"[:LONGEST_HEADER]
    return used + [Quirk(key, "ignored", redacted_text(name), 1, example, at, at) for name in exchange.used.ignored]


def pretty(text: str | None) -> str:
    """Return a body with its JSON laid out."""
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
    """Send an entry's request again, inside this process, with the rights of its key, and return the new entry.

    `origin` is that of this server, for the locations in the answer. The journal names the console as the author.

    :raises InvalidValue: when the body was kept only in part.
    :raises Conflict: when the traffic could not be written.
    """
    if entry.requestSize > KEPT_BYTES or entry.request == WITHHELD or (entry.requestSize and entry.request is None):
        raise InvalidValue(f"The body of request {entry.seq} was kept only in part; it cannot be sent again.")
    seen: Traffic = app.extensions["perch.traffic"]
    database = app.extensions["perch"].database
    with database.read() as connection:
        before = traffic.last(connection)
        mark = Replay(entry.seq, _key_of(connection, entry))
    app.test_client(use_cookies=False).open(
        entry.path,
        base_url=origin,
        method=entry.method,
        headers=list(entry.headers.items()),
        data=entry.request,
        environ_overrides={REPLAY: mark},
    )
    seen.writer.flush()
    with database.read() as connection:
        found = traffic.entries(connection, TrafficQuery(replay_of=entry.seq, after=before), limit=1)
    if not found:
        raise Conflict("The request was sent again, but the traffic could not be written.")
    return found[0]


def _key_of(connection: Connection, entry: TrafficEntry) -> Key:
    """Return the key of an entry, or one like it where there is none (any longer)."""
    try:
        return keys.get(connection, entry.key or "")
    except NotFound:
        idp = entry.idp or "generic"
        return Key("console", "Console", b"", idp, "provision", roles_shape(idp), 0, now(), None, None, None)
