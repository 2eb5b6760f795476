"""The journal: every change with its time, its author, and the values before and after."""

from werkzeug.wrappers import Response

from schemas.numbers import LARGEST_INTEGER
from scim.console.blueprint import console
from scim.console.history import named_lists
from scim.console.web import number, page, parameter
from scim.web.requests import perch
from storage import history, journal, keys, resources
from storage.journal import JournalQuery

PER_PAGE = 50


@console.get("/journal", endpoint="journal")
def show_journal() -> Response:
    """Show the journal, the newest entry first."""
    part = parameter("name")
    query = JournalQuery(
        resource=parameter("resource"), name=part, type=parameter("type"), action=parameter("action"),
        request=parameter("request"), before=number("before", 0, LARGEST_INTEGER),
    )  # fmt: skip
    with perch().database.read() as connection:
        if part:
            query = history.about(connection, history.found_by_name(connection, part), query)
        entries = journal.entries(connection, query, PER_PAGE + 1)
        actors = keys.names(connection)
        alive = resources.existing(connection, [entry.resource for entry in entries])
        lists = named_lists(connection, entries[:PER_PAGE], query.people or ())
    return page(
        "journal.html", entries=entries[:PER_PAGE], more=len(entries) > PER_PAGE, query=query, actors=actors,
        alive=alive, lists=lists,
    )  # fmt: skip
