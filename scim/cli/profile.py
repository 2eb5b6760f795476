"""`flask profile`: checks the clauses of a published profile of SCIM in this deployment or by URL."""

from typing import Any

import click

from scim.cli.common import Group
from scim.cli.players import oauth_options, output_options, play, server_options
from scim.emulator.checks import PROFILES
from scim.emulator.dialects import RFC

group = Group("profile", help="Profiles of SCIM on a laptop: interop and IPSIE. For Perch or any SCIM server.")


@group.command("test")
@click.argument("profile", metavar="PROFILE", type=click.Choice(list(PROFILES)))
@oauth_options
@server_options
@output_options
def test(profile: str, **options: Any) -> None:
    """Check each clause of a profile as seen from outside. Exit 1 if a MUST fails.

    A SHOULD that is not kept is a warning; a clause that nobody can see from outside is not judged. The run creates
    test users and groups with unique names and deletes them at the end.
    """
    play(PROFILES[profile], RFC, title=f"{profile} profile", **options)
