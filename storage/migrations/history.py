"""Which journal entries are about a member of a group, so that a person's history is found."""

import json
import re

from sqlite_utils import Database as SqliteUtils

from storage.migrations.script import script

FEW = 20
ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

# journal_members has a row for each member of a change of a few members, journal_crowds one row for a change of many:
# the ids as bytes. `nested`: whether a group is among them; `partial`: whether some are missing, since older versions
# kept a thousand. journal_turns finds the entries that give and take roles, and the names of what was deleted.
TABLES = script("""
        DROP TABLE journal_members;
        DROP INDEX journal_many;
        DROP INDEX journal_roles;
        ALTER TABLE journal DROP COLUMN many;
        CREATE TABLE journal_members (
            entry INTEGER NOT NULL, member TEXT NOT NULL, joined INTEGER NOT NULL, PRIMARY KEY (entry, member)
        ) WITHOUT ROWID;
        CREATE INDEX journal_members_member ON journal_members (member, entry, joined);
        CREATE TABLE journal_crowds (
            entry INTEGER PRIMARY KEY,
            nested INTEGER NOT NULL,
            partial INTEGER NOT NULL,
            added BLOB NOT NULL,
            removed BLOB NOT NULL
        );
        CREATE INDEX journal_crowds_nested ON journal_crowds (entry) WHERE nested;
        CREATE INDEX journal_crowds_partial ON journal_crowds (entry) WHERE partial;
        CREATE TRIGGER journal_delete AFTER DELETE ON journal BEGIN
            DELETE FROM journal_members WHERE entry = old.seq;
            DELETE FROM journal_crowds WHERE entry = old.seq; END;
        CREATE INDEX journal_turns ON journal (resource, action, type, folded)
        WHERE action IN ('assign', 'unassign', 'delete')""")


def members_of_entries(db: SqliteUtils) -> None:
    """Make the tables in place of those of a preview, and fill them from the entries of older versions."""
    TABLES(db)
    groups = {identifier for (identifier,) in db.conn.execute("SELECT id FROM resources WHERE type = 'Group'")}
    groups |= {gone for (gone,) in db.conn.execute("SELECT DISTINCT resource FROM journal WHERE type = 'Group'")}
    entries = db.conn.execute(
        "SELECT seq, changes -> '$.members' FROM journal WHERE type = 'Group' AND changes -> '$.members' IS NOT NULL"
    )
    for entry, text in entries:
        _fill(db, entry, json.loads(text), groups)


def _fill(db: SqliteUtils, entry: int, moved: dict[str, object], groups: set[str]) -> None:
    listed = [_texts(moved.get(name)) for name in ("addedIds", "removedIds")]
    # A forgotten person has no id any more.
    lists = [[one for one in ids if ID.fullmatch(one)] for ids in listed]
    total = int(str(moved.get("added", 0))) + int(str(moved.get("removed", 0)))
    if total <= FEW:
        rows = [(entry, one, joined) for joined, ids in zip((1, 0), lists, strict=True) for one in ids]
        db.conn.executemany("INSERT OR IGNORE INTO journal_members VALUES (?, ?, ?)", rows)
        return
    added, removed = (bytes.fromhex("".join(ids).replace("-", "")) for ids in lists)
    nested = not groups.isdisjoint(lists[0] + lists[1])
    partial = sum(map(len, listed)) < total
    db.conn.execute("INSERT INTO journal_crowds VALUES (?, ?, ?, ?, ?)", (entry, nested, partial, added, removed))


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


STEPS = {"m023_members_of_entries": members_of_entries}
