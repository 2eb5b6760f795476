"""Perch, wired together: `gunicorn app:app` serves it, `flask` commands work on the same deployment."""

import logging
import os
import sys
from collections.abc import Mapping

from flask import Flask

from scim import cli, console, web
from scim.deployment import Perch
from scim.observability import logs
from scim.observability.printable import printable
from scim.settings import Settings, WrongSetting, read_settings, unknown_settings
from scim.web import follower, proxy
from scim.web.headers import with_added
from storage.database import Database
from storage.follower import Follower


def create_app(settings: Mapping[str, str] | None = None) -> Flask:
    """Return the application for a deployment; `settings` win over the environment.

    :raises WrongSetting: naming the setting that has a wrong value.
    """
    app = Flask(__name__, static_folder=None)
    read = read_settings({**os.environ, **(settings or {})})
    perch = Perch(read, _database(read))
    web.register(app, perch)
    if perch.database.follows:
        follower.register(app)
    else:
        console.register(app)
    cli.register(app)
    served = with_added(app.wsgi_app)
    app.wsgi_app = proxy.behind(read["PERCH_TRUSTED_PROXIES"], served)  # type: ignore[assignment,method-assign]
    return app


def _database(settings: Settings) -> Database:
    is_default = "PERCH_DATABASE" not in settings.given
    if settings["PERCH_FOLLOW"]:
        return Follower(settings["PERCH_DATABASE"], settings["PERCH_PRIMARY_URL"], is_default=is_default)
    return Database(settings["PERCH_DATABASE"], settings["PERCH_WRITE_WAIT"], is_default=is_default)


def _start() -> Flask:
    # Under gunicorn the master has printed these lines already.
    if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
        if {"deliver", "follow"} & set(sys.argv):
            logs.start_service(os.environ)
        for line in unknown_settings(os.environ):
            logging.getLogger("perch").warning("%s", printable(line))
    try:
        return create_app()
    except WrongSetting as error:
        print(f"perch: {printable(str(error))}", file=sys.stderr)
        # gunicorn restarts a worker that ends with any other code.
        sys.exit(4)


app = _start()
