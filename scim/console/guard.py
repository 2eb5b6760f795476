"""Access to the console: sessions in cookies, protection against forged forms, and security headers."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import g, request, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from schemas.errors import Forbidden
from scim.console.web import COOKIE_PATH, mac, read_cookie, set_cookie
from scim.service import passwords
from scim.traffic.recording import is_scim
from scim.web import bodies
from scim.web.errors import answer_error, stray
from scim.web.requests import origin, perch
from storage import sessions, workspace
from storage.database import Connection

SESSION, SIGNING_IN = "perch_console", "perch_signing_in"
LIFETIME_SECONDS = 12 * 3600
MAX_FORM = 256 * 1024
OPEN = {"console.sign_in", "console.sign_in_form", "console.static"}
CACHED_FOR_A_YEAR = "public, max-age=31536000, immutable"
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
class Visit:
    """A browser's session, or its visit to the sign-in page; the cookie holds the secret `token`."""

    token: str

    @property
    def digest(self) -> bytes:
        """The digest of the token, which is stored instead of it."""
        return hashlib.sha256(self.token.encode()).digest()

    @property
    def form_token(self) -> str:
        """The hidden field of each form; pages of other sites cannot know it."""
        return mac("form", self.token)


def admit() -> Response | None:
    """Admit a request to the console, or redirect the browser to the sign-in page."""
    if is_scim(request.path):
        # A provider was given the console's address as its base URL: it must get a SCIM error, not a page.
        return answer_error(stray(request.path))
    request.max_content_length = MAX_FORM
    with perch().database.read() as connection:
        g.console_secret = hmac.digest(bytes.fromhex(str(workspace.get(connection, "secret"))), b"console", "sha256")
        session = Visit(read_cookie(SESSION))
        g.signed_in = bool(session.token) and sessions.is_open(connection, session.digest, fingerprint(connection))
    if g.signed_in:
        bodies.admit(request.environ)
    g.visit = session if g.signed_in else Visit(read_cookie(SIGNING_IN) or secrets.token_urlsafe(32))
    if not g.signed_in and request.endpoint not in OPEN:
        wanted = request.full_path.rstrip("?") if request.method in SAFE else None
        return redirect(url_for("console.sign_in_form", next=wanted), 303)
    if request.method not in SAFE:
        _refuse_forged()
    return None


def fingerprint(connection: Connection) -> bytes:
    """Return an HMAC of the console's password, so that a new password ends the sessions of the old one."""
    password = perch().settings["PERCH_ADMIN_PASSWORD"] or workspace.get(connection, passwords.NAME) or ""
    return hmac.digest(g.console_secret, b"password " + str(password).encode("utf-8", "replace"), "sha256")


def open_session(response: Response) -> None:
    """Sign the browser in with a new token, so that nobody can have planted it before (session fixation)."""
    session = Visit(secrets.token_urlsafe(32))
    with perch().database.write() as connection:
        sessions.open_session(connection, session.digest, fingerprint(connection), LIFETIME_SECONDS)
    set_cookie(response, SESSION, session.token, LIFETIME_SECONDS)
    response.delete_cookie(SIGNING_IN, path=COOKIE_PATH)


def close_session(response: Response) -> None:
    """Sign the browser out and delete the session, so that copies of the cookie are worthless."""
    with perch().database.write() as connection:
        sessions.close_session(connection, g.visit.digest)
    response.delete_cookie(SESSION, path=COOKIE_PATH)


def remember_visit(response: Response) -> None:
    """Set the cookie from which the token of the sign-in form is derived."""
    set_cookie(response, SIGNING_IN, g.visit.token, LIFETIME_SECONDS)


def protect(response: Response) -> Response:
    """Add the security headers; only static files may be cached."""
    response.headers.update(HEADERS)
    if request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    elif "v" in request.args and response.status_code == 200:
        response.headers["Cache-Control"] = CACHED_FOR_A_YEAR
    return response


def _refuse_forged() -> None:
    """Refuse a form of another site: the browser names another origin, or the form's token is wrong.

    :raises Forbidden: asking to load the page again.
    """
    site, sender = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    ours = (urlsplit(origin()).netloc, request.host)
    foreign = site not in (None, "same-origin", "none") or (sender is not None and urlsplit(sender).netloc not in ours)
    sent = request.form.get("form_token", "").encode("utf-8", "replace")
    if foreign or not hmac.compare_digest(sent, g.visit.form_token.encode()):
        raise Forbidden("The form was not sent from this page, or is older than your session. Load the page again.")
