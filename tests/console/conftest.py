"""The console of a workspace: its app, an administrator who has signed in, an Okta that pushes, an OpenID provider."""

from collections.abc import Iterator

import pytest
from flask import Flask

from scim.service import issuers
from tests.conftest import MakeApp
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, scim_path
from tests.support.console import PASSWORD, Console
from tests.support.openid import OpenIdProvider


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


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    found = OpenIdProvider()
    issuers._cache.clear()
    yield found
    found.stop()


@pytest.fixture
def oidc_app(make_app: MakeApp, provider: OpenIdProvider) -> Flask:
    return make_app(PERCH_ADMIN_PASSWORD=PASSWORD, **provider.settings)


@pytest.fixture
def console(oidc_app: Flask) -> Console:
    return Console(oidc_app)
