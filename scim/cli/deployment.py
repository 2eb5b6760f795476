"""`flask init`, `flask workspace` and `flask admin-password`."""

import os

import click

from scim.cli.common import Command, author, command_without_database, echo, json_option, print_json
from scim.service import keys as key_service
from scim.service import passwords
from scim.web.addresses import origin_is_public
from scim.web.requests import base_url, origin, perch
from storage import keys


@click.command("init", cls=Command)
@command_without_database
def init() -> None:
    """Create the database if it does not exist. Print the URLs, and the first password and key once."""
    deployment = perch()
    deployment.open()
    lines = [("Base URL", base_url()), ("Console", f"{origin()}/console/")]
    with deployment.repository.writing(author()) as write:
        if not deployment.settings["PERCH_ADMIN_PASSWORD"] and not passwords.is_set(write.connection):
            lines.append(("Console password", passwords.make(write)))
        if not keys.list_all(write.connection):
            key, text = key_service.make_key("First Okta key", "okta", "provision", None, None)
            key_service.add(write, key)
            lines.append(("Okta access key", text))
    for name, value in lines:
        echo(f"{name + ':':<18}{value}")
    if len(lines) > 2:
        echo("Copy the password and the key now; they are not shown again.")
    if not origin_is_public(origin()):
        echo(
            f"Okta cannot reach {origin()}: it needs a public https address. Set PERCH_PUBLIC_URL to yours; "
            "docs/operate.md says how a laptop gets one. Without Okta: flask okta test.",
            err=True,
        )


@click.command("workspace", cls=Command)
@json_option
def show_workspace(as_json: bool) -> None:
    """Show the workspace's id, base path and database file."""
    found = {"id": perch().workspace, "scimPath": perch().base_path, "database": os.path.abspath(perch().database.path)}
    if as_json:
        print_json(found)
    else:
        for name, value in found.items():
            echo(f"{name + ':':<10}{value}")


@click.command("admin-password", cls=Command)
def admin_password() -> None:
    """Set a new random console password and print it once."""
    with perch().repository.writing(author()) as write:
        password = passwords.make(write)
    echo(password)
    if perch().settings["PERCH_ADMIN_PASSWORD"]:
        echo("PERCH_ADMIN_PASSWORD is set and takes precedence; unset it to use the new password.", err=True)
