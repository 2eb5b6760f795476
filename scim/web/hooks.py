"""The hooks around every request: its id, its access key, its log line, its recording."""

import logging
import time
from typing import Any

from flask import Request, Response, g

from schemas.errors import NotFound
from scim.deployment import Perch
from scim.observability import requests
from scim.service.context import Context
from scim.service.retention import Retention
from scim.traffic import faults
from scim.traffic.recorder import Recorder, full_path
from scim.traffic.recording import is_scim, replayed
from scim.web.auth import Authenticator, authorise
from scim.web.requests import current_request, drop_unread, origin
from storage.journal import Author

# The endpoints that need no access key.
PUBLIC = frozenset(("workspace.scim.discovery.service_provider_config", "workspace.events.jwks"))
log = logging.getLogger("perch")


class RequestHooks:
    """Flask's hooks for one deployment."""

    def __init__(self, perch: Perch, authenticator: Authenticator, recorder: Recorder, retention: Retention) -> None:
        self.perch = perch
        self.authenticator = authenticator
        self.recorder = recorder
        self.retention = retention

    def begin(self) -> None:
        """Give the request its id and, under a base URL, begin to record it (before_request)."""
        sent = current_request()
        g.began = time.perf_counter()
        g.request_id = requests.begin(sent.environ.get("HTTP_X_REQUEST_ID"))
        g.recording = self.recorder.begin(sent, g.began, g.request_id) if is_scim(sent.path) else None

    def admit(self) -> Response | None:
        """Admit a request to SCIM or events: first its access key, then its workspace (before_request).

        A caller without a key must not learn which URLs exist.

        :raises ScimError: when the key or the workspace is refused, or a fault on demand fits.
        """
        sent, workspace = current_request(), self.perch.workspace
        if sent.endpoint not in PUBLIC:
            g.context = self._context(sent)
        if sent.path.split("/", 2)[1] != workspace:
            raise NotFound("There is no such workspace; copy the base URL again from Perch.")
        if self.perch.settings["PERCH_FAULTS"] and g.recording is not None:
            key = g.context.key.id if "context" in g else None
            return faults.meet(self.perch.database, sent, g.recording, key)
        return None

    def _context(self, sent: Request) -> Context:
        perch, replay = self.perch, replayed(sent)
        key = replay.key if replay else self.authenticator.admit(sent.headers.get("Authorization"), sent.remote_addr)
        if g.recording is not None:
            g.recording.admit(key, sent.path)
        authorise(key, sent.method, sent.path)
        author = Author("console" if replay else f"key:{key.id}", g.request_id)
        return Context(perch.database, perch.settings, perch.base_url(origin(sent)), key, author, perch.memo)

    def finish(self, response: Response) -> Response:
        """Log, count and record the request (after_request); a failure here is logged and costs no answer."""
        try:
            self._finish(current_request(), response)
        except Exception:
            log.exception("A request was answered, but it could not be logged, counted or recorded")
        return response

    def _finish(self, sent: Request, response: Response) -> None:
        self.retention.after(sent.method, response.status_code)
        drop_unread(sent, response, self.perch.settings["PERCH_MAX_BODY"])
        response.headers["X-Request-Id"] = g.request_id
        recording = g.recording
        key = recording.key.id if recording is not None and recording.key is not None else ""
        requests.end(_seen(sent, response.status_code, key))
        if recording is not None:
            self.recorder.record(recording, sent, response, g.get("body"))

    def close(self, error: BaseException | None = None) -> None:
        """Stop to collect the tolerances of the request (teardown_request)."""
        if (recording := g.get("recording")) is not None:
            recording.close()


def drop_workspace(_: str | None, values: dict[str, Any] | None) -> None:
    """Take the workspace out of a view's arguments (url_value_preprocessor): `admit` checks it."""
    if values is not None:
        values.pop("workspace", None)


def _seen(sent: Request, status: int, key: str) -> requests.Seen:
    values: dict[str, Any] = sent.view_args or {}
    route = sent.url_rule.rule if sent.url_rule is not None else ""
    return requests.Seen(
        g.began, g.request_id, sent.method, full_path(sent), sent.remote_addr, status, route, key,
        values.get("identifier", ""),
    )  # fmt: skip
