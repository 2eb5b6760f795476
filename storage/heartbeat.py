"""The heartbeat of a primary: one row, so that a follower can tell how old its file is while nobody writes."""

import threading
import time

from schemas.datetimes import now, to_seconds
from schemas.errors import ScimError
from storage import workspace
from storage.database import Connection, Database

NAME = "heartbeat"
# Seconds: the longest time without a write that a follower can date, and the wait for other writers.
EVERY, WAIT = 5.0, 1.0


def newest(connection: Connection) -> float:
    """Return when the newest heartbeat or journal entry was written, in seconds since 1970; 0 if there is none."""
    (found,) = connection.execute(
        "SELECT max(ifnull((SELECT value FROM workspace WHERE name = ?), ''), "
        "ifnull((SELECT at FROM journal ORDER BY seq DESC LIMIT 1), ''))",
        (NAME,),
    ).fetchone()
    return to_seconds(found) if found else 0.0


def beat(database: Database) -> float:
    """Write the heartbeat if nothing was written for EVERY seconds; return the seconds until the next one is due."""
    with database.read() as connection:
        due = newest(connection) + EVERY - time.time()
    # A clock that was set back must not stop the heartbeat.
    if 0 < due <= EVERY:
        return due
    with database.write(WAIT, durable=False) as connection:
        workspace.put(connection, NAME, now())
        # Changes the first page: a new copy is in WAL mode, and slow to read, until Litestream writes that page.
        connection.execute("PRAGMA user_version = 1")
    return EVERY


def start(database: Database) -> None:
    """Write the heartbeat from a thread until the process ends."""
    threading.Thread(target=_run, args=(database,), name="perch-heartbeat", daemon=True).start()


def _run(database: Database) -> None:
    while True:
        try:
            pause = beat(database)
        except ScimError:
            pause = WAIT
        time.sleep(pause)
