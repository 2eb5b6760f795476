"""Shared by the commands: the author of journal entries, and the one door for all that they print."""

import getpass
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click
from flask.cli import with_appcontext

from schemas.datetimes import now
from schemas.errors import ScimError
from scim.observability.printable import json_text, printable
from scim.web.requests import perch
from storage.journal import Author

P = ParamSpec("P")
T = TypeVar("T")

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def author() -> Author:
    """Return the author of a command's journal entries: the user of the operating system."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # The user of a container often has only a number.
        user = str(os.getuid())
    return Author(f"command:{user}", secrets.token_hex(8), now())


class Mistakes(click.ClickException):
    """An error of several lines."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@contextmanager
def printable_errors() -> Iterator[None]:
    """Make a ScimError one of click, and the message of an error printable; only Mistakes have more than one line."""
    try:
        yield
    except ScimError as error:
        raise Mistakes(printable(error.detail)) from None
    except OSError as error:
        # A file that the command was given; the reader of a pipe that went away has no name, and is click's.
        if error.filename is None:
            raise
        text = f"{error.filename}: {error.strerror}; correct the path, or let this user read and write there."
        raise Mistakes(printable(text)) from None
    except click.UsageError as error:
        # Recent versions of click raise the help of a group without a command.
        if error.ctx is not None and error.message == error.ctx.get_help():
            raise
        raise click.UsageError(printable(error.format_message()), error.ctx) from None
    except click.ClickException as error:
        lines = error.lines if isinstance(error, Mistakes) else (error.format_message(),)
        raise Mistakes(*map(printable, lines)) from None


class Command(click.Command):
    """A command in the application's context, with its database open; its errors, of usage too, are printable."""

    def __init__(self, name: str | None, callback: Callable[..., Any] | None = None, **kwargs: Any) -> None:
        if callback is not None:
            callback = with_appcontext(_with_database(callback))
        super().__init__(name, callback=callback, **kwargs)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the arguments."""
        with printable_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with printable_errors():
            return super().invoke(ctx)


class Group(Command, click.Group):
    """A group of such commands."""

    command_class = Command


def command_without_database(run: Callable[P, T]) -> Callable[P, T]:
    """Mark the function of a command that opens or creates the database by itself, or needs none."""
    run.needs_database = False  # type: ignore[attr-defined]
    return run


def _with_database(run: Callable[P, T]) -> Callable[P, T]:
    @wraps(run)
    def run_with_database(*args: P.args, **kwargs: P.kwargs) -> T:
        if getattr(run, "needs_database", True):
            perch().database.open(may_create=False)
        return run(*args, **kwargs)

    return run_with_database


def has_database() -> bool:
    """Tell whether there is a database that can be read now; for commands that can do without."""
    try:
        perch().database.open(may_create=False, may_migrate=False, wait=1.0)
    except ScimError:
        return False
    return True


def echo(*lines: str, err: bool = False) -> None:
    """Print lines, each made printable, so that a value can neither begin a line of its own nor steer the terminal."""
    for line in lines or ("",):
        click.echo(printable(line), err=err)


def print_json(document: Any, indent: int | None = 2) -> None:
    """Print a JSON document."""
    click.echo(json_text(document, indent))


def print_list(
    as_json: bool, documents: Sequence[Any], heads: Sequence[str], rows: Sequence[Sequence[object]] | None = None
) -> None:
    """Print a list: `documents` as JSON if asked for, else `rows`, by default the documents' values, as a table."""
    if as_json:
        print_json(documents)
    else:
        print_table(heads, [list(each.values()) for each in documents] if rows is None else rows)


def print_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, each column as wide as its longest cell."""
    cells = [[printable("" if cell is None else str(cell)) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
