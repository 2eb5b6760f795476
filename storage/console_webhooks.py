"""What the console's page of webhooks asks beyond what the commands ask."""

import sqlite3


def waits_since(connection: sqlite3.Connection, identifier: str) -> str | None:
    """Return when the oldest event happened that a webhook has not got yet, None when nothing waits."""
    found: str | None = connection.execute(
        "SELECT min(at) FROM (SELECT at FROM (SELECT at FROM events "
        "WHERE seq > (SELECT position FROM webhooks WHERE id = :id) ORDER BY seq LIMIT 1) "
        "UNION ALL SELECT at FROM (SELECT e.at FROM webhook_queue q JOIN events e ON e.seq = q.event "
        "WHERE q.webhook = :id ORDER BY q.event LIMIT 1))",
        {"id": identifier},
    ).fetchone()[0]
    return found
