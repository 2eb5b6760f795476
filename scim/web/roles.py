"""/Roles: the catalogue of roles for Okta's entitlement discovery; read-only, a write is 405."""

from flask import Blueprint, Response

from scim.web import resources

blueprint = Blueprint("roles", __name__, url_prefix="/Roles")


@blueprint.get("", strict_slashes=False)
def search() -> Response:
    return resources.search("Role")


@blueprint.post("/.search", strict_slashes=False)
def search_by_post() -> Response:
    return resources.search_by_post("Role")


# A role's id is its slug, which may hold slashes.
@blueprint.get("/<path:identifier>", strict_slashes=False)
def retrieve(identifier: str) -> Response:
    return resources.retrieve("Role", identifier)
