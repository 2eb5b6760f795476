"""The overview: the base URL, figures, the setup checklist, the latest changes and requests."""

from flask import current_app
from werkzeug.wrappers import Response

from schemas.datetimes import now
from scim.console import warnings
from scim.console.blueprint import console
from scim.console.requests import described_entries
from scim.console.web import page
from scim.web.requests import perch
from storage import journal, statistics
from storage.database import Connection
from storage.journal import JournalQuery
from storage.statistics import Figures
from storage.traffic import TrafficQuery

SHOWN = 6


@console.get("/")
def overview() -> Response:
    """Show the deployment at a glance."""
    with perch().database.read() as connection:
        return page(
            "overview.html",
            figures=_figures(connection),
            progress=statistics.progress(connection, now()),
            changes=journal.entries(connection, JournalQuery(), SHOWN),
            faults=warnings.planned(connection),
            recent=described_entries(connection, TrafficQuery(), SHOWN),
            failed=described_entries(connection, TrafficQuery(errors=True), SHOWN),
        )


def _figures(connection: Connection) -> Figures:
    """Return the figures, cached until something changes: counting walks over all users."""
    state = statistics.state(connection)
    cached: tuple[object, Figures] | None = current_app.extensions.get("perch.figures")
    if cached is None or cached[0] != state:
        cached = current_app.extensions["perch.figures"] = (state, statistics.figures(connection))
    return cached[1]
