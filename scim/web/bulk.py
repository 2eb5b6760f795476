"""/Bulk: many operations in one request (RFC 7644 section 3.7)."""

from flask import Blueprint, Response, current_app, g, got_request_exception

from schemas.bulk import bulk_response, read_bulk
from schemas.discovery import MAX_OPERATIONS
from schemas.errors import ScimError
from scim.service.bulk import BulkRun
from scim.web.errors import as_scim_error
from scim.web.requests import LARGE, read_json
from scim.web.responses import document_response

blueprint = Blueprint("bulk", __name__)


@blueprint.post("/Bulk", strict_slashes=False)
def bulk() -> Response:
    """Run the operations of a BulkRequest and answer the result of each (RFC 7644 section 3.7)."""
    request = read_bulk(read_json(LARGE), MAX_OPERATIONS)
    return document_response(bulk_response(BulkRun(g.context, request, explain).results()))


def explain(error: Exception) -> ScimError:
    """Return the SCIM error of an operation that failed; a bug is signalled to extensions as by Flask itself."""
    if not isinstance(error, (ScimError, RecursionError)):
        got_request_exception.send(current_app._get_current_object(), exception=error)  # type: ignore[attr-defined]
    return as_scim_error(error)
