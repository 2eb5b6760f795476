"""The journal: what changed, when, by whom, before and after."""

from flask import Response

from scim.console.blueprint import console
from scim.console.web import database, number, page, parameter
from storage import console_pages
from storage.console_pages import JournalQuery

PER_PAGE = 50
TYPES = ("User", "Group", "Role")


@console.get("/journal", endpoint="journal")
def show_journal() -> Response:
    """Show the journal, the newest entry first."""
    query = JournalQuery(
        resource=parameter("resource"),
        name=parameter("name"),
        type=parameter("type"),
        action=parameter("action"),
        before=number("before", 0),
    )
    with database().read() as connection:
        entries = console_pages.journal_page(connection, query, PER_PAGE + 1)
        actors = console_pages.actors(connection)
        alive = console_pages.alive(connection, [entry.resource for entry in entries])
    return page(
        "journal.html", entries=entries[:PER_PAGE], more=len(entries) > PER_PAGE, query=query, actors=actors,
        alive=alive, types=TYPES,
    )  # fmt: skip
