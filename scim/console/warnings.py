"""Warnings on the overview: a blown fuse, with its release, and planned faults."""

from collections import Counter
from dataclasses import dataclass

from werkzeug.wrappers import Response

from scim.console.blueprint import console
from scim.console.lists import PER_PAGE, Pager, offset
from scim.console.web import author, field, number, page, redirect_to
from scim.service import fuse
from scim.traffic.faults import described
from scim.web.requests import perch
from storage import faults, keys, resources
from storage.database import Connection
from storage.fuse import FuseState

MINUTES = ("10", "30", "60")


@dataclass(frozen=True, slots=True)
class Warnings:
    """The state of a blown fuse, and a description of each planned fault that is not used up."""

    blown: FuseState | None
    faults: tuple[str, ...]


def found(connection: Connection) -> Warnings:
    """Return the present warnings."""
    settings = perch().settings
    state = fuse.read(connection, settings)
    planned = faults.list_all(connection) if settings["PERCH_FAULTS"] else []
    described_faults = tuple(f"{described(each)} on {each.method} {each.path}" for each in planned if each.left != 0)
    return Warnings(state if fuse.state_of(settings, state) == "blown" else None, described_faults)


@console.get("/fuse")
def confirm_release() -> Response:
    """Show who is gone and what was refused since, and ask for confirmation before the fuse is released."""
    at = number("page")
    with perch().database.read() as connection:
        blown = found(connection).blown
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
    text = f"The fuse is released. Perch accepts all deactivations and deletions until {until}."
    return redirect_to("overview", text)
