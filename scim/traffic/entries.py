"""A recorded request as it is stored: redacted, with the reason for a failure, and its quirks."""

import json
import re
from functools import lru_cache
from urllib.parse import unquote_plus

from schemas.datetimes import from_seconds
from schemas.json import to_text
from scim.observability.redaction import answer_text, body_text, redacted_path, redacted_text
from scim.traffic.recording import Recording
from scim.traffic.summaries import below_base
from scim.traffic.writer import Prepared
from storage import quirks, traffic
from storage.quirks import Quirk
from storage.traffic import TrafficEntry

LONGEST_HEADER = 200
LONGEST_PATH = 8190
LONGEST_NAME = 300
SUBJECT = re.compile(r"/(?:Users|Groups)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:[/?]|$)", re.IGNORECASE)
LOOKED_UP = re.compile(
    r'[?&]filter=\s*(?:userName|displayName|emails(?:\[[^\]]{0,100}\])?(?:\.value)?)\s+eq\s+"([^"\\]{1,300})"\s*(?:&|$)',
    re.IGNORECASE,
)
FAILED_OPERATION = re.compile(rb'"status": ?"[45]')


def prepared(recording: Recording) -> Prepared:
    """Return the row and the quirks of a recorded request, redacted (in the batch writer's thread)."""
    at = from_seconds(recording.at)
    kept = recording.keep or recording.brief
    return (traffic.row_of(_entry(recording, at)) if kept else None), _quirks(recording, at)


def _entry(recording: Recording, at: str) -> TrafficEntry:
    key, shown = recording.key, recording.key or recording.dead_key
    # The user or group that the request is about, or that it made.
    subject = SUBJECT.search(recording.path) or SUBJECT.search(recording.location)
    dead = f" ({'revoked' if shown.revoked else 'expired'})" if shown and not key else ""
    return TrafficEntry(
        at=at,
        key=key.id if key else None,
        keyName=f"{shown.name}{dead}" if shown else None,
        idp=shown.idp if shown else None,
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
        subject=subject[1] if subject else "",
        name=_asked_name(recording),
        brief=recording.brief,
    )


def _asked_name(recording: Recording) -> str:
    """Return the name that a look-up asks for, or that a refused creation names; "" for any other request."""
    asked = LOOKED_UP.search(unquote_plus(recording.path))
    if asked:
        return redacted_text(asked[1])[:LONGEST_NAME]
    if recording.method != "POST" or recording.status < 400:
        return ""
    try:
        body = json.loads(recording.body)
        fields = {name.lower(): value for name, value in body.items()}
    except (ValueError, AttributeError, RecursionError):
        return ""
    name = fields.get("username") or fields.get("displayname")
    return redacted_text(name)[:LONGEST_NAME] if isinstance(name, str) else ""


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
    used, key = recording.used, recording.key.id
    sent = f"{recording.method} {below_base(redacted_path(recording.path))}"[:LONGEST_HEADER]
    found = [("tolerance", tolerance.name, redacted_text(example)) for tolerance, example in used.items()]
    found += [("ignored", redacted_text(name), sent) for name in used.ignored]
    dropped = {":".join(name): to_text(shape) for name, shape in used.dropped.items()}
    # What redaction would change is no name of an attribute, but a secret.
    found += [(quirks.DROPPED, name, shape) for name, shape in dropped.items() if redacted_text(name) == name]
    return [Quirk(key, kind, name, 1, example, at, at) for kind, name, example in found]
