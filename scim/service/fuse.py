"""The safety fuse: it stops a provider that deactivates or deletes too many users, until a person releases it."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from schemas.datetimes import from_seconds, now, to_json
from schemas.errors import ScimError, TooManyRequests
from scim.service.context import Context
from scim.settings import Settings
from storage import fuse
from storage.database import Connection
from storage.fuse import FuseState, Loss
from storage.journal import Author
from storage.repository import Repository, Transaction
from storage.resources import ResourceRow

SUBJECT = ("Workspace", "fuse", "safety fuse")
BLEW = "Perch's safety fuse blew"
# A refusal waits for other writes to be counted, at most this many seconds.
COUNT_WAIT = 2.0
STATES = ("off", "ready", "blown", "released")

P = ParamSpec("P")
T = TypeVar("T")


class FuseBlown(TooManyRequests):
    """The fuse refuses a write; `facts` are for the journal, `first` tells whether this write made the fuse blow."""

    def __init__(self, facts: dict[str, Any], minutes: int, first: bool) -> None:
        super().__init__(
            f"{BLEW} at {facts['at']}: with one more, {facts['lost']} of {facts['active']} active users would have "
            f"been deactivated or deleted within {facts['minutes']} minutes, and it blows at {facts['limit']}. "
            "This request changed nothing. If this is intended, run 'flask fuse release' on the Perch server and let "
            "the provider try again; if not, correct the assignments in the provider first.",
            minutes * 60,
        )
        self.facts = facts
        self.first = first


def limit(settings: Settings, active: int) -> int:
    """Return the number of lost users at which the fuse blows, for a number of active users."""
    return max(int(settings["PERCH_FUSE_MINIMUM"]), active * int(settings["PERCH_FUSE_SHARE"]) // 100 + 1)


def read(connection: Connection, settings: Settings) -> FuseState:
    """Return the fuse's state over the last PERCH_FUSE_MINUTES."""
    return fuse.read(connection, int(time.time()) - settings["PERCH_FUSE_MINUTES"] * 60)


def state_of(settings: Settings, found: FuseState) -> str:
    """Return the fuse's state, one of STATES."""
    if not settings["PERCH_FUSE"]:
        return "off"
    if found.blown:
        return "blown"
    return "released" if found.released_until > time.time() else "ready"


def guard(context: Context, write: Transaction, row: ResourceRow, stays_active: bool) -> None:
    """Refuse a client's write, sent again or not, that would lose one active user too many.

    :raises FuseBlown: when the fuse blows or is blown.
    """
    if stays_active or row.type != "User" or not row.active or not context.settings["PERCH_FUSE"]:
        return
    found = read(write.connection, context.settings)
    if found.released_until > time.time():
        return
    minutes, most = context.settings["PERCH_FUSE_MINUTES"], limit(context.settings, found.active)
    if found.blown is not None:
        raise FuseBlown(found.blown, minutes, first=False)
    if found.lost + 1 >= most:
        facts = {"at": to_json(now()), "lost": found.lost + 1, "active": found.active, "limit": most}
        raise FuseBlown({**facts, "minutes": minutes}, minutes, first=True)


def recorded(operation: Callable[Concatenate[Context, P], T]) -> Callable[Concatenate[Context, P], T]:
    """Record that the fuse has blown, and count refusals, after the refused write is rolled back."""

    @wraps(operation)
    def run(context: Context, /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return operation(context, *args, **kwargs)
        except FuseBlown as blown:
            with suppress(ScimError):
                _record(context, blown)
            raise

    return run


def _record(context: Context, blown: FuseBlown) -> None:
    if blown.first:
        with context.repository.writing(context.author) as write:
            if fuse.blow(write.connection, blown.facts):
                write.note("fuse blown", SUBJECT, _changes(blown.facts))
    with context.repository.counting(context.author, COUNT_WAIT) as write:
        fuse.count_refusal(write.connection, context.key.id)


def losses(connection: Connection, state: FuseState) -> list[Loss]:
    """Return the users who were lost from the beginning of the window in which the fuse blew, the last one first."""
    if state.blown is None:
        return []
    blew = datetime.fromisoformat(state.blown["at"]).timestamp()
    return fuse.losses(connection, max(int(blew) - state.blown["minutes"] * 60, state.released_until))


def release(repository: Repository, author: Author, minutes: int) -> str:
    """Allow all writes for some minutes, then count from 0 again; return the end as an instant."""
    until = int(time.time()) + minutes * 60
    text = f"{from_seconds(until)}Z"
    with repository.writing(author) as write:
        fuse.release(write.connection, until)
        write.note("fuse released", SUBJECT, _changes({"until": text}))
    return text


def _changes(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: {"before": None, "after": value} for name, value in facts.items()}
