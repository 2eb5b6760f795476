"""`flask fuse`: whether mass deactivation is held, and how a person lets it through."""

import time
from typing import Any

import click
from flask.cli import AppGroup

from schemas.datetimes import from_seconds
from scim.cli.common import author, command, json_option, print_json
from scim.service import fuse
from scim.settings import Settings
from scim.web.requests import perch
from storage.fuse import FuseState

group = AppGroup("fuse", help="The safety fuse: it holds a provider that deactivates too many users at once.")

STATES = {
    "off": "The fuse is off (PERCH_FUSE).",
    "ready": "The fuse is ready: nothing is held.",
    "blown": "The fuse is blown: deactivations and deletions are held. `flask fuse release` lets them through.",
    "released": "The fuse is released: everything goes through until {releasedUntil}.",
}


@group.command("status")
@json_option
@command
def status(as_json: bool) -> None:
    """Show whether the fuse holds anything, and how near it is to blowing."""
    settings = perch().settings
    with perch().database.read() as connection:
        found = described(settings, fuse.read(connection, settings))
    if as_json:
        print_json(found)
        return
    click.echo(STATES[found["state"]].format(**found))
    click.echo(
        f"{found['lost']} of {found['active']} active users were deactivated or deleted in the last "
        f"{found['minutes']} minutes; it blows at {found['limit']}."
    )
    if found["blown"]:
        click.echo(f"It blew at {found['blown']['at']}, at {found['blown']['lost']} of {found['blown']['active']}.")


@group.command("release")
@click.option("--minutes", type=click.IntRange(1, 1440), default=10, show_default=True, help="How long.")
@command
def release(minutes: int) -> None:
    """Let deactivations and deletions through for some minutes, then count anew."""
    until = fuse.release(perch().repository, author(), minutes)
    click.echo(f"Everything goes through until {until}.")


def described(settings: Settings, found: FuseState) -> dict[str, Any]:
    """Return the state of the fuse as a document."""
    released = found.released_until > time.time()
    return {
        "state": fuse.state_of(settings, found),
        "lost": found.lost,
        "active": found.active,
        "limit": fuse.limit(settings, found.active),
        "minutes": settings["PERCH_FUSE_MINUTES"],
        "blown": found.blown,
        "releasedUntil": f"{from_seconds(found.released_until)}Z" if released else None,
    }
