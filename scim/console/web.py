"""Shared by the console's pages: templates, notices, signed cookies, form fields, the author of journal entries."""

import base64
import hmac
import json
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from schemas.datetimes import now
from schemas.errors import InvalidValue, NotFound
from scim.web.requests import origin, perch
from storage import sessions
from storage.database import Connection
from storage.journal import Author
from storage.resources import ResourceRow

NOTICE = "perch_notice"
NOTICE_SECONDS = 120
LONGEST_FIELD = 4000


def author() -> Author:
    """Return the author of journal entries for changes made in the console: the person, or the session."""
    actor = f"person:{g.session.person}" if g.session.person else f"console:{g.session.id}"
    return Author(actor, g.request_id, now())


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
    text = render_template(f"console/{template}", notice=shown, **values)
    # What a client sent may contain half of a surrogate pair, which is no text; it is shown as the client wrote it.
    response = make_response(text.encode("utf-8", "backslashreplace"), status)
    if notice:
        delete_cookie(response, NOTICE)
    return response


def redirect_to(endpoint: str, message: str = "", tone: str = "good", **values: Any) -> Response:
    """Redirect the browser to another page after a form, with a notice for that page in a cookie."""
    response = redirect(url_for(f"console.{endpoint}", **values), 303)
    if message:
        leave_notice(response, message, tone)
    return response


def leave_notice(response: Response, message: str, tone: str = "good") -> None:
    """Leave a notice for the next page in a cookie."""
    notice = json.dumps([tone, message[:600]]).encode()
    set_cookie(response, NOTICE, base64.urlsafe_b64encode(notice).decode(), NOTICE_SECONDS)


def provider_host() -> str:
    """Return the host of the OpenID provider, "" for none."""
    issuer: str = perch().settings["PERCH_OIDC_ISSUER"]
    return urlsplit(issuer).netloc


def wanted_page(path: str) -> str:
    """Return the path of the wanted page, or of the overview if the path could lead to another site."""
    ours = path.startswith("/console/") and path.isprintable() and "\\" not in path and "//" not in path
    return path if ours else url_for("console.overview")


def mac(purpose: str, text: str) -> str:
    """Return an HMAC of text for a purpose, which only this deployment can make."""
    return hmac.digest(g.console_secret, f"{purpose} {text}".encode("utf-8", "replace"), "sha256").hex()


def _cookie(name: str) -> tuple[str, dict[str, Any]]:
    """Return full name and attributes of a cookie, which is for scripts of no page.

    Where the console is reached over https, the prefix `__Host-` (RFC 6265bis section 4.1.3.2) keeps neighbours in the
    same domain and plain http from setting it; it demands Secure and the path `/`.
    """
    secure = request.is_secure or urlsplit(origin()).scheme == "https"
    full, path = (f"__Host-{name}", "/") if secure else (name, "/console")
    return full, {"path": path, "secure": secure, "httponly": True, "samesite": "Lax"}


def set_cookie(response: Response, name: str, text: str, seconds: int) -> None:
    """Set a signed cookie for some seconds."""
    full, attributes = _cookie(name)
    response.set_cookie(full, f"{text}.{mac(name, text)}", max_age=seconds, **attributes)


def delete_cookie(response: Response, name: str) -> None:
    """Delete a cookie."""
    full, attributes = _cookie(name)
    response.delete_cookie(full, **attributes)


def read_cookie(name: str) -> str:
    """Return the text of a signed cookie; "" for a missing or forged one."""
    text, _, sent = request.cookies.get(_cookie(name)[0], "").partition(".")
    if not text or "console_secret" not in g:
        return ""
    return text if hmac.compare_digest(sent.encode("utf-8", "replace"), mac(name, text).encode()) else ""


def form_of(show: Callable[..., Response], *args: str) -> None:
    """Name the function of the page with the sent form; it is called with status and problem if the form is wrong."""
    g.form = partial(show, *args)


def field(name: str) -> str:
    """Return a field of the sent form, without spaces around it."""
    return request.form.get(name, "").strip()[:LONGEST_FIELD]


def days_of(label: str, most: int, or_else: str = "") -> float:
    """Return the field `days` of the sent form, which has a label.

    :raises InvalidValue: when it is no number of 1 to `most`; `or_else` is what else can be entered.
    """
    text = field("days")
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= most):
        raise InvalidValue(f"{label}: enter a whole number from 1 to {most}{or_else}.")
    return float(text)


def once() -> str:
    """Return a new token for a form that creates a secret: it works once, so that a reload makes no second secret."""
    return secrets.token_urlsafe(16)


def is_first(connection: Connection) -> bool:
    """Use up the token of the sent form; False when the form was sent before."""
    return sessions.spend_form(connection, field("once"))


def parameter(name: str) -> str:
    """Return a query parameter, without spaces around it."""
    return request.args.get(name, "").strip()[:300]


def number(name: str, default: int = 1, largest: int = 10_000_000) -> int:
    """Return a query parameter that is a number of 1 or more; other text counts as the default.

    :raises NotFound: for a number that is out of range.
    """
    text = parameter(name)
    if not (text.isascii() and text.isdigit()):
        return default
    if not 1 <= int(text) <= largest:
        raise NotFound(f"There is no page for {name}={text[:30]}.")
    return int(text)


def here(**changes: Any) -> str:
    """Return the address of this page with some query parameters changed; None removes one."""
    return f"{url_for(request.endpoint or 'console.overview', **(request.view_args or {}))}{asked(**changes)}"


def asked(**changes: Any) -> str:
    """Return the query of this page's address with some parameters changed, with its question mark; "" for none."""
    kept = {name: value for name, value in {**request.args.to_dict(), **changes}.items() if value not in (None, "")}
    return f"?{urlencode(kept, safe=':/@,')}" if kept else ""
