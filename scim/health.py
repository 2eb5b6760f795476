"""Whether the process answers."""

from flask import Blueprint, Response

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer 200 once requests can be served."""
    return Response("ok\n", content_type="text/plain; charset=utf-8")
