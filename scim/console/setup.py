"""The setup guides for Okta, Microsoft Entra ID and other providers, with this deployment's values to copy."""

from werkzeug.wrappers import Response

from schemas import user
from scim.console.blueprint import console
from scim.console.roles import by_name
from scim.console.web import field, page
from scim.web.addresses import origin_is_public
from scim.web.requests import origin, perch


@console.get("/setup", endpoint="setup")
def choose_guide() -> Response:
    """Show the values that every provider needs, and the ways to the guides."""
    return page("setup.html", public=origin_is_public(origin()))


@console.get("/okta")
def okta(tested: object = None) -> Response:
    """Show the guide for Okta, with the results of a connection test."""
    with perch().database.read() as connection:
        roles = by_name(connection)
    return page("okta.html", roles=roles, namespace=user.URN, tested=tested, public=origin_is_public(origin()))


@console.get("/entra")
def entra() -> Response:
    """Show the guide for Microsoft Entra ID."""
    return page("entra.html", public=origin_is_public(origin()))


@console.post("/okta/test")
def test_connector() -> Response:
    """Send the requests of Okta's connection test and show the result of each check."""
    from scim.console.connector import run_connector_test

    return okta(run_connector_test(field("key")))
