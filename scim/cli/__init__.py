"""The `flask` commands: an operator's way to a deployment, with or without a running server."""

from flask import Flask

from scim.cli import (
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

COMMANDS = (
    *deployment.COMMANDS,
    *backup.COMMANDS,
    keys.group,
    roles.group,
    journal.COMMAND,
    forget.COMMAND,
    fuse.group,
    events.COMMAND,
    webhooks.group,
    deliver.COMMAND,
    settings.COMMAND,
    doctor.COMMAND,
    traffic.group,
    quirks.COMMAND,
    faults.group,
    okta.group,
)


def register(app: Flask) -> None:
    """Give the application its commands."""
    for command in COMMANDS:
        app.cli.add_command(command)
