"""The one place where exceptions become answers."""

import logging
import re

from flask import Flask, Request, Response, request
from werkzeug.exceptions import HTTPException

from schemas.errors import BadRequest, InvalidSyntax, MethodNotAllowed, NotFound, PayloadTooLarge, ScimError
from scim.observability.redaction import KEY, MARK
from scim.web.wire import error_response

SCIM_PATH = re.compile(r"/[^/]+/scim/v2(/|$)")
# What a provider asks for when its base URL lacks something, most often the workspace's id.
STRAY_PATH = re.compile(
    r"/(?!console/)(.*/)?(scim|Users|Groups|Roles|Schemas|ResourceTypes|ServiceProviderConfig)(/|$)"
)
EVENTS_PATH = re.compile(r"/(?!console/)[^/]+/(events(/|$)|jwks\.json$)")
LONGEST_SHOWN = 200
log = logging.getLogger("perch")


def register(app: Flask) -> None:
    """Answer every exception of the application in one place."""
    app.register_error_handler(Exception, answer_exception)


def is_scim(path: str) -> bool:
    """Tell whether a path lies under the base URL of a workspace."""
    return SCIM_PATH.match(path) is not None


def is_events(path: str) -> bool:
    """Tell whether a path is one of those where applications ask for events, beside the base URL."""
    return EVENTS_PATH.match(path) is not None


def is_stray(path: str) -> bool:
    """Tell whether a path looks like SCIM and does not lie under a base URL."""
    return STRAY_PATH.match(path[:LONGEST_SHOWN]) is not None


def answer_exception(error: Exception) -> Response | HTTPException:
    """Return what Flask answers when something went wrong outside the base URL: its own answers, else a SCIM Error."""
    if isinstance(error, HTTPException):
        return error_response(_stray(request.path)) if error.code == 404 and is_stray(request.path) else error
    return scim_response(error, request, str(request.url_rule))


def scim_response(error: Exception, sent: Request, route: str) -> Response:
    """Return a SCIM Error for whatever went wrong with a request."""
    return error_response(as_scim_error(error, sent, route))


def as_scim_error(error: Exception, sent: Request, route: str) -> ScimError:
    """Return an exception as a ScimError; of a bug nothing is told but that it was logged."""
    found = _meaning(error, sent, route)
    # Whoever sends a key in the wrong place need not see it again on an administrator's screen.
    found.detail = KEY.sub(rf"\1{MARK}", found.detail)
    return found


def _meaning(error: Exception, sent: Request, route: str) -> ScimError:
    if isinstance(error, ScimError):
        return error
    if isinstance(error, HTTPException):
        return _from_http(error, sent)
    if isinstance(error, RecursionError):
        return InvalidSyntax("The request is nested too deeply; no resource has more than a few levels.")
    # The route, not the path: people put names and keys where ids belong.
    log.error("%s %s failed", sent.method, route, exc_info=error)
    return ScimError("Perch failed on this request; the server's log has the cause. Nothing was changed.")


def _stray(path: str) -> NotFound:
    wanted = "https://HOST/WORKSPACE_ID/scim/v2"
    shown = path[:LONGEST_SHOWN]
    return NotFound(f"There is nothing at {shown}; a base URL is {wanted}, copy it from Perch's console.")


def _from_http(error: HTTPException, sent: Request) -> ScimError:
    if error.code == 404:
        return NotFound(f"There is nothing at {sent.path[:LONGEST_SHOWN]}; check the base URL and the path.")
    if error.code == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        detail = f"{sent.method} is not possible at {sent.path[:LONGEST_SHOWN]}; it takes {allowed}."
        return MethodNotAllowed(detail, {"Allow": allowed})
    if error.code == 413:
        return PayloadTooLarge("The body is larger than PERCH_MAX_BODY allows; send less at once.")
    if error.code == 400:
        return BadRequest("The request is malformed: its Host header or its URL cannot be understood.")
    found = ScimError(error.description or error.name)
    found.status = error.code or 500
    return found
