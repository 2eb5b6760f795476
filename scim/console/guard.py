"""Who may see the console: the session cookie, forged forms, and the headers that keep scripts of others out."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import g, request, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from schemas.errors import Forbidden
from scim.console.web import COOKIE_PATH, is_secure
from scim.service import passwords
from scim.web.requests import origin, perch
from storage import sessions, workspace
from storage.database import Connection

SESSION, SIGNING_IN = "perch_console", "perch_signing_in"
LIFETIME_S = 12 * 3600
MAX_FORM = 256 * 1024
OPEN = {"console.sign_in", "console.sign_in_form", "console.static"}
FOREVER = "public, max-age=31536000, immutable"
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "X-Robots-Tag": "noindex, nofollow",
}


@dataclass(frozen=True, slots=True)
class Pass:
    """What a browser holds: the secret token of its session, or of its visit to the sign-in page."""

    token: str

    @property
    def digest(self) -> bytes:
        """What is kept of the token."""
        return hashlib.sha256(self.token.encode()).digest()

    @property
    def cookie(self) -> str:
        """The token as a cookie, signed, so that a made-up one costs no look-up."""
        return f"{self.token}.{derived(b'cookie ', self.token)}"

    @property
    def form_token(self) -> str:
        """What every form of this session carries; a page of another site cannot know it."""
        return derived(b"form ", self.token)


def derived(purpose: bytes, text: str) -> str:
    """Return a code over text that only this deployment can make."""
    return hmac.digest(g.console_secret, purpose + text.encode("utf-8", "replace"), "sha256").hex()


def admit() -> Response | None:
    """Let a request to the console in, or send the browser to the sign-in page."""
    request.max_content_length = MAX_FORM
    with perch().database.read() as connection:
        g.console_secret = hmac.digest(bytes.fromhex(str(workspace.get(connection, "secret"))), b"console", "sha256")
        held = _held(SESSION)
        g.signed_in = held is not None and sessions.is_open(connection, held.digest, fingerprint(connection))
    g.console_pass = (held if g.signed_in else _held(SIGNING_IN)) or Pass(secrets.token_urlsafe(32))
    if not g.signed_in and request.endpoint not in OPEN:
        wanted = request.full_path.rstrip("?") if request.method in SAFE else None
        return redirect(url_for("console.sign_in_form", next=wanted), 303)
    if request.method not in SAFE:
        _refuse_forged()
    return None


def fingerprint(connection: Connection) -> bytes:
    """Return a code over the password in force, so that a changed password ends the sessions of the old one."""
    password = perch().settings["PERCH_ADMIN_PASSWORD"] or workspace.get(connection, passwords.NAME) or ""
    return hmac.digest(g.console_secret, b"password " + str(password).encode("utf-8", "replace"), "sha256")


def open_session(response: Response) -> None:
    """Sign the browser in; the token is a new one, so that nobody can have planted it before."""
    fresh = Pass(secrets.token_urlsafe(32))
    with perch().database.write() as connection:
        sessions.open_session(connection, fresh.digest, fingerprint(connection), LIFETIME_S)
    _set_cookie(response, SESSION, fresh.cookie, LIFETIME_S)
    response.delete_cookie(SIGNING_IN, path=COOKIE_PATH)


def close_session(response: Response) -> None:
    """Sign the browser out, here and in the file: the cookie is dead even for who copied it."""
    with perch().database.write() as connection:
        sessions.close_session(connection, g.console_pass.digest)
    response.delete_cookie(SESSION, path=COOKIE_PATH)


def remember_visit(response: Response) -> None:
    """Give a browser that is not signed in something that its sign-in form can be held against."""
    _set_cookie(response, SIGNING_IN, g.console_pass.cookie, LIFETIME_S)


def protect(response: Response) -> Response:
    """Add the headers of the console's pages; nothing but style sheets, scripts and pictures is ever cached."""
    response.headers.update(HEADERS)
    if request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    elif "v" in request.args and response.status_code == 200:
        response.headers["Cache-Control"] = FOREVER
    return response


def _held(name: str) -> Pass | None:
    token, _, mac = request.cookies.get(name, "").partition(".")
    genuine = hmac.compare_digest(mac.encode("utf-8", "replace"), derived(b"cookie ", token).encode())
    return Pass(token) if token and genuine else None


def _set_cookie(response: Response, name: str, value: str, lifetime: int) -> None:
    response.set_cookie(
        name, value, max_age=lifetime, path=COOKIE_PATH, httponly=True, samesite="Lax", secure=is_secure()
    )


def _refuse_forged() -> None:
    """Refuse a form that another site sent, by the browser's own word and by the form's token.

    :raises Forbidden: saying to load the page again.
    """
    site, sender = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    ours = (urlsplit(origin()).netloc, request.host)
    foreign = site not in (None, "same-origin", "none") or (sender is not None and urlsplit(sender).netloc not in ours)
    sent = request.form.get("form_token", "").encode("utf-8", "replace")
    if foreign or not hmac.compare_digest(sent, g.console_pass.form_token.encode()):
        raise Forbidden("This form did not come from this page, or is from before you signed in. Load the page again.")
