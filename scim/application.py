"""The deployment behind the application: settings, database, workspace; and what happens before each request."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Flask, Request, Response, g
from werkzeug.routing import MapAdapter

from schemas.errors import NotFound
from schemas.settings import Settings
from scim import bulk, discovery, endpoints, faults, health, me, metrics, observing, traffic
from scim.auth import Gate, authorise
from scim.context import Context
from scim.errors import is_events, is_scim
from scim.events import endpoint as events
from scim.memo import Memo
from scim.retention import Retention
from scim.traffic import Traffic
from scim.wire import base_of, current, drop_unread
from storage import workspace
from storage.database import Database
from storage.journal import Author

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
    health.register(app, perch.settings, perch.database, perch.gate)
    perch.database.on_turn = metrics.waited
    days = perch.settings["PERCH_JOURNAL_DAYS"], perch.settings["PERCH_EVENTS_DAYS"]
    app.extensions["perch.retention"] = app.retention = Retention(perch.database, *days)
    app.extensions["perch.traffic"] = app.window = Traffic(perch.settings, perch.database)


def admit(perch: Perch, sent: Request, values: Any) -> Response | None:
    """Let a request in: the key first, so that nobody without one learns which URLs exist, then the workspace."""
    workspace = values.workspace = perch.workspace
    public = (sent.endpoint or "").endswith(PUBLIC)
    if not public:
        values.context = _context(perch, sent, values)
    if sent.path.split("/", 2)[1] != workspace:
        raise NotFound("There is no such workspace; copy the base URL again from Perch.")
    if sent.view_args:
        del sent.view_args["workspace"]
    if perch.settings["PERCH_FAULTS"] and values.exchange:
        return faults.meet(perch.database, None if public else values.context.key.id)
    return None


def _context(perch: Perch, sent: Request, values: Any) -> Context:
    mark = traffic.replayed(sent)
    key = mark.key if mark else perch.gate.admit(sent.environ.get("HTTP_AUTHORIZATION"), sent.remote_addr)
    identifier = values.request_id
    if values.exchange:
        traffic.admitted(values.exchange, key, identifier, sent.path)
    authorise(key, sent.method, sent.path)
    author = Author("console" if mark else f"key:{key.id}", identifier)
    base = base_of(sent, perch.settings, perch.workspace)
    return Context(perch.database, perch.settings, base, key, author, perch.memo)


class Application(Flask):
    """Flask with one path around every request, where it would look for coroutines and walk through lists of hooks."""

    perch: "Perch"
    window: Traffic
    retention: Retention

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is: Perch has no coroutines."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what matches a request's URL, from what the request knows already."""
        if request is None:
            return super().create_url_adapter(request)
        query, method, path = request.query_string, request.method, request.path
        return MapAdapter(
            self.url_map, request.host, request.root_path, "", request.scheme, path, method, query.decode("latin-1")
        )

    def full_dispatch_request(self) -> Response:
        """Observe the request, let it in and answer it; the console has Flask's own hooks besides."""
        sent, values = current(), g._get_current_object()
        observing.begin(values, sent)
        values.settings = self.perch.settings
        scim = is_scim(sent.path)
        ours = scim or is_events(sent.path)
        response = self._serve(sent, values, scim) if ours else super().full_dispatch_request()
        self.retention.after(sent, response)
        drop_unread(sent, response, self.perch.settings["PERCH_MAX_BODY"])
        if scim:
            self.window.record(values.exchange, sent, response)
        observing.end(values, sent, response)
        return response

    def _serve(self, sent: Request, values: Any, scim: bool) -> Response:
        exchange = values.exchange = self.window.begin(sent) if scim else None
        try:
            response = admit(self.perch, sent, values)
            return self.make_response(self.dispatch_request()) if response is None else response
        except Exception as error:
            return self.make_response(self.handle_user_exception(error))
        finally:
            traffic.end(exchange)
