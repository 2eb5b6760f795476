"""All pages of the console, and how the application gets them."""

from flask import Flask

from scim.console import (
    groups,
    journal,
    keys,
    overview,
    requests,
    roles,
    setup,
    signing,
    users,
    warnings,
    webhooks,
)
from scim.console.blueprint import console, root

PAGES = (groups, journal, keys, overview, requests, roles, setup, signing, users, warnings, webhooks)


def register(app: Flask) -> None:
    """Give the application its console; importing the pages above has given them their addresses."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(console)
    app.register_blueprint(root)
