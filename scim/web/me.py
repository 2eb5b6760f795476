"""/Me (RFC 7644 section 3.11): an access key belongs to a client, not to a user."""

from flask import Blueprint, Response

from schemas.errors import NotSupported

blueprint = Blueprint("me", __name__)


@blueprint.route("/Me", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], strict_slashes=False)
def me() -> Response:
    """Refuse every request.

    :raises NotSupported: always.
    """
    raise NotSupported("/Me is not supported: an access key belongs to a client, not to a user. Use /Users.")
