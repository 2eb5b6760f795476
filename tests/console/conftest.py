"""The console of a workspace: its app, an administrator who has signed in, and an Okta that pushes to it."""

import pytest
from flask import Flask

from tests.conftest import MakeApp
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, scim_path
from tests.support.console import PASSWORD, Console


@pytest.fixture
def console_app(make_app: MakeApp) -> Flask:
    return make_app(PERCH_ADMIN_PASSWORD=PASSWORD)


@pytest.fixture
def admin(console_app: Flask) -> Console:
    console = Console(console_app)
    console.sign_in()
    return console


@pytest.fixture
def okta(console_app: Flask) -> ScimClient:
    return ScimClient(wsgi_transport(console_app), scim_path(console_app), create_key(console_app, "Okta"), "okta")
