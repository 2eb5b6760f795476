"""The overview: the base URL, figures, charts of two weeks, the setup checklist, the latest changes and requests."""

from datetime import timedelta

from flask import current_app
from werkzeug.wrappers import Response

from schemas.datetimes import now
from scim.console import warnings
from scim.console.blueprint import console
from scim.console.lists import NO_ROLE
from scim.console.requests import described_entries, recording
from scim.console.web import page
from scim.traffic.summaries import short_reason
from scim.web.requests import perch
from storage import journal, keys, resources, statistics, traffic
from storage.database import Connection
from storage.journal import JournalQuery
from storage.statistics import Figures
from storage.traffic import TrafficQuery

SHOWN = 6
DAYS = 14


@console.get("/")
def overview() -> Response:
    """Show the deployment at a glance."""
    unrecorded = recording() if perch().settings["PERCH_TRAFFIC"] == "off" else ""
    with perch().database.read() as connection:
        figures, progress = _figures(connection), statistics.progress(connection, now())
        changes = journal.entries(connection, JournalQuery(), SHOWN)
        alive = resources.existing(connection, [entry.resource for entry in changes])
        return page(
            "overview.html", figures=figures, progress=progress, changes=changes, unrecorded=unrecorded,
            is_set_up=progress.key_made and progress.provider_connected and progress.person_pushed, alive=alive,
            actors=keys.names(connection), faults=warnings.planned(connection), short_reason=short_reason,
            recent=described_entries(connection, TrafficQuery(), SHOWN),
            failed=described_entries(connection, TrafficQuery(errors=True), SHOWN),
            # What is not recorded is not counted either.
            no_role=NO_ROLE, charts=_charts(connection, figures)[2 if unrecorded else 0 :],
        )  # fmt: skip


def _charts(connection: Connection, figures: Figures) -> list[tuple[str, list[tuple[str, int | None]]]]:
    """Return the title of each chart with a number for each of the last two weeks' days, None where none is known."""
    days = [now(timedelta(days=-ago))[:10] for ago in reversed(range(DAYS))]
    requests = traffic.count_per_day(connection, days[0])
    people = statistics.may_log_in_per_day(connection, days[0]) | {days[-1]: figures.may_log_in}
    return [
        ("Pushed changes", [(day, requests.get(day, (0, 0))[0]) for day in days]),
        ("Refused requests", [(day, requests.get(day, (0, 0))[1]) for day in days]),
        ("People who may log in", [(day, people.get(day)) for day in days]),
    ]


def _figures(connection: Connection) -> Figures:
    """Return the figures, cached until something changes: counting walks over all users."""
    state = statistics.state(connection)
    cached: tuple[object, Figures] | None = current_app.extensions.get("perch.figures")
    if cached is None or cached[0] != state:
        cached = current_app.extensions["perch.figures"] = (state, statistics.figures(connection))
    return cached[1]
