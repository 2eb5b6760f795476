"""The journal: every change with its time, its author, and the values before and after."""

from werkzeug.wrappers import Response

from schemas.numbers import LARGEST_INTEGER
from scim.console.blueprint import console
from scim.console.web import number, page, parameter
from scim.web.requests import perch
from storage import journal, keys, resources
from storage.journal import JournalQuery

PER_PAGE = 50


@console.get("/journal", endpoint="journal")
def show_journal() -> Response:
    """Show the journal, the newest entry first."""
    query = JournalQuery(
        resource=parameter("resource"),
        name=parameter("name"),
        type=parameter("type"),
        action=parameter("action"),
        request=parameter("request"),
        before=number("before", 0, LARGEST_INTEGER),
    )
    with perch().database.read() as connection:
        entries = journal.entries(connection, query, PER_PAGE + 1)
        actors = keys.names(connection)
        member_names = journal.member_names(connection, entries)
        alive = resources.existing(connection, [entry.resource for entry in entries])
    return page(
        "journal.html", entries=entries[:PER_PAGE], more=len(entries) > PER_PAGE, query=query, actors=actors,
        alive=alive, member_names=member_names,
    )  # fmt: skip
