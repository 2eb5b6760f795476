"""`flask fuse`: the state of the safety fuse, and its release."""

import time
from typing import Any

import click

from schemas.datetimes import from_seconds
from scim.cli.common import Group, author, echo, json_option, print_json
from scim.service import fuse
from scim.settings import Settings
from scim.web.requests import perch
from storage.fuse import FuseState

group = Group("fuse", help="The safety fuse, which stops mass deactivation. A person releases it.")

STATES = {
    "off": "The fuse is off (PERCH_FUSE).",
    "ready": "The fuse is ready; Perch refuses nothing because of it.",
    "blown": "The fuse is blown: Perch refuses deactivations and deletions. Release it with `flask fuse release`.",
    "released": "The fuse is released: Perch accepts all deactivations and deletions until {releasedUntil}.",
}


@group.command("status")
@json_option
def status(as_json: bool) -> None:
    """Show the state of the fuse, and how many users were lost lately."""
    settings = perch().settings
    with perch().database.read() as connection:
        found = described(settings, fuse.read(connection, settings))
    if as_json:
        print_json(found)
        return
    echo(STATES[found["state"]].format(**found))
    echo(
        f"In the last {found['minutes']} minutes {found['lost']} users were deactivated or deleted; at most "
        f"{found['active']} were active. The limit is {found['limit']}."
    )
    if found["state"] == "ready" and found["lost"] + 1 >= found["limit"]:
        echo("The next deactivation or deletion by a provider blows the fuse, unless some minutes pass first.")
    if found["blown"]:
        echo("It blew at {at}, at {lost} of {active}.".format(**found["blown"]))
        echo(f"Deactivations and deletions refused since: {sum(found['blown'].get('refused', {}).values())}.")


@group.command("release")
@click.option("--minutes", type=click.IntRange(1, 1440), default=10, show_default=True, help="Duration.")
def release(minutes: int) -> None:
    """Accept all deactivations and deletions for minutes. Afterwards the fuse counts from 0."""
    until = fuse.release(perch().repository, author(), minutes)
    echo(f"Perch accepts all deactivations and deletions until {until}.")


def described(settings: Settings, found: FuseState) -> dict[str, Any]:
    """Return the state of the fuse as a JSON document."""
    released = found.released_until > time.time()
    return {
        "state": fuse.state_of(settings, found), "lost": found.lost, "active": found.active,
        "limit": fuse.limit(settings, found.active), "minutes": settings["PERCH_FUSE_MINUTES"], "blown": found.blown,
        "releasedUntil": f"{from_seconds(found.released_until)}Z" if released else None,
    }  # fmt: skip
