"""The SCIM side of Flask: blueprints, hooks, authentication, requests in, responses out."""

from flask import Blueprint, Flask

from scim.deployment import Perch
from scim.observability import metrics
from scim.observability.journal import journal_log
from scim.service.retention import Retention
from scim.traffic.recorder import Recorder
from scim.web import bulk, discovery, errors, events, groups, health, me, oauth, roles, search, users
from scim.web.auth import Authenticator
from scim.web.hooks import RequestHooks, drop_workspace


def register(app: Flask, perch: Perch) -> None:
    """Register SCIM, events and health of a deployment on the application."""
    settings, database = perch.settings, perch.database
    authenticator = Authenticator(database, settings["PERCH_FAILED_KEYS"])
    retention = Retention(perch.repository, settings["PERCH_JOURNAL_DAYS"], settings["PERCH_EVENTS_DAYS"])
    recorder = Recorder(settings, database, retention.prune)
    app.extensions |= {"perch": perch, "perch.traffic": recorder, "perch.retention": retention}
    database.on_turn = metrics.waited
    perch.repository.on_events = metrics.emitted
    perch.repository.on_entry = journal_log(settings)

    hooks = RequestHooks(perch, authenticator, recorder)
    app.before_request(hooks.begin)
    app.after_request(hooks.finish)
    app.teardown_request(hooks.close)
    errors.register(app, hooks.admit)
    app.url_map.converters["path"] = roles.AnyPathConverter
    app.register_blueprint(workspace_blueprint(hooks))
    app.register_blueprint(oauth.blueprint)
    health.register(app, settings, database, authenticator)


def workspace_blueprint(hooks: RequestHooks) -> Blueprint:
    """Return the blueprint of routes that need an access key: SCIM under the base URL, and the events beside it."""
    workspace = Blueprint("workspace", __name__, url_prefix="/<workspace>")
    workspace.url_value_preprocessor(drop_workspace)
    workspace.before_request(hooks.admit)
    scim = Blueprint("scim", __name__, url_prefix="/scim/v2")
    for module in (users, groups, roles, search, bulk, discovery, me):
        scim.register_blueprint(module.blueprint)
    for child in (scim, events.blueprint):
        workspace.register_blueprint(child)
    return workspace
