"""Why a person may log in or not, in a sentence, and what each entry of a timeline did to a person or group."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas.datetimes import in_words
from scim.service.timeline import Moment, reached_from, replay
from storage import history, keys, roles
from storage.database import Connection
from storage.history import Named
from storage.journal import JournalEntry
from storage.resources import ResourceRow

SOURCES = (roles.DIRECT, roles.MANUAL, roles.GROUP)


class Phrase(NamedTuple):
    """What an author did, to follow the author's name: a text, the name of the entry's group, a text."""

    before: str
    group: str = ""
    after: str = ""


class Why(NamedTuple):
    """A sentence that says why a person may log in or not, and the number of the entry behind it, 0 for none."""

    sentence: str
    entry: int = 0


@dataclass(frozen=True, slots=True)
class Words:
    """Names for the sentences about one person or group; `removed` has roles that left the catalogue, by request."""

    subject: str
    name: str
    names: Mapping[str, Named]
    roles: Mapping[str, str]
    removed: Mapping[tuple[str, str], str]
    actors: dict[str, str]

    def role(self, *slugs: str) -> str:
        """Return roles by name: "the role Admin", "the roles Admin and Viewer"."""
        gone = {slug: name for (slug, _), name in self.removed.items()}
        named = [self.roles.get(slug) or gone.get(slug) or slug for slug in slugs]
        return f"the role{'s' if len(named) > 1 else ''} {' and '.join(named)}"

    def phrase(self, moment: Moment) -> Phrase:
        """Return what the author of a moment did to the person or group."""
        entry = moment.entry
        if entry.type == "User":
            return Phrase(self._own(moment))
        if entry.action == "delete":
            return Phrase("deleted the group ", entry.name)
        if moment.moved:
            return self._move(moment)
        changed, rule = self.role(*_slugs(entry, "roles.group")), entry.changes.get("rule")
        by_rule = f" by the rule {rule['after'] or rule['before']}" if rule else ""
        if entry.action == "assign":
            return Phrase(f"gave {changed} to the group ", entry.name, by_rule)
        if self._left_catalogue(entry):
            return Phrase(f"removed {changed} from the catalogue, which the group ", entry.name, " had")
        if rule and not entry.actor.startswith("command:"):
            # Rules change by commands only, so that here it was the group's name.
            return Phrase("renamed a group to ", entry.name, f", which no longer gives {changed}{by_rule}")
        return Phrase(f"withdrew {changed} from the group ", entry.name, by_rule and f", which had it{by_rule}")

    def _move(self, moment: Moment) -> Phrase:
        joined = moment.moved.get(self.subject)
        who = self.name
        if joined is None:
            inner, joined = next(iter(moment.moved.items()))
            who = f"the group {self.names[inner].name}" if inner in self.names else "a deleted group"
        return Phrase(f"put {who} into " if joined else f"took {who} out of ", moment.entry.name)

    def _own(self, moment: Moment) -> str:
        entry = moment.entry
        if moment.lost:
            lost = self.role(*moment.lost)
            if entry.action != "unassign":
                return f"took away {lost}"
            return f"removed {lost} from the catalogue" if self._left_catalogue(entry) else f"withdrew {lost}"
        if entry.action == "create":
            return f"created {self.name} with {self.role(*moment.gained)}"
        if "active" in entry.changes:
            return f"re-activated {self.name}"
        return f"gave {self.name} {self.role(*moment.gained)}"

    def _left_catalogue(self, entry: JournalEntry) -> bool:
        slugs = [slug for name in entry.changes if name.startswith("roles.") for slug in _slugs(entry, name)]
        return any((slug, entry.request) in self.removed for slug in slugs)


def _slugs(entry: JournalEntry, name: str) -> list[str]:
    change = entry.changes.get(name) or {"before": [], "after": []}
    return [*change["before"], *change["after"]]


class Timeline(NamedTuple):
    """The moments of a person or group, the newest first; words for them; for a person, why they may log in or not."""

    moments: Sequence[Moment]
    words: Words
    why: Why | None


def timeline(connection: Connection, row: ResourceRow) -> Timeline:
    """Return the timeline of a person or group."""
    held: dict[str, set[str]] = {}
    for source, slug, *_ in json.loads(f"[{row.held or ''}]"):
        held.setdefault(source, set()).add(slug)
    trail = history.trail(connection, row)
    moments = list(replay(row, held, trail))
    words = _words(connection, row, moments)
    if row.type != "User":
        return Timeline(moments, words, None)
    has_role = bool(held) or any(trail.given.get(group) for group in reached_from(trail.above, row.id))
    return Timeline(moments, words, why(words, bool(row.active), has_role, moments, trail.created, trail.begins))


def _words(connection: Connection, row: ResourceRow, moments: Iterable[Moment]) -> Words:
    changed, groups = set[str](), {row.id}
    for moment in moments:
        changed.update(moment.gained, moment.lost, *(_slugs(moment.entry, f"roles.{source}") for source in SOURCES))
        groups.update(moment.moved, [moment.entry.resource] if moment.entry.type == "Group" else ())
    known = {slug: role.name for slug, role in roles.known(connection, changed).items()}
    return Words(
        row.id, full_name(json.loads(row.document)), history.names(connection, groups), known,
        history.removed_roles(connection, changed), keys.names(connection),
    )  # fmt: skip


def why(words: Words, active: bool, has_role: bool, moments: Sequence[Moment], created: bool, begins: str) -> Why:
    """Return why a person may log in or not; deactivation comes before roles.

    `created` tells whether the moments reach back to the person's creation; if not, they begin at `begins`.
    """
    if not active:
        return _deactivated(words, has_role, moments, begins)
    if has_role:
        start = "May log in since"
        found = next((moment for moment in moments if moment.login), None)
    else:
        start = "Lost the last role on"
        found = next((moment for moment in moments if moment.emptied), None)
        if found is None:
            return Why("Never had a role." if created else f"No role since before {in_words(begins)}.")
    if found is None:
        return Why(f"{start} before {in_words(begins)}.")
    done = f"{keys.spoken(found.entry.actor, words.actors)} {''.join(words.phrase(found))}"
    return Why(f"{start} {in_words(found.entry.at)} because {done}.", found.entry.seq)


def _deactivated(words: Words, has_role: bool, moments: Sequence[Moment], begins: str) -> Why:
    more = "" if has_role else f" {words.name} has no role either."
    found = next((moment for moment in moments if moment.deactivated), None)
    if found is None:
        return Why(f"Deactivated since before {in_words(begins)}.{more}")
    start = "Created as deactivated" if found.entry.action == "create" else "Deactivated"
    author = keys.spoken(found.entry.actor, words.actors)
    return Why(f"{start} by {author} on {in_words(found.entry.at)}.{more}", found.entry.seq)


def full_name(document: dict[str, Any]) -> str:
    """Return the name of a person: displayName, else the parts of their name, else userName."""
    parts = document.get("name") or {}
    full = parts.get("formatted") or " ".join(filter(None, (parts.get("givenName"), parts.get("familyName"))))
    return str(document.get("displayName") or full or document.get("userName", ""))
