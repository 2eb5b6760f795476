"""The records of a change: a journal entry for people, and events for applications."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas import events as kinds
from schemas.datetimes import now
from schemas.json import to_text
from schemas.resource import Document
from storage import effective_roles, events, history, journal, members, roles
from storage.database import Connection
from storage.effective_roles import HeldRole, HeldRoles, NamedUser
from storage.events import NewEvent
from storage.group_rules import GroupRule, RuleStep
from storage.journal import Author, JournalEntry
from storage.members import MemberChange
from storage.resources import ResourceRow, name_of
from storage.roles import Role

# A change that touches more people than this is one event, and applications read the holders of its roles again.
MANY = 500
NONE: HeldRoles = frozenset()


@dataclass(frozen=True, slots=True)
class Reach:
    """The users whose roles a change may touch, with their roles before it; `many` if there are more than MANY.

    `people` is the number of many users who may lose a role, None where nobody loses one.
    """

    slugs: Sequence[str] = ()
    before: Mapping[int, HeldRoles] = field(default_factory=dict)
    many: bool = False
    people: int | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """A resource before its deletion: its document, data that goes with it, and the users whose roles may change."""

    row: ResourceRow
    document: Document
    withdrawn: Document
    members: MemberChange
    reach: Reach


class Changes:
    """Writes the journal entry and the events of each change of one author, in the transaction of the change."""

    def __init__(
        self,
        connection: Connection,
        author: Author,
        announce: Callable[[JournalEntry], None],
        emitted: Callable[[Sequence[NewEvent]], None],
    ) -> None:
        """Write for an author; `announce` gets each journal entry, `emitted` the events of each change."""
        self.connection = connection
        self.author = author
        self.announce = announce
        self.emitted = emitted

    def note(self, action: str, subject: tuple[str, str, str], changes: Document) -> int:
        """Write a journal entry and return its number; `subject` is the type, id and name of the changed object."""
        at = now()
        seq = journal.append(self.connection, at, self.author, action, subject, changes)
        self.announce(JournalEntry(seq, at, self.author.actor, self.author.request, action, *subject, changes))
        return seq

    def created(self, row: ResourceRow, document: Document, moved: MemberChange, remarks: Document) -> None:
        """Write that a resource is new; no group has it yet, so its roles are its own."""
        self._note("create", row, ({}, document), members.journalled(self.connection, moved) | remarks, moved)
        attributes = [name for name in document if name not in ("schemas", "active")]
        if row.type == "Group":
            data = {**_group(row.id, document), "attributes": attributes, "members": len(moved.added)}
            self._emit("create", [NewEvent(kinds.GROUP_CREATED, "Group", row.id, data)])
            return
        person = effective_roles.named_user(row, document)
        found = [_user(kinds.USER_CREATED, person, {"attributes": attributes, "active": person.active})]
        found += _effects(person, (False, NONE), (person.active, _direct(document)), "created")
        self._emit("create", found)

    def updated(
        self, action: str, row: ResourceRow, states: tuple[Document, Document], moved: MemberChange, remarks: Document
    ) -> None:
        """Write how a resource changed from one document to another, and the effect on its members' roles."""
        counted = members.journalled(self.connection, moved)
        self._note(action, row, states, counted | remarks, moved)
        if row.type == "User":
            self._emit(action, self._user_changes(row, *states))
            return
        before, after = states
        named, found = _group(row.id, after), []
        if before["displayName"] != after["displayName"]:
            found.append(NewEvent(kinds.GROUP_RENAMED, "Group", row.id, {**named, "before": before["displayName"]}))
        if moved:
            found.append(NewEvent(kinds.GROUP_MEMBERS, "Group", row.id, {**named, **counted["members"]}))
        self._emit(action, found)
        if moved:
            reach = self._reach_of_members(row.seq, moved)
            self._settle(action, reach, ("Group", row.id, after["displayName"]), "members changed")

    def before_deletion(self, row: ResourceRow) -> Departure:
        """Read, before the deletion, the data that `deleted` needs."""
        if row.type == "User":
            reach = Reach(before=effective_roles.held_roles(self.connection, [row.seq]))
        else:
            reach = self.reach([row.seq], effective_roles.inherited_from(self.connection, row.seq))
        moved = members.everyone(self.connection, row.seq)
        return Departure(row, row.document_with_roles, self._withdrawn(row, moved), moved, reach)

    def deleted(self, gone: Departure) -> None:
        """Write that a resource was deleted, and before that the effect on roles and logins."""
        row, document = gone.row, gone.document
        self._note("delete", row, (document, {}), gone.withdrawn, gone.members)
        if row.type == "User":
            person = effective_roles.named_user(row, document)
            found = _effects(person, (person.active, gone.reach.before[row.seq]), (False, NONE), "deleted")
            self._emit("delete", [*found, _user(kinds.USER_DELETED, person, {})])
            return
        self._settle("delete", gone.reach, ("Group", row.id, document["displayName"]), "group deleted")
        self._emit("delete", [NewEvent(kinds.GROUP_DELETED, "Group", row.id, _group(row.id, document))])

    def reach(self, seqs: Sequence[int], slugs: Sequence[str], *, losing: bool = True) -> Reach:
        """Return the users that a change of roles of some users and groups will touch, read before the change."""
        if not slugs or not seqs:
            return Reach()
        people = effective_roles.users_below(self.connection, seqs, MANY + 1)
        if len(people) > MANY:
            return self._many(slugs, seqs if losing else ())
        return Reach(slugs, effective_roles.held_roles(self.connection, people))

    def assigned(self, row: ResourceRow, source: str, slug: str, reach: Reach, *, given: bool = True) -> None:
        """Write that a role was assigned by hand, or withdrawn."""
        action, why = ("assign", "role assigned") if given else ("unassign", "role withdrawn")
        self._settle(action, reach, (row.type, row.id, row.name), why)
        self._note_roles(row, source, slug, given)

    def role_edited(self, before: Role, after: Role) -> None:
        """Write that a role of the catalogue has changed; the catalogue has no events."""
        names = ("name", "description", "grantedBy")
        states = ({name: getattr(role, name) for name in names} for role in (before, after))
        self.note("replace", ("Role", after.slug, after.name), journal.difference(*states))

    def rules_followed(self, steps: Sequence[RuleStep], reach: Reach, cause: tuple[str, str, str]) -> None:
        """Write that rules gave roles to groups or withdrew them; `cause` is the type, id and name of the change."""
        self._settle("assign", reach, cause, "group rule")
        for row, rule, slug, given in steps:
            self._note_roles(row, roles.GROUP, slug, given, rule=rule.pattern)

    def rule_set(self, before: GroupRule, after: GroupRule) -> None:
        """Write that a rule is new, changed or ended."""
        action = "replace" if before.roles and after.roles else "create" if after.roles else "delete"
        states = ({"pattern": rule.pattern, "roles": list(rule.roles)} for rule in (before, after))
        self.note(action, ("GroupRule", after.pattern, after.pattern), journal.difference(*states))

    def role_removed(self, role: Role, holders: Iterable[tuple[ResourceRow, str, int]], reach: Reach) -> None:
        """Write that a role was removed from the catalogue and from its holders."""
        for row, source, number in holders:
            self._note_roles(row, source, role.slug, False, number)
        self._settle("unassign", reach, ("Role", role.slug, role.name), "role removed")
        self.note("delete", ("Role", role.slug, role.name), {})

    def _note(
        self, action: str, row: ResourceRow, states: tuple[Document, Document], beside: Document, moved: MemberChange
    ) -> None:
        """Write the journal entry of a changed document, with the changes beside it."""
        before, after = states
        changes = journal.difference(before, after) | beside
        entry = self.note(action, (row.type, row.id, name_of(after or before)), changes)
        if moved:
            history.append(self.connection, entry, moved)

    def _note_roles(
        self, row: ResourceRow, source: str, slug: str, given: bool, number: int = 1, rule: str | None = None
    ) -> None:
        slugs = [slug] * number
        changes: Document = {f"roles.{source}": _change(([], slugs), given)}
        if rule:
            changes["rule"] = _change((None, rule), given)
        self.note("assign" if given else "unassign", (row.type, row.id, row.name), changes)

    def _emit(self, action: str, found: Sequence[NewEvent]) -> None:
        events.append(self.connection, self.author, action, found)
        if found:
            self.emitted(found)

    def _withdrawn(self, row: ResourceRow, moved: MemberChange) -> Document:
        """Return the data that is deleted with a resource: roles by hand, members, memberships."""
        found: Document = {}
        for role in roles.assigned(self.connection, [row.seq]).get(row.seq, ()):
            if role.source != roles.DIRECT:
                found.setdefault(f"roles.{role.source}", {"before": [], "after": []})["before"].append(role.role)
        found |= members.journalled(self.connection, moved)
        above = members.groups_above(self.connection, [row.seq]).get(row.seq, ())
        direct = [group.id for group in above if group.direct]
        return {**found, "groups": {"before": direct, "after": []}} if direct else found

    def _user_changes(self, row: ResourceRow, before: Document, after: Document) -> list[NewEvent]:
        person = effective_roles.named_user(row, after)
        was, held = before.get("active") is True, before.get("roles") != after.get("roles")
        attributes = [name for name in journal.difference(before, after) if name != "active"]
        found = [_user(kinds.USER_CHANGED, person, {"attributes": attributes})] if attributes else []
        if was != person.active:
            found.append(_user(kinds.USER_REACTIVATED if person.active else kinds.USER_DEACTIVATED, person, {}))
        if held or was != person.active:
            now = effective_roles.held_roles(self.connection, [row.seq])[row.seq]
            then = frozenset(reason for reason in now if reason.source != roles.DIRECT) | _direct(before)
            why = "roles" if was == person.active else "activation"
            found += _effects(person, (was, then), (person.active, now), why)
        return found

    def _reach_of_members(self, group: int, moved: MemberChange) -> Reach:
        """Return the users whose roles a change of a group's members touched: none where no role is inherited."""
        slugs = effective_roles.inherited_from(self.connection, group)
        if not slugs:
            return Reach()
        seqs = moved.added | moved.removed
        people = effective_roles.users_below(self.connection, seqs, MANY + 1) if len(seqs) <= MANY else []
        if len(seqs) > MANY or len(people) > MANY:
            return self._many(slugs, moved.removed)
        return Reach(slugs, effective_roles.held_roles(self.connection, people, group, moved))

    def _many(self, slugs: Sequence[str], losing: Collection[int]) -> Reach:
        """Return the reach of a change for many, by which users and the groups in `losing` may lose roles."""
        people = effective_roles.count_below(self.connection, losing) if losing else None
        return Reach(slugs, many=True, people=people)

    def _settle(self, action: str, reach: Reach, subject: tuple[str, str, str], why: str) -> None:
        """Write the events of effective roles and logins that changed; `subject` is type, id and name of the cause."""
        found = [_of_many(reach, subject, why)] if reach.many else []
        people = list(reach.before)
        if people:
            now = effective_roles.held_roles(self.connection, people)
            for person in effective_roles.named_users(self.connection, people):
                had, has = (person.active, reach.before[person.seq]), (person.active, now[person.seq])
                found += _effects(person, had, has, why)
        self._emit(action, found)


