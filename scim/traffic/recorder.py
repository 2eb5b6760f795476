"""The recorder: requests under a base URL are kept with their answers, for people to look at."""

import time
from collections.abc import Callable

from flask import Request, Response

from schemas import tolerances
from schemas.errors import ScimError
from scim.observability.redaction import KEPT_BYTES, PARSED_BYTES
from scim.settings import Settings
from scim.traffic import probes
from scim.traffic.entries import FAILED_OPERATION, prepared
from scim.traffic.recording import REPLAY, SCIM_PATH, Recording, is_stray
from scim.traffic.writer import BatchWriter
from storage import traffic
from storage.database import Database

KEPT_HEADERS = {
    "CONTENT_TYPE": "Content-Type",
    "HTTP_ACCEPT": "Accept",
    "HTTP_USER_AGENT": "User-Agent",
    "HTTP_IF_MATCH": "If-Match",
    "HTTP_IF_NONE_MATCH": "If-None-Match",
}


class Recorder:
    """Records requests in the mode of PERCH_TRAFFIC; `app.extensions["perch.traffic"]`."""

    def __init__(self, settings: Settings, database: Database, prune: Callable[[], float]) -> None:
        """Take the function that the writer's thread calls to prune other tables, as BatchWriter does."""
        self.mode: str = settings["PERCH_TRAFFIC"]
        # Nothing is left of the time before the mode was off.
        keep = 0 if self.mode == "off" else settings["PERCH_TRAFFIC_KEEP"]
        self.writer = BatchWriter(database, prepared, keep, settings["PERCH_TRAFFIC_DAYS"], prune)

    def begin(self, sent: Request, began: float, request_id: str) -> Recording | None:
        """Begin to record a request that arrived at `began` (of `time.perf_counter`); None for what is no SCIM."""
        if not SCIM_PATH.match(sent.path) and not is_stray(sent.path):
            return None
        used, token = tolerances.start()
        return Recording(began, used, token, sent.environ.get(REPLAY), request_id)

    def record(self, recording: Recording, sent: Request, path: str, response: Response, body: bytes | None) -> None:
        """Hand a request and its answer to the batch writer if the mode keeps them; never waits.

        `path` is as sent, with its query; `body` is None when it was not read.
        """
        if self.writer.database.follows:
            return
        if probes.VARIABLE in sent.environ and probes.is_own(self.writer.database, sent):
            return
        key = recording.key
        recording.keep = self._is_kept(recording, sent, response)
        recording.brief = key is not None and not recording.keep and self.mode != "off"
        unusual = key is not None and bool(recording.used or recording.used.ignored)
        if recording.keep or recording.brief or unusual:
            recording.path = path
            _complete(recording, sent, response, body)
        if recording.keep or unusual:
            self.writer.put(recording, len(recording.body) + len(recording.answer), key is None)
        elif recording.brief:
            self.writer.put_brief(recording)
        if key is not None and self.mode != "off":
            reads = recording.method in ("GET", "HEAD", "OPTIONS") or "/.search" in recording.path
            failed = recording.status >= 400 or recording.status == 0
            self.writer.count(key.id, traffic.REFUSED if failed else "" if reads else traffic.PUSHED)

    def _is_kept(self, recording: Recording, sent: Request, response: Response) -> bool:
        if self.mode == "off":
            return False
        if self.mode == "all" or recording.replay is not None:
            return True
        if response.status_code >= 400 or recording.fault is not None:
            return True
        return sent.path.rstrip("/").endswith("/Bulk") and FAILED_OPERATION.search(_answer_of(response)) is not None


def _complete(recording: Recording, sent: Request, response: Response, read: bytes | None) -> None:
    """Note the request and its answer as they are; the batch writer redacts them."""
    recording.duration = (time.perf_counter() - recording.started) * 1000
    recording.at = time.time()
    recording.method = sent.method
    recording.status = 0 if recording.dropped else response.status_code
    environ = sent.environ
    if not recording.keep:
        recording.headers = {"User-Agent": environ.get("HTTP_USER_AGENT", "")}
        return
    recording.headers = {name: environ[variable] for variable, name in KEPT_HEADERS.items() if environ.get(variable)}
    body, answer = _body_of(sent, recording, read), _answer_of(response)
    recording.body_size, recording.answer_size = len(body) or sent.content_length or 0, len(answer)
    recording.body = body if len(body) <= PARSED_BYTES else body[: PARSED_BYTES + 1]
    recording.answer = answer if len(answer) <= PARSED_BYTES else answer[: PARSED_BYTES + 1]


def _body_of(sent: Request, recording: Recording, read: bytes | None) -> bytes:
    """Return the body that was read; an unread short body of a client with a key is read now."""
    if read is not None:
        return read
    most = min(KEPT_BYTES, sent.max_content_length or KEPT_BYTES)
    if recording.key is None or not 0 < (sent.content_length or 0) <= most:
        return b""
    try:
        return sent.get_data(cache=True)
    except ScimError:
        # It came too slowly; the request is answered already.
        return b""


def _answer_of(response: Response) -> bytes:
    return b"" if response.is_streamed else response.get_data()
