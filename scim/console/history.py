"""The timeline on the pages of people and groups, and the people and groups that journal entries name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from schemas.numbers import LARGEST_INTEGER
from scim.console.web import number
from scim.service.login_reasons import Timeline, timeline
from scim.service.timeline import Moment
from storage import history, journal
from storage.database import Connection
from storage.history import Named
from storage.journal import JournalEntry, JournalQuery
from storage.resources import ResourceRow
from storage.retention import FORGOTTEN

PER_PAGE = 20
NAMED_MEMBERS = 5


class NamedList(NamedTuple):
    """People or groups of an entry: a label, the first ones with their ids, and how many more there are."""

    label: str
    first: Sequence[tuple[str, Named]]
    more: int


Lists = Mapping[int, Sequence[NamedList]]


class Page(NamedTuple):
    """A page of a timeline: its moments, whether older ones follow, and the members that they name."""

    told: Timeline
    moments: Sequence[Moment]
    older: int
    lists: Lists


def timeline_page(connection: Connection, row: ResourceRow) -> Page:
    """Return the page of a timeline that the URL's `before` asks for."""
    before = number("before", 0, LARGEST_INTEGER)
    told = timeline(connection, row)
    own = journal.entries(connection, JournalQuery(row.id, before=before), PER_PAGE + 1)
    found = {entry.seq: Moment(entry, {}) for entry in own}
    for moment in told.moments:
        seq = moment.entry.seq
        if not before or seq < before:
            found[seq] = replace(moment, entry=found[seq].entry) if seq in found else moment
    moments = [found[seq] for seq in sorted(found, reverse=True)[: PER_PAGE + 1]]
    shown = moments[:PER_PAGE]
    older = shown[-1].entry.seq if len(moments) > PER_PAGE else 0
    return Page(told, shown, older, named_lists(connection, [moment.entry for moment in shown]))


def named_lists(connection: Connection, entries: Sequence[JournalEntry], sought: Sequence[str] = ()) -> Lists:
    """Return the members that entries name, by number; those that are `sought` come first."""
    wanted: dict[tuple[int, bool], list[str]] = {}
    for move in history.moves_in(connection, [entry.seq for entry in entries], sought) if sought else ():
        wanted.setdefault((move.entry, move.joined), []).append(move.member)
    lists = {entry.seq: list(_lists(entry, wanted)) for entry in entries}
    names = history.names(connection, {one for found in lists.values() for _, ids, _ in found for one in ids})
    shown: dict[int, list[NamedList]] = {seq: [] for seq in lists}
    for seq, found in lists.items():
        for label, ids, count in found:
            first = [(one, names[one]) for one in ids if one in names]
            shown[seq].append(NamedList(label, first, count - len(first)))
    return shown


def _lists(entry: JournalEntry, wanted: Mapping[tuple[int, bool], list[str]]) -> Sequence[tuple[str, list[str], int]]:
    """Return label, first ids and the number of all of each list of ids in an entry."""
    members, found = entry.changes.get("members") or {}, []
    for verb, joined in (("added", True), ("removed", False)):
        if count := members.get(verb):
            ids = dict.fromkeys([*wanted.get((entry.seq, joined), ()), *members.get(f"{verb}Ids", ())])
            ids.pop(FORGOTTEN, None)
            first = list(ids)[:NAMED_MEMBERS]
            found.append((f"{'member' if count == 1 else 'members'} {verb}", first, count))
    if groups := (entry.changes.get("groups") or {}).get("before"):
        found.append(("groups left", groups[:NAMED_MEMBERS], len(groups)))
    return found