def _effects(person: NamedUser, had: tuple[bool, HeldRoles], has: tuple[bool, HeldRoles], why: str) -> list[NewEvent]:
    """Return the events of a user's effective roles and login, given activity and roles before and after."""
    then, now = {reason.role for reason in had[1]}, {reason.role for reason in has[1]}
    could, can = had[0] and bool(then), has[0] and bool(now)
    state = {"effectiveRoles": sorted(now), "loginAllowed": can}
    found = []
    for kind, slugs, reasons in ((kinds.ROLES_LOST, then - now, had[1]), (kinds.ROLES_GAINED, now - then, has[1])):
        if slugs:
            # As the access extension writes them.
            named = [
                {"value": role, "type": source, **({"source": group} if group else {})}
                for role, source, group in sorted(reasons, key=lambda reason: tuple(part or "" for part in reason))
                if role in slugs
            ]
            found.append(_user(kind, person, {"roles": sorted(slugs), "reasons": named, **state}))
    if could != can:
        kind = kinds.LOGIN_ALLOWED if can else kinds.LOGIN_WITHDRAWN
        found.append(_user(kind, person, {"because": why, **state}))
    return found


def _direct(document: Document) -> HeldRoles:
    return frozenset(HeldRole(role["value"], roles.DIRECT, None) for role in document.get("roles", ()))


