"""Journal entries as lines of the JSON log, so that a copy of the journal leaves the machine."""

from collections.abc import Callable
from typing import Any

from schemas.datetimes import to_json
from scim.observability import logs
from scim.observability.logs import RequestLog
from scim.settings import Settings
from storage.journal import JournalEntry

ADDRESS = "address:"


def journal_log(settings: Settings) -> Callable[[JournalEntry], None] | None:
    """Return the function that logs an entry; None when the log is not JSON, so that entries then cost nothing.

    Commands log entries only if PERCH_LOG_FORMAT=json: with `auto` their standard error is for people.
    """
    level, chosen, personal = (settings[f"PERCH_LOG_{name}"] for name in ("LEVEL", "FORMAT", "PERSONAL"))
    log = RequestLog(level, "json", personal)
    if logs.resolve_format(chosen) != "json" or not log.wants("info"):
        return None

    def write(entry: JournalEntry) -> None:
        if chosen == "json" or logs.of_requests() is not None:
            log.write_fields(fields(entry, personal))

    return write


def fields(entry: JournalEntry, personal: bool) -> dict[str, Any]:
    """Return the fields of an entry's line; names, addresses and values are personal."""
    head = {"time": to_json(entry.at), "level": "info", "message": "journal", "requestId": entry.request}
    act = {"actor": entry.actor, "action": entry.action, "type": entry.type, "resource": entry.resource}
    if personal:
        return {**head, "seq": entry.seq, **act, "name": entry.name, "changes": entry.changes}
    if entry.actor.startswith(ADDRESS):
        act["actor"] = ADDRESS.rstrip(":")
        if entry.resource == entry.actor.removeprefix(ADDRESS):
            del act["resource"]
    return {**head, "seq": entry.seq, **act, "changed": list(entry.changes)}
