"""A person's timeline: groups, roles and login, worked out backwards from the present by the journal."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from storage import keys, timeline
from storage.database import Connection
from storage.journal import JournalEntry
from storage.resources import ResourceRow
from storage.timeline import Concerned

DIRECT, MANUAL, GROUP = "direct", "manual", "group"


@dataclass(frozen=True, slots=True)
class Moment:
    """What an entry of the journal meant for a person; `login` says that it was allowed or withdrawn, None for neither.

    `because` says who did what, for roles and the login, `by` only who; `joined` and `left` are names of groups.
    """

    entry: JournalEntry
    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    login: bool | None = None
    because: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """A person's moments, the newest first, and why they may not log in, "" where they may."""

    moments: list[Moment]
    why: str


def of_person(connection: Connection, user: ResourceRow) -> Timeline:
    """Return the timeline of a person."""
    found, names = timeline.concerning(connection, user), keys.names(connection)
    replay = _Replay(user, found, names)
    held = bool(replay.held)
    moments = list(replay.moments())
    reached = replay.begun and found.complete
    return Timeline(moments, _why(user, held, moments, reached, timeline.first(connection) or ""))


def _why(user: ResourceRow, held: bool, moments: list[Moment], reached: bool, oldest: str) -> str:
    if user.active and held:
        return ""
    if user.active:
        lost = next((moment for moment in moments if moment.lost), None)
        if lost is not None:
            return f"Lost the last role on {lost.entry.at[:10]} because {lost.because}."
        return "Never had a role." if reached else f"No role since before {oldest[:10]}."
    for moment in moments:
        change = moment.entry.changes.get("active") if moment.entry.resource == user.id else None
        if isinstance(change, dict) and change.get("after") is not True:
            return f"Deactivated by {moment.by} on {moment.entry.at[:10]}."
    return "Created deactivated." if reached else f"Deactivated since before {oldest[:10]}."