def _change(states: tuple[Any, Any], forward: bool) -> dict[str, Any]:
    before, after = states if forward else reversed(states)
    return {"before": before, "after": after}


def _user(kind: str, person: NamedUser, data: dict[str, Any]) -> NewEvent:
    named = {"id": person.id, "userName": person.userName}
    if person.externalId is not None:
        named["externalId"] = person.externalId
    return NewEvent(kind, "User", person.id, {"user": named, **data})


def _group(identifier: str, document: Document) -> dict[str, Any]:
    named = {"id": identifier, "displayName": document["displayName"]}
    if document.get("externalId") is not None:
        named["externalId"] = document["externalId"]
    return {"group": named}


def _of_many(reach: Reach, subject: tuple[str, str, str], why: str) -> NewEvent:
    """Return the one event of a change that touches many users: each role with the filter that selects its holders."""
    kind, identifier, name = subject
    # A string literal of a filter is one of JSON (RFC 7644 section 3.4.2.2).
    walk = [{"role": slug, "filter": f"{kinds.EFFECTIVE}.value eq {to_text(slug)}"} for slug in reach.slugs]
    about = {"type": kind, "id": identifier, "display": name}
    data: Document = {"about": about, "because": why, "roles": list(reach.slugs), "walk": walk}
    if reach.people is not None:
        data["people"] = reach.people
    return NewEvent(kinds.ROLES_OF_MANY, kind, identifier, data)
