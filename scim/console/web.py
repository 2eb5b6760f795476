"""What every page of the console shares: the deployment, templates, forms, messages, who signs the journal."""

import base64
import hmac
import json
from typing import Any
from urllib.parse import urlsplit

from flask import Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as BaseResponse

from schemas import ResourceType
from scim.web.requests import origin, perch
from storage.database import Database
from storage.journal import Author
from storage.repository import Repository

NOTICE = "perch_notice"
COOKIE_PATH = "/console"
NOTICE_S = 120
LONGEST_FIELD = 4000


def database() -> Database:
    """Return the deployment's file."""
    return perch().database


def repository() -> Repository:
    """Return the deployment's resources."""
    return perch().repository


def resource_type(name: str) -> ResourceType:
    """Return the deployment's resource type of that name."""
    return perch().resource_types[name]


def author() -> Author:
    """Return who signs the journal for a change made in the console."""
    return Author("console", g.request_id)


def is_secure() -> bool:
    """Tell whether browsers reach the console over https, so that its cookies must never travel otherwise."""
    return request.is_secure or urlsplit(origin()).scheme == "https"


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Return a page; a message left by the request before is shown once."""
    response = make_response(render_template(f"console/{template}", notice=_notice(), **values), status)
    if NOTICE in request.cookies:
        response.delete_cookie(NOTICE, path=COOKIE_PATH)
    return response


def onward(endpoint: str, message: str = "", tone: str = "good", **values: Any) -> BaseResponse:
    """Send the browser to another page after a form, with a message for it to show."""
    response = redirect(url_for(f"console.{endpoint}", **values), 303)
    if message:
        leave_notice(response, message, tone)
    return response


def leave_notice(response: BaseResponse, message: str, tone: str) -> None:
    """Leave a message for the next page, in a signed cookie so that any worker may show it."""
    body = base64.urlsafe_b64encode(json.dumps([tone, message[:600]]).encode()).decode()
    response.set_cookie(
        NOTICE,
        f"{body}.{_sign(body)}",
        max_age=NOTICE_S,
        path=COOKIE_PATH,
        httponly=True,
        samesite="Lax",
        secure=is_secure(),
    )


def _notice() -> dict[str, str] | None:
    body, _, mac = request.cookies.get(NOTICE, "").partition(".")
    if not body or "console_secret" not in g:
        return None
    if not hmac.compare_digest(mac.encode("utf-8", "replace"), _sign(body).encode()):
        return None
    tone, message = json.loads(base64.urlsafe_b64decode(body))
    return {"tone": tone, "message": message}


def _sign(body: str) -> str:
    return hmac.digest(g.console_secret, b"notice " + body.encode("utf-8", "replace"), "sha256").hex()


def field(name: str, longest: int = LONGEST_FIELD) -> str:
    """Return a field of the sent form, without spaces around it."""
    return request.form.get(name, "").strip()[:longest]


def parameter(name: str, longest: int = 300) -> str:
    """Return a query parameter, without spaces around it."""
    return request.args.get(name, "").strip()[:longest]


def number(name: str, default: int = 1, largest: int = 10_000_000) -> int:
    """Return a query parameter that counts from 1."""
    text = parameter(name)
    return min(max(int(text), 1), largest) if text.isascii() and text.isdigit() and len(text) < 12 else default


def here(**changes: Any) -> str:
    """Return the address of this page with some query parameters changed; None leaves one out."""
    kept: dict[str, Any] = {**request.args.to_dict(), **(request.view_args or {}), **changes}
    return url_for(request.endpoint or "console.overview", **{k: v for k, v in kept.items() if v not in (None, "")})
