"""The `flask` commands: an operator's way to a deployment, with or without a running server."""

from flask import Flask

from scim.commands import (
    backup,
    deliver,
    deployment,
    doctor,
    events,
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
    webhooks,
)

KEEPING = (journal.COMMAND, forget.COMMAND, fuse.group)
TELLING = (events.COMMAND, webhooks.group, deliver.COMMAND)
LOOKING = (settings.COMMAND, doctor.COMMAND)
WATCHING = (traffic.group, quirks.COMMAND, faults.group, okta.group)


def register(app: Flask) -> None:
    """Give the application its commands."""
    handling = (*deployment.COMMANDS, *backup.COMMANDS, keys.group, roles.group)
    for command in (*handling, *KEEPING, *TELLING, *LOOKING, *WATCHING):
        app.cli.add_command(command)
