"""Shared by the commands: the author of journal entries, errors on one line, JSON and tables."""

import getpass
import json
import os
import secrets
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
from flask.cli import with_appcontext

from schemas.errors import ScimError
from scim.web.requests import perch
from storage.journal import Author

P = ParamSpec("P")
T = TypeVar("T")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def author() -> Author:
    """Return the author of a command's journal entries: the user of the operating system."""
    return Author(f"command:{_os_user()}", secrets.token_hex(8))


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # The user of a container often has only a number.
        return str(os.getuid())


def command(run: Callable[P, T]) -> Callable[P, T]:
    """Make a command that needs the database: without one it fails, and creates none."""

    @wraps(run)
    def run_with_database(*args: P.args, **kwargs: P.kwargs) -> T:
        perch().database.open(may_create=False)
        return run(*args, **kwargs)

    return command_without_database(run_with_database)


def has_database() -> bool:
    """Tell whether there is a database that can be read now; for commands that can do without."""
    try:
        perch().database.open(may_create=False, may_migrate=False, wait=1.0)
    except ScimError:
        return False
    return True


def command_without_database(run: Callable[P, T]) -> Callable[P, T]:
    """Give a command the application context, and print a ScimError as one line on standard error."""

    @wraps(run)
    def run_with_context(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return run(*args, **kwargs)
        except ScimError as error:
            raise click.ClickException(error.detail) from None

    return with_appcontext(run_with_context)


def print_json(document: Any) -> None:
    """Print a JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def print_list(as_json: bool, documents: Sequence[Any], heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a list: `documents` as JSON if asked for, else `rows` as a table."""
    if as_json:
        print_json(documents)
    else:
        print_table(heads, rows)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, each column as wide as its longest cell."""
    cells = [[str("" if cell is None else cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
