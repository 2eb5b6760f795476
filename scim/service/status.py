"""What an operator should know now: each check is cheap enough for every page of the console."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.datetimes import in_words, now
from scim.service import fuse
from scim.settings import Settings
from storage import receipts, statistics, webhooks
from storage.database import Connection, Database
from storage.receipts import seconds_between

OK, LOOK, WRONG = "ok", "look", "wrong"
MIB = 1024 * 1024
MOST_NAMED = 5
# Seconds in which access must have ended (IPSIE).
LATE = 300.0


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: its level is `ok`, `look` (worth a look) or `wrong`; `remedy` says what to do."""

    check: str
    level: str
    text: str
    remedy: str = ""


def examine(connection: Connection, database: Database, settings: Settings) -> Iterator[Finding]:
    """Yield the findings about deliverer, webhooks, fuse and disk, and the reason when the last write failed."""
    yield _deliverer(connection, database)
    yield from _webhooks(connection)
    yield _withdrawals(connection)
    yield _fuse(connection, settings)
    yield _disk(database, settings)
    if database.write_error:
        yield Finding("file", WRONG, f"The last write failed: {database.write_error}", "flask doctor checks the file.")


def _deliverer(connection: Connection, database: Database) -> Finding:
    found = webhooks.deliverer(connection, database.file)
    if found == webhooks.MISSING:
        text = "Nobody delivers events to the webhooks; they wait."
        return Finding("deliverer", WRONG, text, "Start flask deliver on this machine, or see its log.")
    return Finding("deliverer", OK, "It runs." if found == "ok" else "No webhook needs one.")


def _webhooks(connection: Connection) -> Iterator[Finding]:
    every = webhooks.list_all(connection)
    troubled = [each for each in every if each.paused or each.failures]
    for each in troubled[:MOST_NAMED]:
        state = f"is paused since {in_words(each.paused)}" if each.paused else f"failed {each.failures} times in a row"
        reason = (each.reason or "").rstrip(".")
        text = f"The webhook {each.id} {state}" + (f": {reason}." if reason else ".")
        remedy = f"Correct the receiver, then flask webhooks resume {each.id}; or flask webhooks remove {each.id}"
        yield Finding("webhooks", LOOK, text, remedy)
    if len(troubled) > MOST_NAMED:
        more = len(troubled) - MOST_NAMED
        yield Finding("webhooks", LOOK, f"{more} more webhooks fail or are paused.", "flask webhooks list shows them.")
    if not troubled:
        yield Finding("webhooks", OK, f"None of {len(every)} fails or is paused.")


def _withdrawals(connection: Connection) -> Finding:
    instant = now()
    found = receipts.longest_open(connection)
    late = [f"{name} since {in_words(since)}" for name, since in found if seconds_between(since, instant) > LATE]
    if not late:
        return Finding("withdrawals", OK, "No application is late to hear that somebody lost access.")
    text = f"Somebody who lost access may still be in: not acknowledged by {', '.join(late[:MOST_NAMED])}."
    return Finding("withdrawals", WRONG, text, "flask receipts --open shows who; then look at the application.")


def _fuse(connection: Connection, settings: Settings) -> Finding:
    found = fuse.read(connection, settings)
    state = fuse.state_of(settings, found)
    if state != "blown" or found.blown is None:
        return Finding("fuse", OK, f"Its state is {state}.")
    text = (
        f"The safety fuse is blown: Perch has refused deactivations and deletions since {in_words(found.blown['at'])}."
    )
    remedy = "Check the assignments in the provider, then flask fuse release."
    return Finding("fuse", WRONG, text, remedy)


def age(database: Database, settings: Settings) -> Finding:
    """Return whether a follower's file is young enough for PERCH_FOLLOW_MAX_AGE."""
    found, most = database.age(), settings["PERCH_FOLLOW_MAX_AGE"]
    text = "is of unknown age" if found is None else f"is {found:.0f} s old"
    level = OK if found is not None and found <= most else WRONG
    remedy = "" if level == OK else "See the log of flask follow."
    return Finding("age", level, f"The newest write or heartbeat in this follower's file {text}.", remedy)


def _disk(database: Database, settings: Settings) -> Finding:
    free, wanted = statistics.free_bytes(database.file) // MIB, settings["PERCH_DISK_FREE"]
    size = database.file.stat().st_size // MIB
    if free < wanted:
        return Finding("disk", WRONG, f"{free} MiB are free, PERCH_DISK_FREE asks for {wanted}.", "Free some space.")
    if free < size:
        text = f"{free} MiB are free: no room for a copy of the file ({size} MiB)."
        return Finding("disk", LOOK, text, "Free some space.")
    return Finding("disk", OK, f"{free} MiB are free.")
