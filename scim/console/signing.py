"""Signing in and out."""

from flask import g, redirect, request, url_for
from werkzeug.wrappers import Response

from scim.console import guard
from scim.console.blueprint import console
from scim.console.web import field, page, redirect_to
from scim.service import passwords
from scim.web import addresses
from scim.web.requests import perch
from storage import sessions

ATTEMPTS, WINDOW_SECONDS = 8, 600
LONGEST_PASSWORD = 1000


@console.get("/sign-in")
def sign_in_form() -> Response:
    """Show the sign-in form."""
    if g.signed_in:
        return redirect(url_for("console.overview"), 303)
    return _form(200)


@console.post("/sign-in")
def sign_in() -> Response:
    """Open a session if the password is right; attempts are limited per address across all workers."""
    address = addresses.counted(request.remote_addr)
    with perch().database.write() as connection:
        wait = sessions.take_attempt(connection, address, ATTEMPTS, WINDOW_SECONDS)
    if wait:
        response = _form(429, f"Too many attempts from your address. Try again in {_in_words(wait)}.")
        response.headers["Retry-After"] = str(wait)
        return response
    with perch().database.read() as connection:
        known = passwords.matches(connection, perch().settings, request.form.get("password", "")[:LONGEST_PASSWORD])
    if not known:
        return _form(401, "The password is wrong.")
    with perch().database.write() as connection:
        sessions.forget_attempts(connection, address)
    response = redirect(_wanted(field("next")), 303)
    guard.open_session(response)
    return response


@console.post("/sign-out")
def sign_out() -> Response:
    """End the session."""
    response = redirect_to("sign_in_form", "You are signed out.")
    guard.close_session(response)
    return response


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


def _in_words(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 90 else f"{round(seconds / 60)} minutes"
