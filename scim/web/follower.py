"""A follower's side of the web: the requests that it refuses, the age of its answers, its page instead of a console."""

from typing import cast

from flask import Blueprint, Flask, Request, Response
from markupsafe import escape

from scim.web.auth import READING
from scim.web.requests import perch
from storage.follower import Follower

PAGE = """<!doctype html>
<html lang="en"><meta name="viewport" content="width=device-width"><title>Perch, a follower</title>
<h1>A follower of Perch</h1>
<p>It answers reads from a copy of the primary's file. Age of the copy: {age}.</p>
<p>{primary}</p>
</html>
"""
AGE = "Perch-Age"
root = Blueprint("root", __name__)


def register(app: Flask) -> None:
    """Register the page."""
    app.register_blueprint(root)


def follower() -> Follower:
    """Return the file of a deployment that follows."""
    return cast(Follower, perch().database)


def refuse_write(database: Follower, sent: Request) -> None:
    """Refuse a request that may write something; searches by POST are reads.

    :raises Unavailable: naming the primary.
    """
    if sent.method not in READING and not (sent.method == "POST" and sent.path.rstrip("/").endswith("/.search")):
        raise database.refusal()


def tell_age(database: Follower, response: Response) -> None:
    """Tell the age of the file in seconds in the header Perch-Age, once it is known."""
    age = database.age()
    if age is not None:
        response.headers[AGE] = f"{age:.1f}"


@root.get("/")
def show() -> Response:
    """Answer the page with the age and the primary."""
    age, primary = follower().age(), follower().primary
    link = f'Console and writes are at <a href="{escape(primary)}/console/">{escape(primary)}</a>, the primary.'
    told = (
        link if primary else "Console and writes are at the primary; set PERCH_PRIMARY_URL to its URL to see it here."
    )
    text = PAGE.format(age="unknown" if age is None else f"{age:.1f} s", primary=told)
    return Response(text, content_type="text/html; charset=utf-8")
