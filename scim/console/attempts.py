"""Attempts to sign in with the password: limited per address across all workers, and noted in the journal."""

from contextlib import suppress

from flask import g, request

from schemas.errors import ScimError
from scim.service import passwords
from scim.web import addresses
from scim.web.requests import perch
from storage import sessions
from storage.journal import Author


def visitor() -> Author:
    """Return the author of what somebody does who is not signed in: the caller's address."""
    return Author(f"address:{address()}", g.request_id)


def address() -> str:
    """Return the caller's address as it is counted."""
    return addresses.counted(request.remote_addr) or "unknown"


def take() -> int:
    """Count an attempt to sign in and return 0, or return the seconds to wait before the next one."""
    with perch().database.read() as connection:
        wait = sessions.seconds_to_wait(connection, address())
    if wait:
        # A busy writer is not disturbed: the count may then be too low.
        with suppress(ScimError):
            note_refusal(wait=0)
        return wait
    with perch().database.write() as connection:
        return sessions.take_attempt(connection, address())


def is_password(text: str) -> bool:
    """Tell whether a text is the console's password, and note a wrong one; the right one ends the count."""
    with perch().database.read() as connection:
        known = passwords.matches(connection, perch().settings, text)
    if known:
        with perch().database.write() as connection:
            sessions.forget_attempts(connection, address())
    else:
        note_refusal()
    return known


def note_refusal(wait: float | None = None) -> None:
    """Journal a refused sign-in.

    :raises Unavailable: when others write for longer than `wait` seconds (default: PERCH_WRITE_WAIT).
    """
    with perch().repository.counting(visitor(), wait) as write:
        write.note_count("sign-in refused", ("Console", address(), "console"))
