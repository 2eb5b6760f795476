"""`flask migrate`: apply pending migrations by hand, or tell whether there are any."""

from dataclasses import asdict

import click

from scim.cli.common import Command, command_without_database, echo, json_option, print_json
from scim.cli.progress import Progress
from scim.web.requests import perch
from storage.database import Database
from storage.errors import OutdatedFile

PENDING = 3


@click.command("migrate", cls=Command)
@click.option("--check", is_flag=True, help="Change nothing; exit 3 if migrations are pending.")
@json_option
@command_without_database
def migrate(check: bool, as_json: bool) -> None:
    """Bring the database to the schema of this version. The first start would do so; wait for a process that does."""
    database = perch().database
    database.primary_only()
    if check:
        _check(database, as_json)
        return
    with Progress() as progress, database.stepping(progress.go_on):
        applied = database.open(
            may_create=False, on_migration=lambda name, done, total: progress(f"{name} ({done + 1} of {total})", 0, 0)
        )
    if as_json:
        print_json({"applied": [asdict(each) for each in applied], "pending": []})
        return
    for each in applied:
        echo(f"{each.name}: {each.seconds:.1f} s")
    seconds = sum(each.seconds for each in applied)
    done = f"{len(applied)} migrations applied in {seconds:.1f} s" if applied else "nothing to do"
    echo(f"{database.path}: {done}; the schema is current.")


def _check(database: Database, as_json: bool) -> None:
    pending: list[str] = []
    try:
        database.open(may_create=False, may_migrate=False)
    except OutdatedFile as error:
        pending = error.pending
    named = f"{len(pending)} migrations are pending: {', '.join(pending)}."
    if as_json:
        print_json({"applied": [], "pending": pending})
    else:
        echo(f"{database.path}: {named if pending else 'nothing to do; the schema is current.'}")
    if pending:
        raise click.exceptions.Exit(PENDING)
