"""`flask roles`: the catalogue, manual assignments to users and groups, and the reasons for a user's roles."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NoReturn

import click

from schemas.datetimes import to_json
from scim.cli.common import Group, author, echo, json_option, print_list
from scim.cli.plans import dry_run_options, end_dry_run, print_plan
from scim.service import plan, workspace_file
from scim.service import roles as role_service
from scim.service.login_reasons import timeline
from scim.service.plan import PlannedChange
from scim.web.requests import perch
from storage import roles
from storage.planned_roles import RoleChange
from storage.resources import ResourceRow

group = Group("roles", help="The catalogue of roles, and their assignments.")
granted_by_option = click.option(
    "--granted-by", type=click.Choice((roles.ANY, roles.SCIM, roles.HAND)),
    help="Who may give it: any; scim: the provider, and groups; hand: people in Perch, and no group.",
)  # fmt: skip


def holder_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name a user or a group."""
    run = click.option("--group", "group_name", metavar="DISPLAYNAME", help="This group, for all its members.")(run)
    return click.option("--user", metavar="USERNAME", help="This person.")(run)


@group.command("add")
@click.argument("slug")
@click.argument("name")
@click.option("--description", metavar="TEXT")
@granted_by_option
def add(slug: str, name: str, description: str | None, granted_by: str | None) -> None:
    """Add a role to the catalogue."""
    role = role_service.add(perch().repository, author(), slug, name, description, granted_by or roles.ANY)
    echo(f"{role.slug}: {role.name}")


@group.command("list")
@json_option
def show(as_json: bool) -> None:
    """List the catalogue."""
    with perch().database.read() as connection:
        found = roles.catalogue(connection)
    documents = [
        {"slug": role.slug, "name": role.name, "description": role.description, "grantedBy": role.grantedBy}
        for role in found
    ]
    print_list(as_json, documents, ("SLUG", "NAME", "DESCRIPTION", "GRANTED BY"))


@group.command("edit")
@click.argument("slug")
@click.option("--name")
@click.option("--description", metavar="TEXT", help='New description; "" removes it.')
@granted_by_option
def edit(slug: str, name: str | None, description: str | None, granted_by: str | None) -> None:
    """Change a role's name, description or who gives it. Its slug and its assignments stay."""
    if name is None and description is None and granted_by is None:
        raise click.UsageError("Nothing to change; give --name, --description or --granted-by.")
    role = role_service.edit(perch().repository, author(), slug, name, description, granted_by)
    echo(f"{role.slug}: {role.name}")


@group.command("remove")
@click.argument("slug")
@click.option("--force", is_flag=True, help="Withdraw the role from everybody who has it, and from rules.")
@dry_run_options
def remove(slug: str, force: bool, dry_run: bool, as_json: bool) -> None:
    """Remove a role from the catalogue."""
    if dry_run:
        with perch().database.read() as connection:
            role = roles.get(connection, slug)
            effect = plan.of_changes(connection, [], [role.slug])
            of_rules = workspace_file.rules_without(connection, role.slug)
        change = PlannedChange("role", "remove", role.slug, workspace_file.role_table(role), None)
        print_plan([change, *of_rules], effect, as_json)
        end_dry_run([change])
    with perch().repository.writing(author()) as write:
        write.remove_role(slug, force=force)
    echo(f"{slug}: removed.")


@group.command("assign")
@holder_options
@click.argument("slug")
@dry_run_options
def assign(**options: Any) -> None:
    """Assign a role by hand to a person or a group. All members of the group have it."""
    _change(True, **options)


@group.command("unassign")
@holder_options
@click.argument("slug")
@dry_run_options
def unassign(**options: Any) -> None:
    """Withdraw a role that was assigned manually."""
    _change(False, **options)


def _change(assigned: bool, user: str | None, group_name: str | None, slug: str, dry_run: bool, as_json: bool) -> None:
    if (user is None) == (group_name is None):
        raise click.UsageError("Give either --user USERNAME or --group DISPLAYNAME.")
    kind, name = ("Group", group_name) if user is None else ("User", user)
    row = role_service.find(perch().repository, kind, name or "")
    if dry_run:
        _plan(row, slug, assigned, as_json)
    with perch().repository.writing(author()) as write:
        done = write.assign(row, slug) if assigned else write.unassign(row, slug)
    words = ("assigned", "was already assigned") if assigned else ("withdrawn", "was not assigned manually")
    echo(f"{row.name}: {slug} {words[0] if done else words[1]}.")


def _plan(row: ResourceRow, slug: str, assigned: bool, as_json: bool) -> NoReturn:
    source = roles.MANUAL if row.type == "User" else roles.GROUP
    with perch().database.read() as connection:
        role = roles.assignable(connection, slug, source) if assigned else roles.get(connection, slug)
        given = roles.assigned(connection, [row.seq]).get(row.seq, ())
        held = any((each.role, each.source, each.rule) == (role.slug, source, None) for each in given)
        changed = [RoleChange(row.seq, source, role.slug, assigned)] if held != assigned else []
        effect = plan.of_changes(connection, changed)
    table = {row.type.lower(): row.name, "role": role.slug}
    tables = (None, table) if assigned else (table, None)
    action = "add" if assigned else "remove"
    changes = [PlannedChange("assignment", action, row.name, *tables) for _ in changed]
    print_plan(changes, effect, as_json)
    end_dry_run(changes)


@group.command("explain")
@click.argument("username")
@json_option
def explain(username: str, as_json: bool) -> None:
    """Show why a person may log in or not. Each effective role has all its reasons."""
    user = role_service.find(perch().repository, "User", username)
    reasons = role_service.explain(perch().repository, user)
    if not as_json:
        with perch().database.read() as connection:
            why = timeline(connection, user).why
        echo(f"{user.name}{':' if user.active and reasons else ' may not log in.'} {why.sentence if why else ''}")
    documents = [{**asdict(reason), "since": to_json(reason.since)} for reason in reasons]
    rows = [(r.role, r.name, r.source, to_json(r.since), r.by, " < ".join(r.path), r.rule) for r in reasons]
    print_list(as_json, documents, ("ROLE", "NAME", "WHY", "SINCE", "BY", "THROUGH", "RULE"), rows)
