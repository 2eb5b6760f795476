"""The deployment behind the application: settings, database, workspace; and how each request is served."""

import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast

from flask import Blueprint, Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException

from schemas.errors import NotFound
from scim.deployment import Perch
from scim.observability import metrics, requests
from scim.service.context import Context
from scim.service.retention import Retention
from scim.traffic import faults, recorder
from scim.traffic.recorder import Exchange, Traffic, full_path
from scim.web import bulk, discovery, events, health, me, resources
from scim.web.auth import Gate, authorise
from scim.web.call import Call
from scim.web.errors import is_events, is_scim, scim_response
from scim.web.routes import Route, Routes
from scim.web.wire import base_of, drop_unread
from storage.journal import Author

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger("perch")
NOWHERE = Route("", "", {})
PUBLIC = ("discovery.service_provider_config", "events.jwks")


def scim_blueprint() -> Blueprint:
    """Return everything under the base URL."""
    base = Blueprint("scim", __name__, url_prefix="/<workspace>/scim/v2")
    base.add_url_rule("/.search", "search", resources.root_search, methods=["POST"], strict_slashes=False)
    for child in (*resources.blueprints(), discovery.blueprint, me.blueprint, bulk.blueprint):
        base.register_blueprint(child)
    return base


def register(app: "Application", perch: Perch) -> None:
    """Make the application serve the deployment."""
    app.extensions["perch"] = app.perch = perch
    app.extensions["perch.gate"] = app.gate = gate = Gate(perch.database, perch.settings["PERCH_FAILED_KEYS"])
    app.register_blueprint(scim_blueprint())
    app.register_blueprint(events.blueprint)
    app.routes = Routes(app.url_map)
    health.register(app, perch.settings, perch.database, gate)
    perch.database.on_turn = metrics.waited
    days = perch.settings["PERCH_JOURNAL_DAYS"], perch.settings["PERCH_EVENTS_DAYS"]
    app.extensions["perch.retention"] = app.retention = Retention(perch.database, *days)
    app.extensions["perch.traffic"] = app.window = Traffic(perch.settings, perch.database)


def admit(perch: Perch, gate: Gate, call: Call, endpoint: str) -> Response | None:
    """Let a request in: the key first, so that nobody without one learns which URLs exist, then the workspace."""
    sent, public = call.sent, endpoint.endswith(PUBLIC)
    call.workspace = perch.workspace
    if not public:
        call.context = _context(perch, gate, call)
    if sent.path.split("/", 2)[1] != call.workspace:
        raise NotFound("There is no such workspace; copy the base URL again from Perch.")
    if call.settings["PERCH_FAULTS"] and call.exchange is not None:
        return faults.meet(call.database, sent, call.exchange, None if public else call.context.key.id)
    return None


def _context(perch: Perch, gate: Gate, call: Call) -> Context:
    sent = call.sent
    mark = recorder.replayed(sent)
    key = mark.key if mark else gate.admit(sent.environ.get("HTTP_AUTHORIZATION"), sent.remote_addr)
    if call.exchange is not None:
        recorder.admitted(call.exchange, key, sent.path)
    authorise(key, sent.method, sent.path)
    author = Author("console" if mark else f"key:{key.id}", call.request_id)
    base = base_of(sent, call.settings, call.workspace)
    return Context(perch.database, perch.settings, base, key, author, perch.resource_types, perch.derived_cache)


class Application(Flask):
    """Flask, which serves the console and the like; requests of clients it routes only.

    They are served with all that belongs to them in a `Call`: Flask's contexts and lists of hooks cost as much again.
    """

    perch: Perch
    gate: Gate
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
        call.request_id = requests.begin(sent.environ)
        if scim:
            call.exchange = self.window.begin(sent, call.began, call.request_id)
        try:
            response = self._answer(call)
        except Exception as error:
            response = scim_response(error, sent, call.rule)
        finally:
            recorder.end(call.exchange)
        seen = _seen(sent, response, call.began, call.request_id)._replace(
            route=call.rule, key=call.key, identifier=call.identifier
        )
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
        early = admit(self.perch, self.gate, call, route.endpoint)
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
        g.request_id = requests.begin(sent.environ)
        response = super().full_dispatch_request()
        route = "" if sent.url_rule is None else sent.url_rule.rule
        self._finish(sent, response, _seen(sent, response, began, g.request_id)._replace(route=route))
        return response

    def _finish(self, sent: Request, response: Response, seen: requests.Seen, exchange: Exchange | None = None) -> None:
        """Do what is due after an answer; what goes wrong with that is logged and costs no answer."""
        try:
            self.retention.after(sent.method, response.status_code)
            drop_unread(sent, response, self.perch.settings["PERCH_MAX_BODY"])
            response.headers.add("X-Request-Id", seen.request_id)
            requests.end(seen)
            if exchange is not None:
                self.window.record(exchange, sent, response)
        except Exception:
            log.exception("A request was answered, but not all that follows was done")


def _seen(sent: Request, response: Response, began: float, request_id: str) -> requests.Seen:
    path, status = full_path(sent), response.status_code
    return requests.Seen(began, request_id, sent.method, path, sent.remote_addr, status)
