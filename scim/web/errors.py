"""The one place where exceptions become SCIM errors (RFC 7644 section 3.12)."""

import logging
import re
from collections.abc import Callable

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, InternalServerError

from schemas.errors import BadRequest, InvalidSyntax, MethodNotAllowed, NotFound, PayloadTooLarge, ScimError
from scim.observability.redaction import KEY, MARK
from scim.traffic.recording import LONGEST_SHOWN, is_scim, is_stray
from scim.web.responses import error_response

EVENTS_PATH = re.compile(r"/(?!console/)[^/]+/(events(/|$)|jwks\.json(/|$))")
# Public documents and the token endpoint: their errors are JSON, and need no key.
PUBLIC_PATH = re.compile(
    r"/(?!console/)[^/]+/(oauth/token|openapi\.json)/?|/\.well-known/oauth-authorization-server/.*"
)
log = logging.getLogger("perch")


def register(app: Flask, admit: Callable[[], Response | None]) -> None:
    """Answer ScimError, HTTPException (404, 405 and 500 among them) and RecursionError.

    There is no handler of Exception itself, so that Flask reports a bug by its signal got_request_exception first.
    """

    def answer_http_error(error: HTTPException) -> Response | HTTPException:
        if isinstance(error, InternalServerError) and error.original_exception is not None:
            return answer_error(error.original_exception)
        if PUBLIC_PATH.fullmatch(request.path):
            return answer_error(error)
        if not is_scim(request.path) and not EVENTS_PATH.match(request.path):
            return answer_error(stray(request.path)) if error.code == 404 and is_stray(request.path) else error
        try:
            # A path without a route has no blueprint whose hook could ask for the key.
            early = admit() if request.url_rule is None else None
        except ScimError as refused:
            return answer_error(refused)
        return answer_error(error) if early is None else early

    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(ScimError, answer_error)
    app.register_error_handler(RecursionError, answer_error)
    app.logger.addFilter(is_not_flasks_line)


def is_not_flasks_line(record: logging.LogRecord) -> bool:
    """Keep Flask's line for a bug out of the log: it has the path, which may hold a name or a key."""
    return record.funcName != Flask.log_exception.__name__


def answer_error(error: BaseException) -> Response:
    """Return a SCIM Error for an exception that a request raised."""
    return error_response(as_scim_error(error))


def as_scim_error(error: BaseException) -> ScimError:
    """Return an exception as a ScimError; of a bug the client learns only that it was logged."""
    if isinstance(error, ScimError):
        found = error
    elif isinstance(error, HTTPException):
        found = _from_http(error)
    elif isinstance(error, RecursionError):
        found = InvalidSyntax("The request is nested too deeply; no resource has more than a few levels.")
    else:
        log.error("%s %s failed", request.method, request.url_rule or "(no route)", exc_info=error)
        found = ScimError("Perch failed on this request; the server's log has the cause. Nothing was changed.")
    # A key that was sent in the wrong place must not show up on an administrator's screen.
    found.detail = KEY.sub(rf"\1{MARK}", found.detail)
    return found


def stray(path: str) -> NotFound:
    """Return the error of a path that looks like SCIM and lies under no base URL."""
    wanted = "https://HOST/WORKSPACE_ID/scim/v2"
    shown = path[:LONGEST_SHOWN]
    return NotFound(f"There is nothing at {shown}; a base URL is {wanted}, copy it from Perch's console.")


def _from_http(error: HTTPException) -> ScimError:
    shown = request.path[:LONGEST_SHOWN]
    if error.code == 404:
        return NotFound(f"There is nothing at {shown}; check the base URL and the path.")
    if error.code == 405:
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        detail = f"{request.method} is not possible at {shown}; it takes {allowed}."
        return MethodNotAllowed(detail, {"Allow": allowed})
    if error.code == 413:
        return PayloadTooLarge("The body is larger than PERCH_MAX_BODY allows; send less at once.")
    if error.code == 400:
        return BadRequest("The request is malformed: its Host header or its URL cannot be understood.")
    found = ScimError(error.description or error.name)
    found.status = error.code or 500
    return found
