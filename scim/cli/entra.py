"""`flask entra`: sends the requests of Microsoft Entra ID and of Microsoft's tests to this deployment or by URL."""

from typing import Any

from scim.cli.common import Group
from scim.cli.players import oauth_options, output_options, play, server_options
from scim.cli.sync import run_sync, sync_options
from scim.emulator.checks import ENTRA_STEPS
from scim.emulator.dialects import ENTRA

group = Group("entra", help="Microsoft Entra ID on a laptop: test and sync. For Perch or any SCIM server.")


@group.command("test")
@oauth_options
@server_options
@output_options
def test(**options: Any) -> None:
    """Run the tests of Entra's gallery and SCIM Validator. Exit 1 if one fails.

    The run creates test users and groups with unique names and deletes them at the end. Without --url it does so
    in this deployment.
    """
    play(ENTRA_STEPS, ENTRA, **options)


@group.command("sync")
@sync_options
def sync(**options: Any) -> None:
    """Provision an organisation as Entra would. A later run sends only the changes.

    The server's ids are stored in ORG.entra-state.jsonl beside ORG.json, unless --state names another file.
    """
    run_sync(dialect=ENTRA, **options)
