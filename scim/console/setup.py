"""The set-up guides, with this deployment's own values to copy into Okta or Entra."""

from collections.abc import Sequence

from flask import Response

from schemas import user
from scim.console.blueprint import console
from scim.console.web import database, field, page
from scim.web.requests import origin
from storage import roles


@console.get("/okta")
def okta() -> Response:
    """Show the way from an access key to people with roles in Okta."""
    return shown()


@console.get("/entra")
def entra() -> Response:
    """Show the same for Microsoft Entra ID, shorter."""
    return page("entra.html", public=_is_public())


@console.post("/okta/test")
def test_connector() -> Response:
    """Run Okta's connection test and show the result of each check."""
    from scim.console.connector import run_connector_test

    return shown(run_connector_test(field("key")))


def shown(outcomes: Sequence[object] = ()) -> Response:
    """Return Okta's guide, with the results of a connection test if there was one."""
    with database().read() as connection:
        catalogue = roles.catalogue(connection)
    catalogue.sort(key=lambda role: (role.name.casefold(), role.slug))
    return page("okta.html", roles=catalogue, namespace=user.URN, outcomes=outcomes, public=_is_public())


def _is_public() -> bool:
    """Tell whether a provider can reach the address: https, and not this machine alone."""
    return origin().startswith("https://") and "localhost" not in origin() and "127.0.0.1" not in origin()
