"""The deployment behind the application: settings, database, workspace; and how each request is served."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from flask import Blueprint, Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException

from schemas.errors import NotFound
from schemas.settings import Settings
from scim import bulk, discovery, endpoints, faults, health, me, metrics, observing, traffic
from scim.auth import Gate, authorise
from scim.call import Call
from scim.context import Context
from scim.errors import is_events, is_scim, scim_response
from scim.events import endpoint as events
from scim.memo import Memo
from scim.retention import Retention
from scim.routes import Route, Routes
from scim.traffic import Exchange, Traffic
from scim.wire import base_of, drop_unread
from storage import workspace
from storage.database import Database
from storage.journal import Author

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger("perch")
NOWHERE = Route("", "", {})
PUBLIC = ("discovery.service_provider_config", "events.jwks")


@dataclass(slots=True)
class Perch:
    """The running deployment; `app.extensions["perch"]`."""

    settings: Settings
    database: Database
    gate: Gate = field(init=False)
    memo: Memo = field(default_factory=Memo)
    _workspace: str = ""

    def __post_init__(self) -> None:
        self.gate = Gate(self.database, self.settings["PERCH_FAILED_KEYS"])

    def open(self) -> None:
        """Open the file once, creating and migrating it, so that a bad one stops the start."""
        _ = self.workspace

    @property
    def workspace(self) -> str:
        """The workspace's id in the URL: PERCH_WORKSPACE, else the one made at the first start."""
        if not self._workspace:
            with self.database.read() as connection:
                kept = str(workspace.get(connection, "id"))
            self._workspace = self.settings["PERCH_WORKSPACE"] or kept
        return self._workspace


def scim_blueprint() -> Blueprint:
    """Return everything under the base URL."""
    base = Blueprint("scim", __name__, url_prefix="/<workspace>/scim/v2")
    base.add_url_rule("/.search", "search", endpoints.root_search, methods=["POST"], strict_slashes=False)
    for child in (*endpoints.blueprints(), discovery.blueprint, me.blueprint, bulk.blueprint):
        base.register_blueprint(child)
    return base


def register(app: "Application", perch: Perch) -> None:
    """Make the application serve the deployment."""
    app.extensions["perch"] = app.perch = perch
    app.register_blueprint(scim_blueprint())
    app.register_blueprint(events.blueprint)
    app.routes = Routes(app.url_map)
    health.register(app, perch.settings, perch.database, perch.gate)
    perch.database.on_turn = metrics.waited
    days = perch.settings["PERCH_JOURNAL_DAYS"], perch.settings["PERCH_EVENTS_DAYS"]
    app.extensions["perch.retention"] = app.retention = Retention(perch.database, *days)
    app.extensions["perch.traffic"] = app.window = Traffic(perch.settings, perch.database)


def admit(perch: Perch, call: Call, endpoint: str) -> Response | None:
    """Let a request in: the key first, so that nobody without one learns which URLs exist, then the workspace."""
    sent, public = call.sent, endpoint.endswith(PUBLIC)
    call.workspace = perch.workspace
    if not public:
        call.context = _context(perch, call)
    if sent.path.split("/", 2)[1] != call.workspace:
        raise NotFound("There is no such workspace; copy the base URL again from Perch.")
    if call.settings["PERCH_FAULTS"] and call.exchange is not None:
        return faults.meet(call.database, sent, call.exchange, None if public else call.context.key.id)
    return None


def _context(perch: Perch, call: Call) -> Context:
    sent = call.sent
    mark = traffic.replayed(sent)
    key = mark.key if mark else perch.gate.admit(sent.environ.get("HTTP_AUTHORIZATION"), sent.remote_addr)
    if call.exchange is not None:
        traffic.admitted(call.exchange, key, sent.path)
    authorise(key, sent.method, sent.path)
    author = Author("console" if mark else f"key:{key.id}", call.request_id)
    return Context(
        perch.database, perch.settings, base_of(sent, call.settings, call.workspace), key, author, perch.memo
    )


class Application(Flask):
    """Flask, which serves the console and the like; requests of clients it routes only.

    They are served with all that belongs to them in a `Call`: Flask's contexts and lists of hooks cost as much again.
    """

    perch: Perch
    window: Traffic
    retention: Retention
    routes: Routes

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is: Perch has no coroutines."""
        return func

    def wsgi_app(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request (PEP 3333)."""
        path = environ["PATH_INFO"]
        scim = is_scim(path)
        if not scim and not is_events(path):
            return super().wsgi_app(environ, start_response)
        sent = self.request_class(environ, populate_request=False)
        call = Call(sent, self.perch.database, self.perch.settings, self.extensions)
        return self._serve(call, scim)(environ, start_response)

    def _serve(self, call: Call, scim: bool) -> Response:
        sent = call.sent
        call.request_id = observing.begin(sent.environ)
        if scim:
            call.exchange = self.window.begin(sent, call.began, call.request_id)
        try:
            response = self._answer(call)
        except Exception as error:
            response = scim_response(error, sent, call.rule)
        finally:
            traffic.end(call.exchange)
        seen = observing.Seen(call.began, call.request_id, call.rule, call.key, call.identifier)
        self._finish(sent, response, seen, call.exchange)
        return response

    def _answer(self, call: Call) -> Response:
        """Find the route, let the caller in, and have the endpoint answer."""
        sent, unknown, route = call.sent, None, NOWHERE
        try:
            route = self.routes.find(sent)
        except HTTPException as error:
            unknown = error
        call.rule, call.identifier = route.rule, route.values.get("identifier", "")
        early = admit(self.perch, call, route.endpoint)
        if early is not None:
            return early
        if unknown is not None:
            raise unknown
        if sent.method == "OPTIONS":
            return Response(headers={"Allow": ", ".join(self.routes.methods(sent))})
        answer: Any = self.view_functions[route.endpoint](call, **route.values)
        return cast(Response, answer)

    def full_dispatch_request(self) -> Response:
        """Observe a request that Flask serves."""
        began, sent = time.perf_counter(), request._get_current_object()  # type: ignore[attr-defined]
        g.request_id = observing.begin(sent.environ)
        response = super().full_dispatch_request()
        route = "" if sent.url_rule is None else sent.url_rule.rule
        self._finish(sent, response, observing.Seen(began, g.request_id, route))
        return response

    def _finish(
        self, sent: Request, response: Response, seen: observing.Seen, exchange: Exchange | None = None
    ) -> None:
        """Do what is due after an answer; what goes wrong with that is logged and costs no answer."""
        try:
            self.retention.after(sent, response)
            drop_unread(sent, response, self.perch.settings["PERCH_MAX_BODY"])
            observing.end(sent, response, seen)
            if exchange is not None:
                self.window.record(exchange, sent, response)
        except Exception:
            log.exception("A request was answered, but not all that follows was done")
