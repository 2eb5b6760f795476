"""The hooks around every request: its id, its access key, its log line, its recording."""

import logging
import time
from typing import Any

from flask import Request, Response

from schemas.errors import NotFound
from scim.deployment import Perch
from scim.observability import requests
from scim.observability.requests import Seen
from scim.service.context import Context
from scim.service.retention import Retention
from scim.traffic import faults
from scim.traffic.recorder import Recorder, full_path
from scim.traffic.recording import Recording, is_scim, replayed
from scim.web.auth import Authenticator, authorise
from scim.web.requests import base_url, current_g, current_request, drop_unread
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
        sent, noted = current_request(), current_g()
        noted.began = began = time.perf_counter()
        noted.request_id = request_id = requests.begin(sent.environ.get("HTTP_X_REQUEST_ID"))
        noted.recording = self.recorder.begin(sent, began, request_id) if is_scim(sent.path) else None

    def admit(self) -> Response | None:
        """Admit a request to SCIM or events: first its access key, then its workspace (before_request).

        A caller without a key must not learn which URLs exist.

        :raises ScimError: when the key or the workspace is refused, or a fault on demand fits.
        """
        sent, noted, workspace = current_request(), current_g(), self.perch.workspace
        if sent.endpoint not in PUBLIC:
            noted.context = self._context(sent, noted.recording, noted.request_id)
        if sent.path.split("/", 2)[1] != workspace:
            raise NotFound("There is no such workspace; copy the base URL again from Perch.")
        if self.perch.settings["PERCH_FAULTS"] and noted.recording is not None:
            key = noted.context.key.id if "context" in noted else None
            return faults.apply(self.perch.database, sent, noted.recording, key)
        return None

    def _context(self, sent: Request, recording: Recording | None, request_id: str) -> Context:
        perch, replay = self.perch, replayed(sent)
        address = sent.remote_addr
        key = replay.key if replay else self.authenticator.admit(sent.environ.get("HTTP_AUTHORIZATION"), address)
        if recording is not None:
            recording.admit(key, sent.path)
        authorise(key, sent.method, sent.path)
        author = Author("console" if replay else f"key:{key.id}", request_id)
        return Context(
            perch.repository, perch.settings, base_url(), key, author, perch.resource_types, perch.derived_cache
        )

    def finish(self, response: Response) -> Response:
        """Log, count and record the request (after_request); a failure here is logged and costs no answer."""
        try:
            self._finish(current_request(), response)
        except Exception:
            log.exception("A request was answered, but it could not be logged, counted or recorded")
        return response

    def _finish(self, sent: Request, response: Response) -> None:
        noted = current_g()
        recording: Recording | None = noted.recording
        response.headers["X-Request-Id"] = noted.request_id
        self.retention.after(sent.method, response.status_code)
        drop_unread(sent, response, self.perch.settings["PERCH_MAX_BODY"])
        key = recording.key.id if recording is not None and recording.key is not None else ""
        identifier = sent.view_args.get("identifier", "") if sent.view_args else ""
        route = sent.url_rule.rule if sent.url_rule is not None else ""
        requests.end(
            Seen(
                noted.began, noted.request_id, sent.method, full_path(sent), sent.remote_addr, response.status_code,
                route, key, identifier,
            )
        )  # fmt: skip
        if recording is not None:
            self.recorder.record(recording, sent, response, noted.get("body"))

    def close(self, error: BaseException | None = None) -> None:
        """Stop to collect the tolerances of the request (teardown_request)."""
        recording: Recording | None = current_g().get("recording")
        if recording is not None:
            recording.close()


def drop_workspace(_: str | None, values: dict[str, Any] | None) -> None:
    """Take the workspace out of a view's arguments (url_value_preprocessor): `admit` checks it."""
    if values is not None:
        values.pop("workspace", None)
