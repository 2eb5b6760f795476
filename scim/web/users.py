"""/Users: people (RFC 7644 section 3.2, RFC 7643 section 4.1)."""

from flask import Blueprint, Response

from scim.web import resources

blueprint = Blueprint("users", __name__, url_prefix="/Users")


@blueprint.get("", strict_slashes=False)
def search() -> Response:
    return resources.search("User")


@blueprint.post("/.search", strict_slashes=False)
def search_by_post() -> Response:
    return resources.search_by_post("User")


@blueprint.post("", strict_slashes=False)
def create() -> Response:
    return resources.create("User")


@blueprint.get("/<identifier>", strict_slashes=False)
def retrieve(identifier: str) -> Response:
    return resources.retrieve("User", identifier)


@blueprint.put("/<identifier>", strict_slashes=False)
def replace(identifier: str) -> Response:
    return resources.replace("User", identifier)


@blueprint.patch("/<identifier>", strict_slashes=False)
def patch(identifier: str) -> Response:
    return resources.patch("User", identifier)


@blueprint.delete("/<identifier>", strict_slashes=False)
def delete(identifier: str) -> Response:
    return resources.delete("User", identifier)
