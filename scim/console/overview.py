"""The overview: where Okta connects to, how many there are of what, what is left to do, what happened last."""

from flask import Response, current_app

from schemas.datetimes import now
from scim.console import traffic, warnings
from scim.console.blueprint import console
from scim.console.web import database, page
from storage import journal, statistics
from storage.database import Connection
from storage.journal import JournalQuery
from storage.statistics import Figures

SHOWN = 6


@console.get("/")
def overview() -> Response:
    """Show the deployment at a glance."""
    with database().read() as connection:
        figures = _figures(connection)
        progress = statistics.progress(connection, now())
        warned = warnings.found(connection)
        changes = journal.entries(connection, JournalQuery(), SHOWN)
    return page(
        "overview.html",
        figures=figures,
        progress=progress,
        changes=changes,
        warned=warned,
        recent=traffic.latest(SHOWN),
        failed=traffic.latest(SHOWN, errors=True),
    )


def _figures(connection: Connection) -> Figures:
    """Return the figures; they cost a walk over everybody, so they are kept until something changes."""
    state = statistics.state(connection)
    kept: tuple[object, Figures] | None = current_app.extensions.get("perch.figures")
    if kept is None or kept[0] != state:
        kept = current_app.extensions["perch.figures"] = (state, statistics.figures(connection))
    return kept[1]
