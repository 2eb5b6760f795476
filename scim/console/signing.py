"""Signing in and out, and the open sessions."""

import math

from flask import g, redirect, request, url_for
from werkzeug.wrappers import Response

from schemas.errors import Forbidden
from scim.console import attempts, guard, words
from scim.console.blueprint import console
from scim.console.web import author, field, page, provider_host, redirect_to, wanted_page
from scim.service import passwords
from scim.web.requests import perch

OTHERS = "others"


@console.get("/sign-in")
def sign_in_form() -> Response:
    """Show the sign-in form."""
    if g.signed_in:
        return redirect(url_for("console.overview"), 303)
    return form(200)


@console.post("/sign-in")
def sign_in() -> Response:
    """Open a session if the password is right; attempts are limited per address across all workers."""
    if not perch().settings["PERCH_CONSOLE_PASSWORD"]:
        raise Forbidden("The password does not open this console (PERCH_CONSOLE_PASSWORD); sign in with the provider.")
    if wait := attempts.take():
        response = form(429, f"Too many attempts from your address. Try again in {wait} seconds.")
        response.headers["Retry-After"] = str(wait)
        return response
    if not attempts.is_password(request.form.get("password", "")):
        return form(401, "The password is wrong.")
    response = redirect(wanted_page(field("next")), 303)
    begin_session(response)
    return response


def begin_session(response: Response, person: str = "", proved: float = math.inf) -> None:
    """Open a session in place of the browser's former one; `person` is "" for the password.

    `proved` is when the person signed in at the provider, at the latest now.
    """
    with perch().repository.writing(attempts.visitor()) as write:
        if g.session is not None:
            guard.end_session(write, g.session)
        guard.open_session(response, write, attempts.address(), person, proved)


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


def form(status: int, problem: str = "") -> Response:
    """Return the sign-in page."""
    settings = perch().settings
    with perch().database.read() as connection:
        ready = bool(settings["PERCH_ADMIN_PASSWORD"]) or passwords.is_set(connection)
    response = page(
        "sign_in.html", status, problem=problem, wanted=wanted_page(request.values.get("next", "")), ready=ready,
        provider=provider_host(), by_password=settings["PERCH_CONSOLE_PASSWORD"], wrong=status in (401, 429),
    )  # fmt: skip
    guard.remember_visit(response)
    return response
