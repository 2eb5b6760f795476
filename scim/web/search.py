"""The base URL and /.search: a search of users and groups at once (RFC 7644 sections 3.4.2.1 and 3.4.3)."""

from flask import Blueprint, Response

from scim.web import resources

blueprint = Blueprint("search", __name__)


@blueprint.get("", strict_slashes=False)
def search() -> Response:
    return resources.search("User", "Group")


@blueprint.post("/.search", strict_slashes=False)
def search_by_post() -> Response:
    return resources.search_by_post("User", "Group")
