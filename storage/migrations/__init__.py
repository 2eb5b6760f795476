"""The schema of the file as migrations, in chapters: each runs once, in this order, in whichever process comes first.

A migration of a released version never changes; a new one goes to the end of the last chapter, or into a new chapter.
"""

from contextlib import closing
from functools import cache

from sqlite_utils import Database as SqliteUtils
from sqlite_utils import Migrations

from storage.migrations import (
    access,
    administration,
    attributes,
    console,
    directory,
    events,
    history,
    oauth,
    provisioning,
    receipts,
    recording,
    rules,
    scale,
    sign_in,
    text,
    traffic,
    words,
)

MIGRATIONS = Migrations("perch")
for _chapter in (
    directory,
    access,
    console,
    traffic,
    events,
    scale,
    text,
    provisioning,
    administration,
    recording,
    words,
    attributes,
    rules,
    receipts,
    history,
    sign_in,
    oauth,
):
    for _name, _step in _chapter.STEPS.items():
        MIGRATIONS(name=_name)(_step)


@cache
def known() -> frozenset[str]:
    """Return the names of all migrations: those that are pending for an empty file."""
    with closing(SqliteUtils(memory=True, execute_plugins=False)) as empty:
        return frozenset(migration.name for migration in MIGRATIONS.pending(empty))
