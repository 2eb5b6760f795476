"""`flask roles`: the catalogue, manual assignments to users and groups, and the reasons for a user's roles."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import click

from schemas.datetimes import to_json
from scim.cli.common import Group, author, command, echo, json_option, print_list
from scim.service import roles as role_service
from scim.service.login_reasons import timeline
from scim.web.requests import perch
from storage import roles
from storage.resources import ResourceRow

group = Group("roles", help="The catalogue of roles, and their assignments.")


def holder_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a user or a group."""
    run = click.option("--group", "group_name", metavar="DISPLAYNAME", help="This group, for all its members.")(run)
    return click.option("--user", metavar="USERNAME", help="This person.")(run)


@group.command("add")
@click.argument("slug")
@click.argument("name")
@click.option("--description", metavar="TEXT")
@command
def add(slug: str, name: str, description: str | None) -> None:
    """Add a role to the catalogue."""
    role = role_service.add(perch().repository, author(), slug, name, description)
    echo(f"{role.slug}: {role.name}")


@group.command("list")
@json_option
@command
def show(as_json: bool) -> None:
    """List the catalogue."""
    with perch().database.read() as connection:
        found = roles.catalogue(connection)
    documents = [{"slug": role.slug, "name": role.name, "description": role.description} for role in found]
    print_list(as_json, documents, ("SLUG", "NAME", "DESCRIPTION"), [list(each.values()) for each in documents])


@group.command("edit")
@click.argument("slug")
@click.option("--name")
@click.option("--description", metavar="TEXT", help='New description; "" removes it.')
@command
def edit(slug: str, name: str | None, description: str | None) -> None:
    """Change a role's name or description; its slug and its assignments stay."""
    if name is None and description is None:
        raise click.UsageError("Nothing to change; give --name or --description.")
    role = role_service.edit(perch().repository, author(), slug, name, description)
    echo(f"{role.slug}: {role.name}")


@group.command("remove")
@click.argument("slug")
@click.option("--force", is_flag=True, help="Withdraw the role from everybody who has it.")
@command
def remove(slug: str, force: bool) -> None:
    """Remove a role from the catalogue."""
    with perch().repository.writing(author()) as write:
        write.remove_role(slug, force=force)
    echo(f"{slug}: removed.")


@group.command("assign")
@holder_options
@click.argument("slug")
@command
def assign(user: str | None, group_name: str | None, slug: str) -> None:
    """Assign a role manually to a person, or to a group for all its members."""
    row = _holder(user, group_name)
    with perch().repository.writing(author()) as write:
        done = write.assign(row, slug)
    echo(f"{row.name}: {slug} {'assigned' if done else 'was already assigned'}.")


@group.command("unassign")
@holder_options
@click.argument("slug")
@command
def unassign(user: str | None, group_name: str | None, slug: str) -> None:
    """Withdraw a role that was assigned manually."""
    row = _holder(user, group_name)
    with perch().repository.writing(author()) as write:
        done = write.unassign(row, slug)
    echo(f"{row.name}: {slug} {'withdrawn' if done else 'was not assigned manually'}.")


@group.command("explain")
@click.argument("username")
@json_option
@command
def explain(username: str, as_json: bool) -> None:
    """Show why a person may log in or not, and the effective roles with every reason for each."""
    user = role_service.find(perch().repository, "User", username)
    reasons = role_service.explain(perch().repository, user)
    if not as_json:
        with perch().database.read() as connection:
            why = timeline(connection, user).why
        echo(f"{user.name}{':' if user.active and reasons else ' may not log in.'} {why.sentence if why else ''}")
    documents = [{**asdict(reason), "since": to_json(reason.since)} for reason in reasons]
    rows = [(r.role, r.name, r.source, to_json(r.since), r.by, " < ".join(r.path)) for r in reasons]
    print_list(as_json, documents, ("ROLE", "NAME", "WHY", "SINCE", "BY", "THROUGH"), rows)


def _holder(user: str | None, group_name: str | None) -> ResourceRow:
    if (user is None) == (group_name is None):
        raise click.UsageError("Give either --user USERNAME or --group DISPLAYNAME.")
    kind, name = ("User", user) if user is not None else ("Group", group_name)
    return role_service.find(perch().repository, kind, name or "")
