"""Tables by sqlite-utils, for those that are seldom written; statements of their own serve the others."""

from collections.abc import Mapping
from dataclasses import fields
from sqlite3 import Connection

from sqlite_utils import Database as SqliteUtils
from sqlite_utils.db import Table


def utilities(connection: Connection) -> SqliteUtils:
    """Return sqlite-utils' view of a connection."""
    return SqliteUtils(connection, recursive_triggers=False, execute_plugins=False)


def table(connection: Connection, name: str) -> Table:
    """Return sqlite-utils' view of a table."""
    return utilities(connection).table(name)


def columns(shape: type, alias: str = "") -> str:
    """Return the columns that the fields of a dataclass name, for a SELECT; of a table by its `alias`, if any."""
    return ", ".join(f'{alias and f"{alias}."}"{field.name}"' for field in fields(shape))


def update(connection: Connection, name: str, identifier: str, values: Mapping[str, object]) -> None:
    """Set columns of the row with an id, if there is one."""
    assigned = ", ".join(f'"{column}" = ?' for column in values)
    connection.execute(f"UPDATE {name} SET {assigned} WHERE id = ?", [*values.values(), identifier])
