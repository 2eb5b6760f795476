"""Rows as objects, and sqlite-utils' view of the tables that are seldom written."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from sqlite3 import Connection
from typing import Any, TypeVar

from sqlite_utils import Database as SqliteUtils
from sqlite_utils.db import Table

Shape = TypeVar("Shape")


def utilities(connection: Connection) -> SqliteUtils:
    """Return sqlite-utils' view of a connection."""
    return SqliteUtils(connection, recursive_triggers=False, execute_plugins=False)


def table(connection: Connection, name: str) -> Table:
    """Return sqlite-utils' view of a table."""
    return utilities(connection).table(name)


@cache
def columns(shape: Any, alias: str = "") -> str:
    """Return the columns that the fields of a dataclass or named tuple name; of a table by its `alias`, if any."""
    names = getattr(shape, "_fields", None) or [field.name for field in fields(shape)]
    prefix = f"{alias}." if alias else ""
    return ", ".join(f'{prefix}"{name}"' for name in names)


def fetch(connection: Connection, shape: Callable[..., Shape], rest: str, *values: Any) -> Shape | None:
    """Return the first row of a SELECT, None if there is none; `rest` follows the columns: `FROM keys WHERE id = ?`."""
    row = connection.execute(f"SELECT {columns(shape)} {rest}", values).fetchone()
    return shape(*row) if row else None


def fetch_all(connection: Connection, shape: Callable[..., Shape], rest: str, *values: Any) -> list[Shape]:
    """Return all rows of a SELECT; `rest` follows the columns."""
    return [shape(*row) for row in connection.execute(f"SELECT {columns(shape)} {rest}", values)]


def first_value(connection: Connection, sql: str, *values: Any) -> Any:
    """Return the first column of a SELECT's first row, None if there is none."""
    row = connection.execute(sql, values).fetchone()
    return row[0] if row else None


def update(connection: Connection, name: str, identifier: str, values: Mapping[str, object]) -> None:
    """Set columns of the row with an id, if there is one."""
    assigned = ", ".join(f'"{column}" = ?' for column in values)
    connection.execute(f"UPDATE {name} SET {assigned} WHERE id = ?", [*values.values(), identifier])
