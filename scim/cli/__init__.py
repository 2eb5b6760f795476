"""The `flask` commands for operators; the server may run or be stopped."""

from importlib import import_module

from click import Command, Context
from flask import Flask
from flask.cli import AppGroup

# Each command with its module and its name there.
COMMANDS = {
    "init": "deployment.init", "workspace": "deployment.show_workspace", "admin-password": "deployment.admin_password",
    "migrate": "migrate.migrate", "apply": "apply.apply", "export": "apply.export", "backup": "backup.create",
    "restore": "backup.restore", "settings": "settings.settings", "doctor": "doctor.examine",
    "version": "version.version",
    "keys": "keys.group", "roles": "roles.group", "attributes": "attributes.group",
    "journal": "journal.show", "forget": "forget.forget",
    "fuse": "fuse.group", "applications": "applications.group",
    "receipts": "receipts.group", "events": "events.group", "webhooks": "webhooks.group", "deliver": "deliver.deliver",
    "follow": "follow.follow", "drill": "drill.drill",
    "traffic": "traffic.group", "quirks": "quirks.show", "faults": "faults.group", "okta": "okta.group",
    "entra": "entra.group",
    "profile": "profile.group",
}  # fmt: skip


class Commands(AppGroup):
    """Imports the module of a command only when the command is used, so that workers import none (click: LazyGroup)."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return the names of all commands."""
        return sorted({*super().list_commands(ctx), *COMMANDS})

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        """Return the command with that name, or None."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, name = COMMANDS[cmd_name].partition(".")
        command: Command = getattr(import_module(f"{__name__}.{module}"), name)
        return command


def register(app: Flask) -> None:
    """Register the commands with the application."""
    app.cli = Commands(app.name)
