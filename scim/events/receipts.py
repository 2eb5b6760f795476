"""What an application reports about an event: whether it has ended the person's access; no Flask."""

from typing import Any, NamedTuple

from schemas.errors import Forbidden, InvalidSyntax, InvalidValue, NotFound
from schemas.fields import json_type
from schemas.numbers import LARGEST_INTEGER
from storage import applications, events, receipts
from storage.database import Database
from storage.events import CURSOR
from storage.keys import Key

OUTCOMES = ("ended", receipts.FAILED, receipts.IGNORED)
# Bytes of UTF-8.
LONGEST_REASON = 1024


class Report(NamedTuple):
    """An application's report: the outcome, how many sessions it ended, and a reason in words."""

    outcome: str
    sessions: int | None
    reason: str | None


def read_receipt(document: Any) -> Report:
    """Read the body of a receipt.

    :raises InvalidSyntax: when it is no object; :raises InvalidValue: naming the member that is wrong.
    """
    if not isinstance(document, dict):
        raise InvalidSyntax(f'The body must be an object such as {{"outcome": "ended"}}, not {json_type(document)}.')
    outcome, sessions, reason = (document.get(name) for name in ("outcome", "sessions", "reason"))
    if outcome not in OUTCOMES:
        raise InvalidValue(f"outcome: must be {', '.join(OUTCOMES[:-1])} or {OUTCOMES[-1]}.")
    if sessions is not None and (type(sessions) is not int or not 0 <= sessions <= LARGEST_INTEGER):
        raise InvalidValue("sessions: must be a whole number from 0, or left out.")
    if reason is not None and not isinstance(reason, str):
        raise InvalidValue("reason: must be text, or left out.")
    if reason is not None and len(reason.encode("utf-8", "surrogatepass")) > LONGEST_REASON:
        raise InvalidValue(f"reason: must have at most {LONGEST_REASON} bytes.")
    return Report(outcome, sessions, reason)


def report(database: Database, key: Key, identifier: str, found: Report) -> None:
    """Keep an application's report about an event, in place of an earlier one; about one that is no withdrawal, none.

    :raises NotFound: for an event that there is not, or not any more.
    :raises Forbidden: when the key is of no application.
    """
    with database.read() as connection:
        parts = CURSOR.fullmatch(identifier)
        event = events.get(connection, [int(parts[1])]).get(int(parts[1])) if parts else None
        if event is None or event.id != identifier:
            raise NotFound(f"There is no event '{identifier[:100]}' any more; send the id of an event as it came.")
        application = applications.of_key(connection, key.id)
        if application is None or event.seq <= application.begin:
            raise Forbidden(
                f"The event was not for an application with the key '{key.name}'; `flask applications list` shows the "
                "keys of applications."
            )
    with database.write() as connection:
        receipts.report(connection, application.id, event.seq, *found)
