"""The console's blueprint: the guard of all its pages, the values for all templates, error pages."""

import hashlib
import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import cast

from flask import Blueprint, g, redirect, request, url_for
from werkzeug.exceptions import HTTPException, InternalServerError
from werkzeug.wrappers import Response

from schemas.errors import Conflict, Gone, InvalidValue, NotFound, ScimError, Uniqueness
from scim.console import guard, words
from scim.console.web import asked, here, page
from scim.settings import VERSION
from scim.web.requests import base_url

PATH = "/console"
NAVIGATION = (
    ("Overview", "overview"),
    ("Access keys", "keys"),
    ("Users", "users"),
    ("Groups", "groups"),
    ("Roles", "roles"),
    ("Attributes", "attributes"),
    ("Setup", "setup"),
    ("Webhooks", "webhooks"),
    ("Requests", "requests"),
    ("Journal", "journal"),
    ("Sessions", "sessions"),
)
SIGN_IN = ("console.oidc", "console.oidc_callback", "console.sign_in")
log = logging.getLogger("perch")

console = Blueprint(
    "console", __name__, url_prefix=PATH, template_folder="templates", static_folder="static", static_url_path="/static"
)
console.before_request(guard.admit)
console.after_request(guard.protect)


@console.context_processor
def shared() -> dict[str, object]:
    """Return the values that every template needs."""
    return {
        "navigation": NAVIGATION,
        "signed_in": g.get("signed_in", False),
        "version": VERSION,
        "form_token": g.visit.form_token if "visit" in g else "",
        "base_url": base_url,
        "here": here,
        "asked": asked,
        "asset": asset,
        "words": words,
    }


def asset(name: str) -> str:
    """Return the URL of a static file with its digest, so that browsers may cache it."""
    return url_for("console.static", filename=name, v=_digest(name))


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((Path(__file__).parent / "static" / name).read_bytes()).hexdigest()[:12]


@console.errorhandler(ScimError)
def show_scim_error(error: ScimError) -> Response:
    """Answer a ScimError with the page of the sent form, or else with a page that says what to do."""
    if "form" in g and isinstance(error, (InvalidValue, Uniqueness, Conflict, Gone)):
        try:
            return cast(Response, g.form(status=error.status, problem=error.detail))
        except ScimError as other:
            # The form's page has no subject any more, or never had.
            error = other
    return _error_page(error.status, error.detail, error.headers)


@console.errorhandler(HTTPException)
def show_http_error(error: HTTPException) -> Response:
    """Answer Flask's own errors, and bugs (500), with a page that says what to do."""
    if error.response is not None:
        return error.get_response()
    status = error.code or 500
    if isinstance(error, InternalServerError) and error.original_exception is not None:
        log.error("%s %s failed", request.method, request.url_rule, exc_info=error.original_exception)
        return _error_page(status, "An internal error stopped this page; the server's log has the cause.")
    return _error_page(status, words.HTTP.get(status, error.description or error.name))


def _error_page(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    heading = words.HEADINGS.get(status, "Something went wrong")
    if request.endpoint in SIGN_IN:
        heading = "The sign-in failed"
    response = page("error.html", status, heading=heading, text=text)
    response.headers.update(headers or {})
    return response


@console.route("/<path:unknown>", methods=["GET", "POST"])
def not_found(unknown: str) -> Response:
    """Answer unknown addresses with 404."""
    raise NotFound(f"There is no page at {PATH}/{unknown[:200]}.")


root = Blueprint("root", __name__)


@root.get("/")
def to_console() -> Response:
    """Redirect the root to the console."""
    return redirect(url_for("console.overview"))
