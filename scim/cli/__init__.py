"""The `flask` commands: an operator's way to a deployment, with or without a running server."""

from importlib import import_module

from click import Command, Context
from flask import Flask
from flask.cli import AppGroup

# Each command with the module and the name that it is defined under.
COMMANDS = {
    "init": "deployment.init", "workspace": "deployment.show_workspace", "admin-password": "deployment.admin_password",
    "backup": "backup.backup", "restore": "backup.restore", "settings": "settings.settings", "doctor": "doctor.examine",
    "keys": "keys.group", "roles": "roles.group", "journal": "journal.show", "forget": "forget.forget",
    "fuse": "fuse.group", "events": "events.events", "webhooks": "webhooks.group", "deliver": "deliver.deliver",
    "traffic": "traffic.group", "quirks": "quirks.show", "faults": "faults.group", "okta": "okta.group",
}  # fmt: skip


class Commands(AppGroup):
    """Imports a command's module when the command is asked for, so that a worker loads none (click: LazyGroup)."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Return the command of a name, None where there is none."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = COMMANDS[cmd_name].partition(".")
        command: Command = getattr(import_module(f"{__name__}.{module}"), name)
        return command


def register(app: Flask) -> None:
    """Give the application its commands."""
    app.cli = Commands(app.name)
