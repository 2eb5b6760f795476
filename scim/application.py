"""The deployment behind the application: settings, database, workspace; and what happens before each request."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint, Flask, Request, Response, g

from schemas.errors import NotFound
from schemas.settings import Settings
from scim import bulk, discovery, endpoints, faults, health, me, metrics, observing, traffic
from scim.auth import Gate, authorise
from scim.context import Context
from scim.errors import is_events, is_scim
from scim.events import endpoint as events
from scim.retention import Retention
from scim.traffic import Traffic
from scim.wire import base_of, current, drop_unread
from storage import workspace
from storage.database import Database
from storage.journal import Author

PUBLIC = ("discovery.service_provider_config", "events.jwks")


class Application(Flask):
    """Flask without its look for coroutines, at every call, among views and hooks: Perch has none."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function as it is."""
        return func


@dataclass(slots=True)
class Perch:
    """The running deployment; `app.extensions["perch"]`."""

    settings: Settings
    database: Database
    gate: Gate = field(init=False)
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
    base.url_value_preprocessor(lambda endpoint, values: values.pop("workspace") if values else None)
    base.add_url_rule("/.search", "search", endpoints.root_search, methods=["POST"], strict_slashes=False)
    for child in (*endpoints.blueprints(), discovery.blueprint, me.blueprint, bulk.blueprint):
        base.register_blueprint(child)
    return base


def register(app: Flask, perch: Perch) -> None:
    """Make the application serve the deployment."""
    app.extensions["perch"] = perch
    app.register_blueprint(scim_blueprint())
    app.register_blueprint(events.blueprint)
    health.register(app, perch.settings, perch.database, perch.gate)
    perch.database.on_turn = metrics.waited
    observing.register(app)
    days = perch.settings["PERCH_JOURNAL_DAYS"], perch.settings["PERCH_EVENTS_DAYS"]
    retention = app.extensions["perch.retention"] = Retention(perch.database, *days)
    window = app.extensions["perch.traffic"] = Traffic(perch.settings, perch.database)

    @app.before_request
    def admit() -> Response | None:
        sent = current()
        g.settings = perch.settings
        scim = is_scim(sent.path)
        if scim:
            g.exchange = window.begin(sent)
        return _admit(perch, sent, scim) if scim or is_events(sent.path) else None

    @app.after_request
    def end(response: Response) -> Response:
        sent = current()
        retention.after(sent, response)
        drop_unread(sent, response, perch.settings["PERCH_MAX_BODY"])
        window.record(sent, response)
        return response

    app.teardown_request(traffic.end)


def _admit(perch: Perch, sent: Request, scim: bool) -> Response | None:
    """Let a request in: the key first, so that nobody without one learns which URLs exist, then the workspace."""
    workspace = g.workspace = perch.workspace
    public = (sent.endpoint or "").endswith(PUBLIC)
    if not public:
        g.context = _context(perch, sent, scim)
    if sent.path.split("/", 2)[1] != workspace:
        raise NotFound("There is no such workspace; copy the base URL again from Perch.")
    if perch.settings["PERCH_FAULTS"] and scim:
        return faults.meet(perch.database, None if public else g.context.key.id)
    return None


def _context(perch: Perch, sent: Request, scim: bool) -> Context:
    mark = traffic.replayed(sent)
    key = mark.key if mark else perch.gate.admit(sent.environ.get("HTTP_AUTHORIZATION"), sent.remote_addr)
    identifier = g.request_id
    if scim:
        traffic.admitted(g.exchange, key, identifier, sent.path)
    authorise(key, sent.method, sent.path)
    author = Author("console" if mark else f"key:{key.id}", identifier)
    return Context(perch.database, perch.settings, base_of(sent, perch.settings, perch.workspace), key, author)
