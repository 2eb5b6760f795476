"""`flask okta`: sends the requests of Okta to this deployment or to any SCIM server by URL."""

import json
from pathlib import Path
from typing import Any

import click

from scim.cli.common import Group, command_without_database, echo, has_database, json_option, print_json, print_table
from scim.cli.players import Connect, output_options, play, server_options
from scim.cli.sync import run_sync, show_left_out, sync_options
from scim.emulator.checks import STEPS
from scim.emulator.dialects import CUSTOM, OKTA_APPS
from scim.emulator.flows import Flows, ProvisioningError
from scim.emulator.import_preview import import_preview
from scim.emulator.organisation import read_organisation
from scim.emulator.retries import RetryingClient
from scim.emulator.sample import sample_organisation
from scim.web.requests import perch
from storage import roles

group = Group("okta", help="Okta on a laptop: test, sync, import and sample. For Perch or any SCIM server.")
app_option = click.option(
    "--app", "dialect", type=click.Choice(OKTA_APPS), default=CUSTOM, show_default=True,
    help="Kind of app: custom apps update by PUT, OIN apps by PATCH.",
)  # fmt: skip


@group.command("test")
@server_options
@app_option
@click.option("--role", "roles", multiple=True, metavar="SLUG", help="Role to assign; default: the first of /Roles.")
@output_options
def test(**options: Any) -> None:
    """Run Okta's connector test, test suite and flows. Exit 1 if one fails.

    The run creates test users and groups with unique names and deletes them at the end. Without --url it does so
    in this deployment.
    """
    play(STEPS, **options)


@group.command("sync")
@sync_options
@app_option
def sync(**options: Any) -> None:
    """Provision an organisation as Okta would. A later run sends only the changes.

    The server's ids are stored in ORG.okta-state.jsonl beside ORG.json, unless --state names another file.
    """
    run_sync(**options)


@group.command("import")
@server_options
@json_option
@click.option("--save", metavar="FILE", type=click.Path(dir_okay=False), help="Write the JSON document to FILE.")
def import_(connect: Connect, base: str, as_json: bool, save: str | None) -> None:
    """Show the users and groups that Okta would import. It reads pages of 100."""
    with connect(CUSTOM) as client:
        retrying = RetryingClient(client, notify=lambda message: echo(message, err=True))
        try:
            found = {"base": base, **import_preview(Flows(retrying))}
        except ProvisioningError as error:
            raise click.ClickException(str(error)) from None
    if save:
        Path(save).write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json(found)
    elif not save:
        _show_import(found)
    counted = f"{len(found['users'])} users, {len(found['groups'])} groups, {len(found['problems'])} problems"
    echo(counted + (f", saved to {save}" if save else ""), err=True)


def _show_import(found: dict[str, Any]) -> None:
    names = ("userName", "firstName", "lastName", "email", "active", "roles", "problem")
    shown = [{**user, "roles": ", ".join(map(_role_name, user["roles"]))} for user in found["users"]]
    print_table([name.upper() for name in names], [[user[name] for name in names] for user in shown])
    echo()
    print_table(("GROUP", "MEMBERS"), [(group_["name"], len(group_["members"])) for group_ in found["groups"]])


def _role_name(role: Any) -> str:
    return str(role.get("value") if isinstance(role, dict) else role)


@group.command("sample")
@click.argument("people", type=click.IntRange(min=1))
@click.option("--groups", type=click.IntRange(min=0), help="Number of groups; default: one for 40 people.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same organisation.")
@click.option("--role", "roles_", multiple=True, metavar="SLUG", help="Role to assign; default: all of the catalogue.")
@command_without_database
def sample(people: int, groups: int | None, seed: int, roles_: tuple[str, ...]) -> None:
    """Print a realistic organisation of PEOPLE people. It is for sync: flask okta sample 200 > org.json"""
    if not roles_ and has_database():
        with perch().database.read() as connection:
            roles_ = tuple(role.slug for role in roles.catalogue(connection))
    document = sample_organisation(people, groups, seed, roles_)
    print_json(document)
    show_left_out(read_organisation(document))
