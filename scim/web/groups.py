"""/Groups: groups of people and groups (RFC 7644 section 3.2, RFC 7643 section 4.2)."""

from flask import Blueprint, Response

from scim.web import resources

blueprint = Blueprint("groups", __name__, url_prefix="/Groups")


@blueprint.get("", strict_slashes=False)
def search() -> Response:
    return resources.search("Group")


@blueprint.post("/.search", strict_slashes=False)
def search_by_post() -> Response:
    return resources.search_by_post("Group")


@blueprint.post("", strict_slashes=False)
def create() -> Response:
    return resources.create("Group")


@blueprint.get("/<identifier>", strict_slashes=False)
def retrieve(identifier: str) -> Response:
    return resources.retrieve("Group", identifier)


@blueprint.put("/<identifier>", strict_slashes=False)
def replace(identifier: str) -> Response:
    return resources.replace("Group", identifier)


@blueprint.patch("/<identifier>", strict_slashes=False)
def patch(identifier: str) -> Response:
    return resources.patch("Group", identifier)


@blueprint.delete("/<identifier>", strict_slashes=False)
def delete(identifier: str) -> Response:
    return resources.delete("Group", identifier)
