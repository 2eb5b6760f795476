"""Threads that meet at the writer in an order that a test chooses."""

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from storage.database import Connection, Database

# Seconds, enough for any machine; a thread that is not done by then hangs.
DEADLINE = 20.0
Body = Callable[[Connection], object]


def make_database(folder: Path) -> Database:
    """Make a database of Perch with a table of notes; the note `give up` makes SQLite give up the transaction."""
    made = Database(folder / "perch.db")
    with made.write() as connection:
        connection.execute("CREATE TABLE notes (text TEXT UNIQUE)")
        connection.execute("CREATE TABLE blobs (content BLOB)")
        connection.execute(
            "CREATE TRIGGER give_up BEFORE INSERT ON notes WHEN new.text = 'give up' "
            "BEGIN SELECT RAISE(ROLLBACK, 'given up'); END"
        )
    return made


def note(text: str) -> Body:
    return lambda connection: connection.execute("INSERT INTO notes VALUES (?)", (text,))


def notes(database: Database) -> set[str]:
    """Return the notes that any program finds in the file."""
    with closing(sqlite3.connect(database.path)) as connection:
        return {text for (text,) in connection.execute("SELECT text FROM notes")}


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.0005)


class WriteThread(threading.Thread):
    """One write in its own thread; `error` is the exception that it raised, or None."""

    def __init__(self, database: Database, body: Body, **how: Any) -> None:
        super().__init__(daemon=True)
        self.database, self.body, self.how = database, body, how
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with self.database.write(**self.how) as connection:
                self.body(connection)
        except BaseException as error:
            self.error = error

    def ended(self) -> BaseException | None:
        self.join(DEADLINE)
        assert not self.is_alive(), "it hangs"
        return self.error


def together(database: Database, *bodies: Body, **how: Any) -> list[BaseException | None]:
    """Run the bodies in turn, each in its own thread, which waits while the previous body runs."""
    threads = [WriteThread(database, body, **how) for body in bodies]
    start_linked(threads)
    return [thread.ended() for thread in threads]


def start_linked(threads: list[WriteThread]) -> None:
    """Start threads so that each waits for the writer while the previous one writes."""

    def link(first: WriteThread, second: WriteThread) -> None:
        body = first.body

        def start_next(connection: Connection) -> None:
            second.start()
            until(lambda: first.database._queue._waiting)
            body(connection)

        first.body = start_next

    for first, second in zip(threads, threads[1:], strict=False):
        link(first, second)
    threads[0].start()
