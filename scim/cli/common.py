"""What the commands share: the deployment, who signs the journal, JSON and tables, errors in one line."""

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

LOCAL_ORIGIN = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def origin() -> str:
    """Return the origin that clients use; without PERCH_PUBLIC_URL a command can only guess it."""
    return perch().origin(LOCAL_ORIGIN)


def author() -> Author:
    """Return who signs the journal for a command: the operating system's user."""
    return Author(f"command:{_os_user()}", secrets.token_hex(8))


def _os_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user often has a number only.
        return str(os.getuid())


def command(run: Callable[P, T]) -> Callable[P, T]:
    """Run a command on the deployment; what goes wrong is one clear line on standard error."""

    @wraps(run)
    def in_one_line(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return run(*args, **kwargs)
        except ScimError as error:
            raise click.ClickException(error.detail) from None

    return with_appcontext(in_one_line)


def print_json(document: Any) -> None:
    """Print a document as the only thing on standard output."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under heads, each column as wide as its longest cell."""
    cells = [[str("" if cell is None else cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
