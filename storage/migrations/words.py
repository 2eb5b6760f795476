"""The words by which people find users and groups."""

import json
import sqlite3
from collections.abc import Iterator

from sqlite_utils import Database as SqliteUtils

from storage.migrations.script import script
from storage.words import of_document

# Without a foreign key, whose check for each word would make the creation of a person slower by two percent.
TABLE = script("""
        CREATE TABLE words (
            id INTEGER NOT NULL, word TEXT NOT NULL, type TEXT NOT NULL, PRIMARY KEY (id, word)
        ) WITHOUT ROWID""")
INDEX = script("CREATE INDEX words_word ON words (type, word)")


def words(db: SqliteUtils) -> None:
    """Make the table of words and fill it in the order of its key; the index is made at the end, in its own order."""
    TABLE(db)
    connection: sqlite3.Connection = db.conn
    connection.executemany("INSERT INTO words (word, type, id) VALUES (?, ?, ?)", _of_all(connection))
    INDEX(db)


def _of_all(connection: sqlite3.Connection) -> Iterator[tuple[str, str, int]]:
    for type_name, seq, document in connection.execute("SELECT type, seq, document FROM resources ORDER BY seq"):
        yield from ((word, type_name, seq) for word in of_document(json.loads(document)))


STEPS = {"m021_words": words}
