"""Shared by the console's pages: templates, notices, signed cookies, form fields, the author of journal entries."""

import base64
import hmac
import json
from typing import Any
from urllib.parse import urlsplit

from flask import g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from scim.web.requests import origin, perch
from storage.journal import Author
from storage.resources import ResourceRow

NOTICE = "perch_notice"
COOKIE_PATH = "/console"
NOTICE_SECONDS = 120
LONGEST_FIELD = 4000


def author() -> Author:
    """Return the author of journal entries for changes made in the console."""
    return Author("console", g.request_id)


def resource(type_name: str, identifier: str) -> ResourceRow:
    """Return a user or group by its id.

    :raises NotFound: when there is none.
    """
    with perch().repository.reading() as snapshot:
        return snapshot.get(type_name, identifier)


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Return a page; a notice that the request before left is shown once."""
    notice = read_cookie(NOTICE)
    tone, message = json.loads(base64.urlsafe_b64decode(notice)) if notice else ("", "")
    shown = {"tone": tone, "message": message} if notice else None
    response = make_response(render_template(f"console/{template}", notice=shown, **values), status)
    if NOTICE in request.cookies:
        response.delete_cookie(NOTICE, path=COOKIE_PATH)
    return response


def redirect_to(endpoint: str, message: str = "", tone: str = "good", **values: Any) -> Response:
    """Redirect the browser to another page after a form, with a notice for that page in a cookie."""
    response = redirect(url_for(f"console.{endpoint}", **values), 303)
    if message:
        notice = json.dumps([tone, message[:600]]).encode()
        set_cookie(response, NOTICE, base64.urlsafe_b64encode(notice).decode(), NOTICE_SECONDS)
    return response


def mac(purpose: str, text: str) -> str:
    """Return an HMAC of text for a purpose, which only this deployment can make."""
    return hmac.digest(g.console_secret, f"{purpose} {text}".encode("utf-8", "replace"), "sha256").hex()


def set_cookie(response: Response, name: str, text: str, seconds: int) -> None:
    """Set a signed cookie, for scripts of no page and over https only if the console is reached over https."""
    secure = request.is_secure or urlsplit(origin()).scheme == "https"
    response.set_cookie(
        name, f"{text}.{mac(name, text)}", max_age=seconds, path=COOKIE_PATH, httponly=True, samesite="Lax",
        secure=secure,
    )  # fmt: skip


def read_cookie(name: str) -> str:
    """Return the text of a signed cookie; "" for a missing or forged one."""
    text, _, sent = request.cookies.get(name, "").partition(".")
    if not text or "console_secret" not in g:
        return ""
    return text if hmac.compare_digest(sent.encode("utf-8", "replace"), mac(name, text).encode()) else ""


def field(name: str) -> str:
    """Return a field of the sent form, without spaces around it."""
    return request.form.get(name, "").strip()[:LONGEST_FIELD]


def parameter(name: str) -> str:
    """Return a query parameter, without spaces around it."""
    return request.args.get(name, "").strip()[:300]


def number(name: str, default: int = 1, largest: int = 10_000_000) -> int:
    """Return a query parameter that is a number of 1 or more."""
    text = parameter(name)
    return min(max(int(text), 1), largest) if text.isascii() and text.isdigit() and len(text) < 12 else default


def here(**changes: Any) -> str:
    """Return the address of this page with some query parameters changed; None removes one."""
    kept: dict[str, Any] = {**request.args.to_dict(), **(request.view_args or {}), **changes}
    return url_for(request.endpoint or "console.overview", **{k: v for k, v in kept.items() if v not in (None, "")})
