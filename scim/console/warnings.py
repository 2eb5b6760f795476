"""What is wrong, on every page: deliverer, webhooks, fuse, disk, file; planned faults; the release of the fuse."""

from collections import Counter
from typing import NamedTuple

from flask import current_app
from werkzeug.wrappers import Response

from schemas.datetimes import in_words
from schemas.errors import ScimError
from scim.console.blueprint import console
from scim.console.lists import PER_PAGE, Pager, offset
from scim.console.web import author, field, number, page, redirect_to
from scim.service import fuse, status
from scim.traffic.faults import described
from scim.web.requests import perch
from storage import faults, keys, resources
from storage.database import Connection

MINUTES = ("10", "30", "60")


# The page for each kind of finding, with the text of its link.
PAGES = {
    "deliverer": ("console.webhooks", "Webhooks"),
    "webhooks": ("console.webhooks", "Webhooks"),
    "fuse": ("console.confirm_release", "Check and release it"),
    "file": ("health.readyz", "Readiness"),
}


class Problem(NamedTuple):
    """A line for the top of a page: its tone and text, and the endpoint and text of a link, "" without one."""

    tone: str
    text: str
    endpoint: str = ""
    link: str = ""


@console.context_processor
def with_problems() -> dict[str, object]:
    """Return the function with which the frame of all pages finds what is wrong."""
    return {"problems": problems}


def problems() -> list[Problem]:
    """Return what is wrong, none of it looked for at any cost."""
    deployment = perch()
    not_ready = [name for name in current_app.extensions["perch.health"].failed() if name != "disk"]
    try:
        with deployment.database.read() as connection:
            found = list(status.examine(connection, deployment.database, deployment.settings))
    except (ScimError, OSError) as error:
        return [Problem("bad", error.detail if isinstance(error, ScimError) else str(error))]
    lines = [
        Problem(
            "bad" if each.level == status.WRONG else "calm",
            each.text if each.check in PAGES else f"{each.text} {each.remedy}",
            *PAGES.get(each.check, ()),
        )
        for each in found
        if each.level != status.OK
    ]
    if not_ready and not deployment.database.write_error:
        lines.append(Problem("bad", f"Perch is not ready ({', '.join(not_ready)}); see the log.", *PAGES["file"]))
    return lines


def planned(connection: Connection) -> list[str]:
    """Return a description of each planned fault that is not used up."""
    if not perch().settings["PERCH_FAULTS"]:
        return []
    every = faults.list_all(connection)
    return [f"{described(each)} on {each.method} {each.path}" for each in every if each.left != 0]


@console.get("/fuse")
def confirm_release() -> Response:
    """Show who is gone and what was refused since, and ask for confirmation before the fuse is released."""
    at = number("page")
    with perch().database.read() as connection:
        state = fuse.read(connection, perch().settings)
        blown = state if fuse.state_of(perch().settings, state) == "blown" else None
        losses = fuse.losses(connection, blown) if blown else []
        shown = losses[offset(at) : offset(at) + PER_PAGE]
        alive = resources.existing(connection, [loss.id for loss in shown])
        actors = keys.names(connection)
    refused = (blown and blown.blown or {}).get("refused", {})
    by_actor = Counter(loss.actor for loss in losses).most_common()
    return page(
        "fuse.html", blown=blown, minutes=MINUTES, losses=losses, shown=shown, alive=alive, actors=actors,
        refused=refused, by_actor=by_actor, pager=Pager(at, len(shown), len(losses)),
    )  # fmt: skip


@console.post("/fuse")
def release_fuse() -> Response:
    """Accept all deactivations and deletions for some minutes."""
    minutes = field("minutes")
    until = fuse.release(perch().repository, author(), int(minutes if minutes in MINUTES else MINUTES[0]))
    text = f"The fuse is released. Perch accepts all deactivations and deletions until {in_words(until)}."
    return redirect_to("overview", text)
