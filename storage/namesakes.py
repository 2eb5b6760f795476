"""Pairs of names that only Unicode's spelling tells apart: the older resource has the name, the newer one waits for it.

Only migration m015_normalised makes such pairs, of names that earlier versions took for different ones.
"""

from sqlite3 import Connection
from typing import NamedTuple

# The column of the name by which a resource of a type is found; no two resources have the same in it.
NAME_COLUMNS = {"User": "userName", "Group": "displayName"}


class Namesakes(NamedTuple):
    """Two resources of one name: the older one, which look-ups find, and the newer one; names as they were sent."""

    type: str
    older: str
    older_id: str
    newer: str
    newer_id: str


def release(connection: Connection, type_name: str, seq: int, name: str) -> None:
    """Pass on a folded name that a resource no longer has to the oldest of those that wait for it, if there is one."""
    connection.execute("DELETE FROM namesakes WHERE resource = ?", (seq,))
    column = NAME_COLUMNS[type_name]
    heir = connection.execute(
        "SELECT resource FROM namesakes n WHERE type = ? AND name = ? AND NOT EXISTS "
        f"(SELECT 1 FROM resources r WHERE r.type = n.type AND r.{column} = n.name) ORDER BY resource LIMIT 1",
        (type_name, name),
    ).fetchone()
    if heir:
        connection.execute(f"UPDATE resources SET {column} = ? WHERE seq = ?", (name, *heir))
        connection.execute("DELETE FROM namesakes WHERE resource = ?", heir)


def list_all(connection: Connection) -> list[Namesakes]:
    """Return all pairs, users before groups, in the order in which the newer ones were created."""
    found = []
    for type_name, column in NAME_COLUMNS.items():
        sql = (
            f"SELECT n.type, older.document ->> '$.{column}', older.id, newer.document ->> '$.{column}', newer.id "
            "FROM namesakes n JOIN resources newer ON newer.seq = n.resource "
            f"JOIN resources older ON older.type = n.type AND older.{column} = n.name "
            "WHERE n.type = ? ORDER BY n.resource"
        )
        found += [Namesakes(*row) for row in connection.execute(sql, (type_name,))]
    return found
