"""The hooks around every request: its id, its access key, its log line, its recording."""

import logging
import time
from typing import Any

from flask import Request, Response, g, request

from schemas.datetimes import now
from schemas.errors import NotFound
from scim.deployment import Perch
from scim.observability import metrics, requests
from scim.observability.logs import RequestLine
from scim.service.context import Context
from scim.traffic import faults
from scim.traffic.recorder import Recorder
from scim.traffic.recording import Recording
from scim.web import bodies, follower, headers
from scim.web.auth import READING, Authenticator, DeadKey, authorise
from scim.web.key_rates import KeyRates
from scim.web.requests import origin_of, route_of, sent_path
from scim.web.responses import ScimResponse
from storage.follower import Follower
from storage.journal import Author
from storage.keys import Caller

# The endpoints that need no access key.
PUBLIC = frozenset(("workspace.scim.discovery.service_provider_config", "workspace.events.jwks"))
# The notes of a request in `g`; this entry of its WSGI environment keeps those of an outer request meanwhile.
NOTES = frozenset(("began", "request_id", "recording", "base_url", "context", "body", "quota", "profile", "form"))
OUTER = "perch.outer"
NO_ROUTE = "(none)"
log = logging.getLogger("perch")


class RequestHooks:
    """Flask's hooks for one deployment."""

    def __init__(self, perch: Perch, authenticator: Authenticator, recorder: Recorder) -> None:
        self.perch = perch
        self.authenticator = authenticator
        self.recorder = recorder
        self.body_watch = bodies.BodyWatch()
        self.key_rates = KeyRates(perch.settings["PERCH_KEY_RATE"])

    def begin(self) -> None:
        """Give the request its id and, under a base URL, begin to record it (before_request)."""
        sent, noted = current()
        # Requests in one application context share `g`, such as one that a hook sends while another is served.
        sent.environ[OUTER] = swapped(noted, {})
        bodies.watched(sent.environ, self.body_watch)
        noted.began = began = time.perf_counter()
        noted.request_id = request_id = requests.begin(sent.environ.get("HTTP_X_REQUEST_ID"))
        noted.recording = self.recorder.begin(sent, began, request_id)

    def admit(self) -> Response | None:
        """Admit a request to SCIM or events: first its access key, then its workspace (before_request).

        A caller without a key must not learn which URLs exist.

        :raises ScimError: when the key or the workspace is refused, or a fault on demand matches.
        """
        perch, (sent, noted) = self.perch, current()
        noted.base_url = perch.base_url(origin_of(sent))
        workspace, recording = perch.workspace, noted.recording
        if sent.endpoint not in PUBLIC:
            noted.context = self._context(sent, noted)
        else:
            noted.profile = self.authenticator.profile(sent.environ.get("HTTP_AUTHORIZATION"))
        if sent.path.split("/", 2)[1] != workspace:
            raise NotFound("There is no such workspace; copy the base URL again from Perch.")
        if isinstance(perch.database, Follower):
            follower.refuse_write(perch.database, sent)
            return None
        if perch.settings["PERCH_FAULTS"] and recording is not None:
            return faults.apply(perch.database, sent, recording, recording.key.id if recording.key else None)
        return None

    def _context(self, sent: Request, noted: Any) -> Context:
        perch, recording = self.perch, noted.recording
        replay = recording.replay if recording is not None else None
        if replay is not None:
            key, actor, types = replay.key, "console", perch.resource_types
        else:
            key, version = self._caller(sent, recording)
            types = perch.types_of(version)
            actor = f"key:{key.id}"
            bodies.admit(sent.environ)
        if recording is not None:
            recording.admit(key, sent.path, identifier_in(sent))
        if replay is None and self.key_rates.rate(key):
            admitted, noted.quota = self.key_rates.take(key)
            if not admitted:
                metrics.limited(key.id)
                raise self.key_rates.refusal(key, noted.quota)
        authorise(key, sent.method, route_of(sent))
        if recording is not None:
            recording.admitted = True
        author = Author(actor, noted.request_id, "" if sent.method in READING else now())
        return Context(perch.repository, perch.settings, noted.base_url, key, author, types, perch.derived_cache)

    def _caller(self, sent: Request, recording: Recording | None) -> Caller:
        try:
            return self.authenticator.admit(sent.environ.get("HTTP_AUTHORIZATION"), sent.remote_addr)
        except DeadKey as error:
            if recording is not None:
                recording.dead_key = error.key
            raise

    def finish(self, response: Response) -> Response:
        """Log, count and record the request (after_request); a failure here is logged and does not break the answer."""
        try:
            self._finish(*current(), response)
        except Exception:
            log.exception("A request was answered, but it could not be logged, counted or recorded")
        return response

    def _finish(self, sent: Request, noted: Any, response: Response) -> None:
        recording: Recording | None = noted.recording
        if recording is not None:
            recording.stop()
        bodies.finish(sent.environ, response, self.perch.settings["PERCH_MAX_BODY"])
        status = response.status_code
        headers.complete(sent.environ, response, noted.request_id, isinstance(response, ScimResponse))
        if isinstance(self.perch.database, Follower):
            follower.tell_age(self.perch.database, response)
        if "quota" in noted:
            noted.quota.tell(response)
        key = recording.key.id if recording is not None and recording.key is not None else ""
        path = sent_path(sent)
        line = RequestLine(
            request=noted.request_id, method=sent.method, route=route_of(sent) or NO_ROUTE, status=status, key=key,
            resource=identifier_in(sent), url=path, address=sent.remote_addr or "",
        )  # fmt: skip
        requests.end(noted.began, line)
        if recording is not None:
            recording.location = headers.location_of(sent.environ) if status == 201 else ""
            self.recorder.record(recording, sent, path, response, noted.get("body"))

    def close(self, error: BaseException | None = None) -> None:
        """Leave `g` as it was before the request (teardown_request)."""
        sent, noted = current()
        outer = sent.environ.pop(OUTER, None)
        # None when the hook of another extension failed before `begin`.
        if outer is not None:
            recording: Recording | None = swapped(noted, outer).get("recording")
            if recording is not None:
                recording.stop()


def swapped(noted: Any, notes: dict[str, Any]) -> dict[str, Any]:
    """Put the notes of another request into `g`, and return those that were there."""
    found = {name: noted.pop(name) for name in tuple(noted) if name in NOTES}
    for name, value in notes.items():
        setattr(noted, name, value)
    return found


def current() -> tuple[Request, Any]:
    """Return the request and `g` behind Flask's proxies, since each use of a proxy looks them up again."""
    return request._get_current_object(), g._get_current_object()  # type: ignore[attr-defined]


def identifier_in(sent: Request) -> str:
    """Return the id of the resource that the path names, or ""."""
    return str(sent.view_args.get("identifier", "")) if sent.view_args else ""


def drop_workspace(_: str | None, values: dict[str, Any] | None) -> None:
    """Remove the workspace from a view's arguments (url_value_preprocessor), since `admit` checks it."""
    if values is not None:
        values.pop("workspace", None)
