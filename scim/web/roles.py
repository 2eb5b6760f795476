"""/Roles: the catalogue of roles for Okta's entitlement discovery; read-only, a write is 405."""

from flask import Blueprint, Response
from werkzeug.routing import PathConverter

from schemas.errors import NotFound
from schemas.tolerances import Tolerance, note
from scim.web import resources


class AnyPathConverter(PathConverter):
    """Any text in a URL, such as a role's slug; werkzeug's own takes no slash at the start."""

    regex = ".+?"
    part_isolating = False


blueprint = resources.routed(Blueprint("roles", __name__, url_prefix="/Roles"), resources.SEARCHES, "Role")


@blueprint.get("/<path:identifier>", strict_slashes=False)
def retrieve(identifier: str) -> Response:
    """Answer a role by its slug; a final slash that is none of the slug's own is tolerated."""
    try:
        return resources.retrieve("Role", identifier)
    except NotFound:
        if not identifier.endswith("/"):
            raise
    answer = resources.retrieve("Role", identifier[:-1])
    note(Tolerance.TRAILING_SLASH, f"/Roles/{identifier}")
    return answer
