"""Access to the console: sessions in cookies, protection against forged forms, and security headers."""

import hashlib
import hmac
import json
import math
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import g, request, url_for
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

from schemas.errors import Forbidden, ScimError
from scim.console import attempts
from scim.console.web import delete_cookie, mac, page, provider_host, read_cookie, set_cookie, wanted_page
from scim.service import admins, passwords
from scim.traffic.recording import is_scim
from scim.web import bodies
from scim.web.errors import answer_error, stray
from scim.web.requests import origin, perch
from storage import journal, sessions, workspace
from storage.database import Connection
from storage.journal import Author
from storage.repository import Transaction
from storage.sessions import LIFETIME_S, Session

SESSION, SIGNING_IN = "perch_console", "perch_signing_in"
# A page that refreshes itself sends this header: nobody uses the session then. A static file is no use, either.
REFRESH = "Perch-Refresh"
MAX_FORM = 256 * 1024
STATIC = "console.static"
OPEN = {"console.sign_in", "console.sign_in_form", "console.oidc", "console.oidc_callback", STATIC}
# Acts for which the sign-in must be younger than this many seconds; one from the future, since the clock was set back,
# is none. With the field the password is sent once more.
SENSITIVE = {
    "console.create_key", "console.revoke", "console.create_webhook", "console.rotate_secret", "console.remove_webhook",
    "console.release_fuse", "console.end_sessions", "console.add_secret", "console.add_trust",
    "console.revoke_credential",
}  # fmt: skip
PROOF_S, PROOF_FIELD = 900, "proof"
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
        visit = Visit(read_cookie(SESSION))
        g.session = sessions.get(connection, visit.digest, fingerprints(connection)) if visit.token else None
        refused = bool(
            g.session and g.session.person and admins.refusal(connection, perch().settings, g.session.person)
        )
    if refused:
        _end_sessions_of(g.session)
        g.session = None
    g.signed_in = g.session is not None
    if g.signed_in:
        bodies.admit(request.environ)
    g.visit = visit if g.signed_in else Visit(read_cookie(SIGNING_IN) or secrets.token_urlsafe(32))
    if g.session is not None and request.endpoint != STATIC and REFRESH not in request.headers:
        # The next request writes it when the writer is busy or the disk full.
        with suppress(ScimError):
            sessions.note_use(perch().database, g.session)
    if not g.signed_in and request.endpoint not in OPEN:
        wanted = request.full_path.rstrip("?") if request.method in SAFE else None
        return redirect(url_for("console.sign_in_form", next=wanted), 303)
    if request.method not in SAFE:
        _refuse_forged()
        if request.endpoint in SENSITIVE and abs(time.time() - g.session.proved) > PROOF_S:
            return _ask_again(g.session)
    return None


def _end_sessions_of(session: Session) -> None:
    """End all sessions of a person who may not come in any more."""
    # The next request does it when the writer is busy; meanwhile it is refused.
    with suppress(ScimError), perch().repository.writing(Author(f"person:{session.person}", g.request_id)) as write:
        for each in sessions.close_person(write.connection, session.person):
            _note(write, "sign-out", each.digest, {"address": each.address}, {})


def _ask_again(session: Session) -> Response | None:
    """Return the page on which somebody proves who they are before a sensitive act; None when they just did.

    A person of the provider follows a link, since browsers refuse to redirect a form there (`form-action`).
    """
    problem = ""
    if PROOF_FIELD in request.form and not session.person:
        wait = attempts.take()
        if not wait and attempts.is_password(request.form[PROOF_FIELD]):
            with perch().database.write() as connection:
                sessions.note_proof(connection, session.digest)
            return None
        problem = f"Too many attempts. Try again in {wait} seconds." if wait else "The password is wrong."
    sent = [(name, text) for name, text in request.form.items(multi=True) if name != PROOF_FIELD]
    back = wanted_page(urlsplit(request.referrer or "")._replace(scheme="", netloc="", fragment="").geturl())
    provider = provider_host() if session.person else ""
    return page("proof.html", 403, problem=problem, sent=sent, back=back, provider=provider)


def fingerprints(connection: Connection) -> sessions.Fingerprints:
    """Return an HMAC of the console's password, and one of the provider's settings.

    A new password, or new settings, ends the sessions that were opened with the old ones; b"" opens none.
    """
    settings = perch().settings
    password = settings["PERCH_ADMIN_PASSWORD"] or workspace.get(connection, passwords.NAME) or ""
    by_password = b"password " + str(password).encode("utf-8", "replace")
    by_provider = b"oidc " + json.dumps([settings[name] for name in sorted(settings) if "_OIDC_" in name]).encode()
    return (
        hmac.digest(g.console_secret, by_password, "sha256") if settings["PERCH_CONSOLE_PASSWORD"] else b"",
        hmac.digest(g.console_secret, by_provider, "sha256") if settings["PERCH_OIDC_ISSUER"] else b"",
    )


def open_session(
    response: Response, write: Transaction, address: str, person: str = "", proved: float = math.inf
) -> None:
    """Sign the browser in with a new token, so that nobody can have planted it before (session fixation)."""
    visit = Visit(secrets.token_urlsafe(32))
    fingerprint = fingerprints(write.connection)[bool(person)]
    sessions.open_session(write.connection, visit.digest, fingerprint, address, person, proved)
    _note(write, "sign-in", visit.digest, {}, {"address": address, **({"person": person} if person else {})})
    set_cookie(response, SESSION, visit.token, LIFETIME_S)
    delete_cookie(response, SIGNING_IN)


def end_session(write: Transaction, session: Session) -> None:
    """End a session, so that copies of its cookie are worthless."""
    if sessions.close_session(write.connection, session.digest):
        _note(write, "sign-out", session.digest, {"address": session.address}, {})


def forget_cookie(response: Response) -> None:
    """Delete the cookie of the session that has ended."""
    delete_cookie(response, SESSION)


def open_sessions(connection: Connection) -> list[Session]:
    """Return all sessions that are open, the last used first."""
    return sessions.list_open(connection, fingerprints(connection))


def _note(write: Transaction, action: str, digest: bytes, before: dict[str, str], after: dict[str, str]) -> None:
    identifier = sessions.session_id(digest)
    subject = ("Console", identifier, f"session {identifier}")
    write.note(action, subject, journal.difference(before, after))


def remember_visit(response: Response) -> None:
    """Set the cookie from which the token of the sign-in form is derived."""
    set_cookie(response, SIGNING_IN, g.visit.token, LIFETIME_S)


def protect(response: Response) -> Response:
    """Add the security headers; only static files may be cached."""
    response.headers.update(HEADERS)
    if request.endpoint != STATIC:
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
