"""/.search: a search of users and groups at once (RFC 7644 section 3.4.3)."""

from flask import Blueprint, Response

from scim.web import resources

blueprint = Blueprint("search", __name__)


@blueprint.post("/.search", strict_slashes=False)
def search() -> Response:
    return resources.search_by_post("User", "Group")
