"""The `flask` commands: an operator's way to a deployment, with or without a running server."""

from flask import Flask

from scim.commands import deployment, fuse, journal, keys, roles


def register(app: Flask) -> None:
    """Give the application its commands."""
    for command in (*deployment.COMMANDS, keys.group, roles.group, fuse.group, journal.COMMAND):
        app.cli.add_command(command)
