"""The timeline of a person or group: groups joined and left, roles gained and lost, and why; replayed from the journal.

The replay goes back from the present, which the tables have, so that a pruned journal still gives right answers.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from storage.history import Step, Trail
from storage.journal import JournalEntry
from storage.resources import ResourceRow

# A group has no login and no roles of its own: a member that stands for all is followed instead.
MEMBER = ""
NOTHING = Counter[str]()
DIRECT, MANUAL = "direct", "manual"


@dataclass(frozen=True, slots=True)
class Moment:
    """An entry with its effect: the members that moved, roles gained and lost, whether a login began or ended.

    `emptied` tells whether the last role was lost.
    """

    entry: JournalEntry
    moved: Mapping[str, bool]
    gained: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    login: bool | None = None
    emptied: bool = False

    @property
    def deactivated(self) -> bool:
        """Whether the entry made a person inactive, or created an inactive one."""
        change = self.entry.changes.get("active") if self.entry.type == "User" else None
        return change is not None and change["after"] is not True


class _State:
    """Activity, groups and roles of the subject at one moment, undone entry by entry."""

    def __init__(self, subject: ResourceRow, held: Mapping[str, set[str]], trail: Trail) -> None:
        self.id, self.member = subject.id, subject.id if subject.type == "User" else MEMBER
        self.active = bool(subject.active) or self.member == MEMBER
        self.own = {source: set(held.get(source, ())) for source in (DIRECT, MANUAL)}
        self.above: dict[str, set[str]] = {}
        self.inside: dict[str, set[str]] = {}
        # A group may have a role for several reasons: by hand and by rules.
        self.given = {group: Counter(slugs) for group, slugs in trail.given.items()}
        self._through: dict[str, set[str]] = {}
        self._counts: Counter[str] = Counter()
        for member, groups in trail.above.items():
            for group in groups:
                self._join(member, group)
        if self.member == MEMBER:
            self._join(MEMBER, subject.id)
        self._count(self.above.get(self.member, set()))

    @property
    def roles(self) -> frozenset[str]:
        """The slugs of all effective roles."""
        return frozenset().union(*self.own.values(), self._counts)

    def undo(self, step: Step) -> bool:
        """Go back before an entry; tell whether the entry was about the subject or a group above it."""
        entry = step.entry
        if entry.type == "User":
            self._undo_own(entry)
            return True
        touched = reached_from(self.inside, entry.resource)
        for member, joined in step.moved.items():
            if joined:
                self.above.get(member, set()).discard(entry.resource)
                self.inside.get(entry.resource, set()).discard(member)
            else:
                self._join(member, entry.resource)
        if change := entry.changes.get("roles.group"):
            given = self.given.setdefault(entry.resource, Counter())
            given.subtract(change["after"])
            given.update(change["before"])
        for group in entry.changes.get("groups", {}).get("before", ()):
            self._join(entry.resource, group)
        touched |= reached_from(self.inside, entry.resource)
        return self._count(touched) or self.id in step.moved

    def _undo_own(self, entry: JournalEntry) -> None:
        changes = entry.changes
        if "active" in changes:
            self.active = changes["active"]["before"] is True
        if "roles" in changes:
            self.own[DIRECT] = {role["value"] for role in changes["roles"]["before"] or ()}
        for source, slugs in self.own.items():
            if change := changes.get(f"roles.{source}"):
                slugs -= set(change["after"])
                slugs |= set(change["before"])

    def _join(self, member: str, group: str) -> None:
        self.above.setdefault(member, set()).add(group)
        self.inside.setdefault(group, set()).add(member)

    def _count(self, groups: Iterable[str]) -> bool:
        """Count again the roles that come through some of the subject's own groups; tell whether there is one."""
        now, reached = self.above.get(self.member, set()), False
        for group in groups:
            if group not in now and group not in self._through:
                continue
            reached = True
            self._counts.subtract(self._through.pop(group, ()))
            if group in now:
                reached_groups = reached_from(self.above, group)
                self._through[group] = set().union(*(+self.given.get(one, NOTHING) for one in reached_groups))
                self._counts.update(self._through[group])
        self._counts = +self._counts if reached else self._counts
        return reached


def reached_from(edges: Mapping[str, set[str]], start: str) -> set[str]:
    """Return a person or group and all that the edges lead to; circles end."""
    reached, waiting = set[str](), {start}
    while waiting:
        reached |= waiting
        waiting = set().union(*(edges.get(one, ()) for one in waiting)) - reached
    return reached


def replay(subject: ResourceRow, held: Mapping[str, set[str]], trail: Trail) -> Iterator[Moment]:
    """Yield each entry about a person or group, or a group above it, with its effect, the newest first.

    `held` are the subject's own roles by source. An entry before `known_from` has no effect that is certain.
    """
    state = _State(subject, held, trail)
    after, could = state.roles, state.active and bool(state.roles)
    for step in trail.steps:
        if step.entry.seq < trail.known_from:
            if step.entry.type == "User" or subject.id in step.moved:
                yield Moment(step.entry, step.moved)
            continue
        concerned = state.undo(step)
        before = state.roles
        can, could_before = could, state.active and bool(before)
        if concerned:
            yield Moment(
                step.entry, step.moved, tuple(sorted(after - before)), tuple(sorted(before - after)),
                can if can != could_before else None, bool(before and not after),
            )  # fmt: skip
        after, could = before, could_before
