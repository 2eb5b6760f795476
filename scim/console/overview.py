"""The overview: where Okta connects to, how many there are of what, what is left to do, what happened last."""

from flask import Response

from scim.console import traffic, warnings
from scim.console.blueprint import console
from scim.console.web import database, page
from storage import console_figures, console_pages
from storage.console_pages import JournalQuery
from storage.instants import now

SHOWN = 6


@console.get("/")
def overview() -> Response:
    """Show the deployment at a glance."""
    with database().read() as connection:
        figures = console_figures.figures(connection)
        progress = console_figures.progress(connection, now())
        warned = warnings.found(connection)
        changes = console_pages.journal_page(connection, JournalQuery(), SHOWN)
    return page(
        "overview.html",
        figures=figures,
        progress=progress,
        changes=changes,
        warned=warned,
        recent=traffic.latest(SHOWN),
        failed=traffic.latest(SHOWN, errors=True),
    )
