"""Signing in with an OpenID provider: to the provider, and back with its answer."""

import secrets
import time

from flask import current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response

from schemas.errors import Forbidden, NotFound, TooManyRequests, Unavailable
from scim.console import attempts, guard
from scim.console.blueprint import console
from scim.console.signing import begin_session, form
from scim.console.web import delete_cookie, leave_notice, parameter, read_cookie, set_cookie, wanted_page
from scim.service import admins, oidc
from scim.service.keys import digest
from scim.service.oidc import OpenIdProvider, signed_in_since
from scim.web.health import failures
from scim.web.requests import origin, perch
from storage import logins, sessions
from storage.logins import Login

BROWSER = "perch_oidc"


@console.get("/oidc", endpoint="oidc")
def to_provider() -> Response:
    """Send the browser to the provider; with `again`, for a fresh sign-in of the session's person."""
    provider = _provider()
    _count_begun()
    again = g.session is not None and bool(parameter("again"))
    redirect_uri = f"{origin()}{url_for('console.oidc_callback')}"
    try:
        asked = provider.request(redirect_uri, guard.PROOF_S if again else None)
    except Unavailable as error:
        if again:
            raise
        return form(503, error.detail)
    browser = read_cookie(BROWSER) or secrets.token_urlsafe(32)
    login = Login(
        digest(asked.state), digest(browser), asked.nonce, asked.verifier, redirect_uri,
        wanted_page(request.args.get("next", "")), g.session.digest if again else None, int(time.time()),
    )  # fmt: skip
    with perch().database.write_progress() as connection:
        logins.add(connection, login)
    response = redirect(asked.url, 303)
    set_cookie(response, BROWSER, browser, logins.LIFETIME_S)
    return response


@console.get("/oidc/callback")
def oidc_callback() -> Response:
    """Take the provider's answer, and open a session for a person who may come in."""
    provider, login = _provider(), _login()
    if not provider.is_named(request.args.get("iss")):
        named = parameter("iss") or "a provider without a name"
        raise Forbidden(f"The answer is from {named}, not from {provider.issuer}; sign in again.")
    if "error" in request.args:
        reason = parameter("error_description") or parameter("error")
        raise Forbidden(f"The provider refused the sign-in: {reason}")
    claims = provider.claims(request.args.get("code", ""), login.redirect, login.verifier, login.nonce)
    try:
        person = admins.person_of(perch().settings, claims)
        with perch().database.read() as connection:
            refusal = admins.refusal(connection, perch().settings, person)
        if refusal:
            raise Forbidden(refusal)
    except Forbidden:
        attempts.note_refusal()
        raise
    response = redirect(login.wanted, 303)
    delete_cookie(response, BROWSER)
    if login.session is None:
        begin_session(response, person, oidc.signed_in_at(claims))
    else:
        _prove(login.session, person, claims)
        leave_notice(response, "You have signed in again. Nothing is changed yet: send the form once more.")
    return response


def _provider() -> OpenIdProvider:
    """Return this process's view of the provider.

    :raises NotFound: when none is set.
    """
    if not perch().settings["PERCH_OIDC_ISSUER"]:
        raise NotFound("No OpenID provider is set (PERCH_OIDC_ISSUER); sign in with the password.")
    found: OpenIdProvider | None = current_app.extensions.get("perch.oidc")
    if found is None:
        found = current_app.extensions["perch.oidc"] = OpenIdProvider(perch().settings)
    return found


def _count_begun() -> None:
    """Count a sign-in that an address begins, since the file keeps a limited number of those under way.

    :raises TooManyRequests: when it is more than PERCH_FAILED_KEYS within a minute.
    """
    if wait := failures().add(f"sign-in {attempts.address()}"):
        raise TooManyRequests(f"Your address began too many sign-ins. Try again in {wait} seconds.", wait)


def _login() -> Login:
    """Return the sign-in that this browser began, which is used once.

    :raises Forbidden: for any other one.
    """
    with perch().database.write_progress() as connection:
        login = logins.take(connection, digest(request.args.get("state", "")))
    browser = read_cookie(BROWSER)
    if login is None or not browser or not secrets.compare_digest(login.browser, digest(browser)):
        raise Forbidden(
            f"This sign-in was not begun at {origin()} in this browser, is over ten minutes old, or was used already. "
            "Begin again at the sign-in page."
        )
    return login


def _prove(session: bytes, person: str, claims: oidc.Claims) -> None:
    """Note that the person of a session has signed in again.

    :raises Forbidden: when it is another person or session, or an older sign-in.
    """
    if g.session is None or g.session.digest != session or g.session.person != person:
        raise Forbidden("The session is not yours, or has ended; sign in again.")
    if not signed_in_since(claims, guard.PROOF_S):
        raise Forbidden(
            "The provider did not ask for the sign-in again (auth_time is missing or too old); sign out there, and "
            "sign in again."
        )
    with perch().database.write() as connection:
        sessions.note_proof(connection, session)
