"""The console: an administrator's web pages, rendered on the server, on the same services as SCIM."""

from flask import Flask

from scim.console import (
    attributes,
    exports,
    groups,
    journal,
    keys,
    oauth,
    oidc,
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

# Importing a page registers its routes with the blueprint.
PAGES = (
    attributes,
    exports,
    groups,
    journal,
    keys,
    oauth,
    oidc,
    overview,
    requests,
    roles,
    setup,
    signing,
    users,
    warnings,
    webhooks,
)


def register(app: Flask) -> None:
    """Register the console with the application."""
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(console)
    app.register_blueprint(root)
