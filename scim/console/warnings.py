"""Warnings on the overview: a blown fuse, with its release, and planned faults."""

from dataclasses import dataclass

from werkzeug.wrappers import Response

from scim.console.blueprint import console
from scim.console.web import author, field, page, redirect_to
from scim.service import fuse
from scim.traffic.faults import described
from scim.web.requests import perch
from storage import faults
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
    """Ask for confirmation before the fuse is released."""
    with perch().database.read() as connection:
        return page("fuse.html", blown=found(connection).blown, minutes=MINUTES)


@console.post("/fuse")
def release_fuse() -> Response:
    """Accept all deactivations and deletions for some minutes."""
    minutes = field("minutes")
    until = fuse.release(perch().repository, author(), int(minutes if minutes in MINUTES else MINUTES[0]))
    text = f"The fuse is released. Perch accepts all deactivations and deletions until {until}."
    return redirect_to("overview", text)
