"""`flask init`, `flask workspace` and `flask admin-password`."""

import os

import click

from scim.cli.common import command, json_option, origin, print_json
from scim.service import passwords
from scim.service.keys import make_key
from scim.web.requests import perch
from storage import keys


@click.command("init")
@command
def init() -> None:
    """Create the file if there is none; print the URLs, and the first secrets once."""
    deployment = perch()
    deployment.open()
    lines = [("Base URL", base_url()), ("Console", f"{origin()}/console/")]
    with deployment.database.write() as connection:
        if not deployment.settings["PERCH_ADMIN_PASSWORD"] and not passwords.is_set(connection):
            lines.append(("Console password", passwords.make(connection)))
        if not keys.list_all(connection):
            key, text = make_key("First Okta key", "okta", "provision", None, None)
            keys.insert(connection, key)
            lines.append(("Okta access key", text))
    for name, value in lines:
        click.echo(f"{name + ':':<18}{value}")
    if len(lines) > 2:
        click.echo("The password and the key are shown this once; keep them.")


@click.command("workspace")
@json_option
@command
def show_workspace(as_json: bool) -> None:
    """Show the workspace's id, the path of its base URL and its file."""
    found = {"id": perch().workspace, "scimPath": perch().base_path, "database": os.path.abspath(perch().database.path)}
    if as_json:
        print_json(found)
    else:
        for name, value in found.items():
            click.echo(f"{name + ':':<10}{value}")


@click.command("admin-password")
@command
def admin_password() -> None:
    """Set a new console password and print it once."""
    with perch().database.write() as connection:
        click.echo(passwords.make(connection))
    if perch().settings["PERCH_ADMIN_PASSWORD"]:
        click.echo("PERCH_ADMIN_PASSWORD is set and wins over it.", err=True)


def base_url() -> str:
    """Return the base URL; without PERCH_PUBLIC_URL a command can only guess its origin."""
    return origin() + perch().base_path
