"""Signing in and out, and the open sessions."""

from contextlib import suppress

from flask import g, redirect, request, url_for
from werkzeug.wrappers import Response

from schemas.errors import ScimError
from scim.console import guard, words
from scim.console.blueprint import console
from scim.console.web import author, field, page, redirect_to
from scim.service import passwords
from scim.web import addresses
from scim.web.requests import perch
from storage import sessions
from storage.journal import Author

OTHERS = "others"


@console.get("/sign-in")
def sign_in_form() -> Response:
    """Show the sign-in form."""
    if g.signed_in:
        return redirect(url_for("console.overview"), 303)
    return _form(200)


@console.post("/sign-in")
def sign_in() -> Response:
    """Open a session if the password is right; attempts are limited per address across all workers."""
    address = addresses.counted(request.remote_addr) or "unknown"
    visitor = Author(f"address:{address}", g.request_id)
    wait = _take_attempt(visitor, address)
    if wait:
        response = _form(429, f"Too many attempts from your address. Try again in {wait} seconds.")
        response.headers["Retry-After"] = str(wait)
        return response
    with perch().database.read() as connection:
        known = passwords.matches(connection, perch().settings, request.form.get("password", ""))
    response = redirect(_wanted(field("next")), 303)
    with perch().repository.writing(visitor) as write:
        if known:
            sessions.forget_attempts(write.connection, address)
            if g.session is not None:
                guard.end_session(write, g.session)
            guard.open_session(response, write, address)
        else:
            write.note_count(*_refused(address))
    return response if known else _form(401, "The password is wrong.")


def _take_attempt(visitor: Author, address: str) -> int:
    """Count an attempt to sign in and return 0, or return the seconds to wait before the next one."""
    with perch().database.read() as connection:
        wait = sessions.seconds_to_wait(connection, address)
    if wait:
        # A busy writer is not disturbed: the count may then be too low.
        with suppress(ScimError), perch().repository.counting(visitor) as write:
            write.note_count(*_refused(address))
        return wait
    with perch().database.write() as connection:
        return sessions.take_attempt(connection, address)


def _refused(address: str) -> tuple[str, tuple[str, str, str]]:
    return "sign-in refused", ("Console", address, "console")


@console.post("/sign-out")
def sign_out() -> Response:
    """End the session."""
    response = redirect_to("sign_in_form", "You are signed out.")
    with perch().repository.writing(author()) as write:
        guard.end_session(write, g.session)
    guard.forget_cookie(response)
    return response


@console.get("/sessions", endpoint="sessions")
def show_sessions() -> Response:
    """List the open sessions."""
    with perch().database.read() as connection:
        return page("sessions.html", sessions=guard.open_sessions(connection), this=g.session.id)


@console.post("/sessions")
def end_sessions() -> Response:
    """End one of the other sessions, or all of them."""
    chosen = field("session")
    with perch().repository.writing(author()) as write:
        others = [each for each in guard.open_sessions(write.connection) if each.digest != g.session.digest]
        ended = [each for each in others if chosen in (each.id, OTHERS)]
        for each in ended:
            guard.end_session(write, each)
    text = f"{words.count(len(ended), 'session')} ended." if ended else "There is no such session any more."
    return redirect_to("sessions", text, "good" if ended else "calm")


def _form(status: int, problem: str = "") -> Response:
    with perch().database.read() as connection:
        ready = bool(perch().settings["PERCH_ADMIN_PASSWORD"]) or passwords.is_set(connection)
    wanted = _wanted(request.values.get("next", ""))
    response = page("sign_in.html", status, problem=problem, wanted=wanted, ready=ready)
    guard.remember_visit(response)
    return response


def _wanted(path: str) -> str:
    """Return the path of the wanted page, or of the overview if the path could lead to another site."""
    ours = path.startswith("/console/") and path.isprintable() and "\\" not in path and "//" not in path
    return path if ours else url_for("console.overview")