@dataclass(slots=True)
class _Replay:
    """The state of memberships, roles and activity, undone entry by entry.

    `held` counts, for each role, the assignments that give it; it is kept up to date where no group is in a group.
    """

    user: ResourceRow
    found: Concerned
    names: dict[str, str]
    active: bool = field(init=False)
    begun: bool = False
    reach: set[str] = field(init=False)
    held: Counter[str] = field(init=False)
    flat: bool = field(init=False)
    listed: set[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        self.active = bool(self.user.active)
        ids = {self.user.id} | {entry.resource for entry in self.found.entries} | set(self.found.above)
        self.flat = not self.found.above.keys() - {self.user.id}
        self.listed = set()
        for entry in self.found.entries:
            for identifier in _ids(entry, "addedIds"):
                self.listed.add((identifier, entry.resource))
                self.flat &= identifier == self.user.id or identifier not in ids
            self.flat &= "groups" not in entry.changes
        self._walk()

    def _walk(self) -> None:
        """Work out which groups are around the person, and the roles of all of them."""
        self.reach, new = {self.user.id}, [self.user.id]
        while new:
            around = self.found.above.get(new.pop(), set()) - self.reach
            self.reach |= around
            new += around
        self.held = Counter(role for node in self.reach for _, role in self.found.roles.get(node, ()))

    def moments(self) -> Iterator[Moment]:
        """Yield what each entry meant, the newest first, and undo it."""
        for entry in self.found.entries:
            after, could = frozenset(+self.held), self.active and bool(+self.held)
            joined, left = self._undo(entry)
            before, was = frozenset(+self.held), self.active and bool(+self.held)
            gained, lost = tuple(sorted(after - before)), tuple(sorted(before - after))
            own = entry.resource == self.user.id
            if own or joined or left or gained or lost or could != was:
                login = could if could != was else None
                because = self._because(entry, bool(lost)) if gained or lost else ""
                by = keys.spoken(entry.actor, self.names)
                yield Moment(entry, joined, left, gained, lost, login, because, by)

    def _undo(self, entry: JournalEntry) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Undo an entry; return the name of the group that the person joined by it, and of the one that they left."""
        changes, node = entry.changes, entry.resource
        if node == self.user.id:
            self._undo_own(entry)
        self._undo_roles(node, GROUP, changes.get("roles.group"))
        # A group that was deleted was in these.
        for group in changes.get("groups", {}).get("before") or ():
            self._link(node, group)
        if "members" not in changes:
            return (), ()
        joined, left = _ids(entry, "addedIds"), _ids(entry, "removedIds")
        known = self.found.above.keys() | {self.user.id}
        cut = changes["members"].get("added", 0) > len(joined)
        unlisted = {m for m in known if cut and (m, node) not in self.listed and node in self.found.above.get(m, ())}
        for member in (joined & known) | unlisted:
            self._unlink(member, node)
        for member in left & (known | self.reach):
            self._link(member, node)
        name, me = (entry.name,), self.user.id
        return name if me in joined or me in unlisted else (), name if me in left else ()

    def _undo_own(self, entry: JournalEntry) -> None:
        changes = entry.changes
        if "active" in changes:
            self.active = changes["active"].get("before") is True
        if "roles" in changes:
            own = {side: _slugs(changes["roles"].get(side)) for side in ("before", "after")}
            self._undo_roles(self.user.id, DIRECT, own)
        for source in (DIRECT, MANUAL):
            self._undo_roles(self.user.id, source, changes.get(f"roles.{source}"))
        self.begun |= entry.action == "create"

    def _undo_roles(self, node: str, source: str, change: dict[str, Any] | None) -> None:
        if not isinstance(change, dict):
            return
        roles = self.found.roles.setdefault(node, set())
        for slugs, make in ((change.get("after") or (), False), (change.get("before") or (), True)):
            for slug in slugs:
                pair = (source, slug)
                if (pair in roles) == make:
                    continue
                roles.add(pair) if make else roles.discard(pair)
                if node in self.reach:
                    self.held[slug] += 1 if make else -1

    def _link(self, member: str, group: str) -> None:
        around = self.found.above.setdefault(member, set())
        if group in around:
            return
        around.add(group)
        if self.flat:
            self.reach.add(group)
            self.held.update(role for _, role in self.found.roles.get(group, ()))
        else:
            self._walk()

    def _unlink(self, member: str, group: str) -> None:
        around = self.found.above.get(member, set())
        if group not in around:
            return
        around.discard(group)
        if self.flat:
            self.reach.discard(group)
            self.held.subtract(role for _, role in self.found.roles.get(group, ()))
        else:
            self._walk()

    def _because(self, entry: JournalEntry, lost: bool) -> str:
        """Return who did what to a role, as the end of a sentence."""
        who, group = keys.spoken(entry.actor, self.names), entry.type == "Group"
        taken = [slug for name, change in entry.changes.items() if name.startswith("roles.")
                 for slug in _slugs(change.get("before"))]  # fmt: skip
        if entry.action == "unassign" and any((entry.request, slug) in self.found.removed for slug in taken):
            return f"{who} removed the role from the catalogue"
        if entry.action == "assign":
            return f"{who} assigned the role {f'to the group {entry.name}' if group else 'by hand'}"
        if entry.action == "unassign":
            return f"{who} withdrew the role {f'from the group {entry.name}' if group else 'by hand'}"
        if group:
            return (
                f"{who} {f'deleted the group {entry.name}' if entry.action == 'delete' else self._moved(entry, lost)}"
            )
        return f"{who} sent {'other roles' if lost else 'the roles'}"

    def _moved(self, entry: JournalEntry, lost: bool) -> str:
        moved = _ids(entry, "removedIds" if lost else "addedIds")
        inner = "" if self.user.id in moved or not moved & self.found.above.keys() else "a group around "
        return f"{'took' if lost else 'put'} {inner}{self.user.name} {'out of' if lost else 'into'} {entry.name}"


def _ids(entry: JournalEntry, name: str) -> set[str]:
    members = entry.changes.get("members")
    return set(members.get(name, ())) if isinstance(members, dict) else set()


def _slugs(value: Any) -> list[str]:
    return [each["value"] if isinstance(each, dict) else each for each in value or ()]
