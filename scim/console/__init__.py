"""The console: an administrator's web pages, rendered on the server, on the same services as SCIM."""

from importlib import import_module

from flask import Flask

from scim.console.blueprint import console, root

PAGES = (
    "attributes", "exports", "groups", "journal", "keys", "oidc", "overview", "requests", "roles", "setup",
    "signing", "users", "warnings", "webhooks",
)  # fmt: skip


def register(app: Flask) -> None:
    """Register the console with the application."""
    for page in PAGES:
        # Importing a page registers its routes with the blueprint.
        import_module(f"{__name__}.{page}")
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(console)
    app.register_blueprint(root)
