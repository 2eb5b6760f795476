"""The `flask` commands: an operator's way to a deployment, with or without a running server."""

from flask import Flask

from scim.commands import (
    backup,
    deployment,
    doctor,
    faults,
    forget,
    fuse,
    journal,
    keys,
    okta,
    quirks,
    roles,
    settings,
    traffic,
)

KEEPING = (journal.COMMAND, forget.COMMAND, fuse.group)
LOOKING = (settings.COMMAND, doctor.COMMAND)
WATCHING = (traffic.group, quirks.COMMAND, faults.group, okta.group)


def register(app: Flask) -> None:
    """Give the application its commands."""
    for command in (*deployment.COMMANDS, *backup.COMMANDS, keys.group, roles.group, *KEEPING, *LOOKING, *WATCHING):
        app.cli.add_command(command)
