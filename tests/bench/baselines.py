"""The bare minimum of the stack, as a Flask application behind the same gunicorn settings.

B1 answers fixed JSON, B2 after one SELECT by primary key, B3 after one committed INSERT, B5 with a page of 100.
"""

import os
import sqlite3
import threading

from flask import Flask, Response, request

BLOB = '{"id":"%032d","filler":"' + "x" * 1100 + '"}'
PAGE = 100
local = threading.local()
app = Flask("baselines")


def connection() -> sqlite3.Connection:
    """Return this thread's connection, as durable as Perch's."""
    held: sqlite3.Connection | None = getattr(local, "held", None)
    if held is None:
        held = local.held = sqlite3.connect(os.environ["BENCH_DATABASE"], isolation_level=None, timeout=30)
        held.execute("PRAGMA journal_mode = WAL")
        held.execute("PRAGMA synchronous = FULL")
    return held


def prepare(path: str, rows: int) -> None:
    """Create the baselines' file with a number of rows."""
    with sqlite3.connect(path) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("CREATE TABLE blobs (seq INTEGER PRIMARY KEY, id TEXT UNIQUE, document TEXT NOT NULL)")
        made.executemany(
            "INSERT INTO blobs (id, document) VALUES (?, ?)", ((f"{n:032d}", BLOB % n) for n in range(1, rows + 1))
        )


def answer(text: str, status: int = 200) -> Response:
    """Return JSON text."""
    return Response(text, status, content_type="application/scim+json")


@app.get("/b1")
def b1() -> Response:
    """Answer fixed JSON of 1.2 kB."""
    return answer(BLOB % 1)


@app.get("/b2/<int:seq>")
def b2(seq: int) -> Response:
    """Answer one row."""
    return answer(connection().execute("SELECT document FROM blobs WHERE seq = ?", (seq,)).fetchone()[0])


@app.post("/b3")
def b3() -> Response:
    """Store the body as a row and commit."""
    document = request.get_data(as_text=True)
    connection().execute("INSERT INTO blobs (document) VALUES (?)", (document,))
    return answer(document, 201)


@app.get("/b5")
def b5() -> Response:
    """Answer a page of 100 rows."""
    start = int(request.args.get("start", "1"))
    rows = (
        connection().execute("SELECT document FROM blobs WHERE seq >= ? ORDER BY seq LIMIT ?", (start, PAGE)).fetchall()
    )
    return answer('{"Resources":[' + ",".join([row[0] for row in rows]) + "]}")
