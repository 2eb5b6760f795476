"""A recorded request as it is stored: redacted, with the reason for a failure, and its quirks."""

import json
import re
from functools import lru_cache

from schemas.datetimes import from_seconds
from scim.observability.redaction import answer_text, body_text, redacted_path, redacted_text
from scim.traffic.recording import Recording
from scim.traffic.summaries import below_base
from scim.traffic.writer import Prepared
from storage import traffic
from storage.quirks import Quirk
from storage.traffic import TrafficEntry

LONGEST_HEADER = 200
LONGEST_PATH = 8190
FAILED_OPERATION = re.compile(rb'"status": ?"[45]')


def prepared(recording: Recording) -> Prepared:
    """Return the row and the quirks of a recorded request, redacted (in the batch writer's thread)."""
    at = from_seconds(recording.at)
    return (traffic.row_of(_entry(recording, at)) if recording.keep else None), _quirks(recording, at)


def _entry(recording: Recording, at: str) -> TrafficEntry:
    key = recording.key
    return TrafficEntry(
        at=at,
        key=key.id if key else None,
        keyName=key.name if key else None,
        idp=key.idp if key else None,
        method=recording.method,
        path=redacted_path(recording.path)[:LONGEST_PATH],
        status=recording.status,
        duration=round(recording.duration, 3),
        headers=dict(_headers(tuple(recording.headers.items()))),
        request=body_text(recording.body, recording.body_size),
        requestSize=recording.body_size,
        response=_answer_text(recording),
        responseSize=recording.answer_size,
        requestId=redacted_text(recording.request_id),
        tolerances={tolerance.name: redacted_text(example) for tolerance, example in recording.used.items()},
        ignored=[redacted_text(name) for name in recording.used.ignored],
        reason=_reason(recording),
        fault=recording.fault,
        replayOf=recording.replay.seq if recording.replay else None,
        admitted=recording.admitted,
    )


def _answer_text(recording: Recording) -> str | None:
    """Return the stored form of the answer; answers that may quote the request are redacted like a body."""
    if recording.status >= 400 or not recording.answer or "/Bulk" in recording.path:
        return body_text(recording.answer, recording.answer_size)
    return answer_text(recording.answer, recording.answer_size)


@lru_cache(maxsize=256)
def _headers(sent: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple((name, redacted_text(text)[:LONGEST_HEADER]) for name, text in sent)


def _reason(recording: Recording) -> str | None:
    """Return why a request failed: the detail of its error, or of the first failed operation of a bulk request."""
    if recording.status == 0:
        return "The connection was closed without an answer."
    failed_part = recording.status < 400 and FAILED_OPERATION.search(recording.answer)
    if recording.status < 400 and not failed_part:
        return None
    try:
        answer = json.loads(recording.answer)
        if not failed_part:
            return redacted_text(str(answer["detail"]))
        failed = [result for result in answer["Operations"] if result["status"][0] in "45"]
        first = redacted_text(str(failed[0]["response"]["detail"]))
        return f"{len(failed)} of {len(answer['Operations'])} operations failed; the first: {first}"
    except (ValueError, LookupError, TypeError):
        return "Some operations failed." if failed_part else f"Status {recording.status}, without a SCIM error."


def _quirks(recording: Recording, at: str) -> list[Quirk]:
    if recording.key is None or recording.replay is not None:
        return []
    key = recording.key.id
    used = [
        Quirk(key, "tolerance", tolerance.name, 1, redacted_text(example), at, at)
        for tolerance, example in recording.used.items()
    ]
    example = f"{recording.method} {below_base(redacted_path(recording.path))}"[:LONGEST_HEADER]
    return used + [Quirk(key, "ignored", redacted_text(name), 1, example, at, at) for name in recording.used.ignored]
