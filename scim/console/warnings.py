"""What an administrator must know on the first page: a blown fuse, and how it is released; faults set on purpose."""

from dataclasses import dataclass

from flask import Response
from werkzeug.wrappers import Response as BaseResponse

from scim.console.blueprint import console
from scim.console.web import author, database, field, onward, page, repository
from scim.service import fuse
from scim.traffic import faults
from scim.web.requests import perch
from storage import faults as planned_faults
from storage.database import Connection
from storage.fuse import FuseState

MINUTES = ("10", "30", "60")


@dataclass(frozen=True, slots=True)
class Warnings:
    """The fuse's reading when it is blown, and the faults that requests may still meet, in words."""

    blown: FuseState | None
    faults: tuple[str, ...]


def found(connection: Connection) -> Warnings:
    """Return what to warn of."""
    settings = perch().settings
    reading = fuse.read(connection, settings)
    planned = planned_faults.list_all(connection) if settings["PERCH_FAULTS"] else []
    still = tuple(f"{faults.described(each)} on {each.method} {each.path}" for each in planned if each.left != 0)
    return Warnings(reading if fuse.state_of(settings, reading) == "blown" else None, still)


@console.get("/fuse")
def confirm_release() -> Response:
    """Ask before the fuse is released."""
    with database().read() as connection:
        warnings = found(connection)
    return page("fuse.html", blown=warnings.blown, minutes=MINUTES)


@console.post("/fuse")
def release_fuse() -> BaseResponse:
    """Let deactivations and deletions through for some minutes."""
    minutes = field("minutes")
    until = fuse.release(repository(), author(), int(minutes if minutes in MINUTES else MINUTES[0]))
    return onward("overview", f"The fuse is released: everything goes through until {until}.")
