"""What a change means to applications: events written beside the journal, in the change's own transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas import events as kinds
from storage import effective_roles, events, journal, roles
from storage.database import Connection
from storage.effective_roles import Person, Reason, Reasons
from storage.events import New
from storage.journal import Author
from storage.members import Change
from storage.resources import Row

# A change that touches more people than this is one event, and applications read the holders of its roles anew.
MANY = 500
NONE: Reasons = frozenset()

Document = dict[str, Any]
# A change of members, and how the journal writes it.
Moved = tuple[Change, Document]


@dataclass(frozen=True, slots=True)
class Reach:
    """Whose roles a change may touch and what they had before it; `many` says that there are too many to tell each."""

    slugs: Sequence[str] = ()
    before: Mapping[int, Reasons] = field(default_factory=dict)
    many: bool = False


def created(
    author: Author, connection: Connection, resource: tuple[str, int, str], document: Document, change: Change
) -> None:
    """Tell of a new resource, given as type, sequence number and id; nobody is above it, so its roles are its own."""
    kind, seq, identifier = resource
    attributes = [name for name in document if name not in ("schemas", "active")]
    if kind == "Group":
        data = {**_group(identifier, document), "attributes": attributes, "members": len(change.added)}
        events.append(connection, author, "create", [New(kinds.GROUP_CREATED, kind, identifier, data)])
        return
    person = Person(seq, identifier, document["userName"], document.get("externalId"), document.get("active") is True)
    extra = {"attributes": attributes, "active": person.active}
    found = [_user(kinds.USER_CREATED, person, extra)]
    found += _effects(person, (False, NONE), (person.active, _direct(document)), "created")
    events.append(connection, author, "create", found)


def saved(
    author: Author,
    connection: Connection,
    action: str,
    row: Row,
    states: tuple[Document, Document],
    moved: Moved | None,
) -> None:
    """Tell how a resource changed from one document to another, and of its members' roles."""
    before, after = states
    if row.type == "Group":
        events.append(connection, author, action, list(_group_changes(row, before, after, moved)))
        if moved:
            _membership(author, connection, action, (row.seq, row.id, after["displayName"]), moved[0])
        return
    person = effective_roles.person(row, after)
    was, held = before.get("active") is True, before.get("roles") != after.get("roles")
    attributes = [name for name in journal.difference(before, after) if name != "active"]
    found = [_user(kinds.USER_CHANGED, person, {"attributes": attributes})] if attributes else []
    if was != person.active:
        found.append(_user(kinds.USER_REACTIVATED if person.active else kinds.USER_DEACTIVATED, person, {}))
    if held or was != person.active:
        now = effective_roles.reasons(connection, [row.seq])[row.seq]
        then = frozenset(reason for reason in now if reason.source != roles.DIRECT) | _direct(before)
        why = "roles" if was == person.active else "activation"
        found += _effects(person, (was, then), (person.active, now), why)
    events.append(connection, author, action, found)


def before_deletion(connection: Connection, row: Row) -> Reach:
    """Return whose roles the deletion of a resource touches; to be settled by `deleted`."""
    if row.type == "User":
        return Reach(before=effective_roles.reasons(connection, [row.seq]))
    return before(connection, [row.seq], effective_roles.inherited_from(connection, row.seq))


def deleted(author: Author, connection: Connection, row: Row, document: Document, reach: Reach) -> None:
    """Tell that a resource is gone, and first whose roles and logins went with it."""
    if row.type == "User":
        person = effective_roles.person(row, document)
        found = _effects(person, (person.active, reach.before[row.seq]), (False, NONE), "deleted")
        events.append(connection, author, "delete", [*found, _user(kinds.USER_DELETED, person, {})])
        return
    settle(author, connection, "delete", reach, ("Group", row.id, document["displayName"]), "group deleted")
    gone = New(kinds.GROUP_DELETED, "Group", row.id, _group(row.id, document))
    events.append(connection, author, "delete", [gone])


def before(connection: Connection, seqs: Sequence[int], slugs: Sequence[str]) -> Reach:
    """Return whom a change of some roles of these users and groups will touch; to be settled by `settle`."""
    if not slugs or not seqs:
        return Reach()
    people = effective_roles.people_below(connection, seqs, MANY + 1)
    if len(people) > MANY:
        return Reach(slugs, many=True)
    return Reach(slugs, effective_roles.reasons(connection, people))


def settle(
    author: Author, connection: Connection, action: str, reach: Reach, subject: tuple[str, str, str], why: str
) -> None:
    """Tell whose effective roles and logins a change has touched; `subject` is type, id and name of what changed."""
    if reach.many:
        events.append(connection, author, action, [_of_many(reach.slugs, subject, why)])
        return
    if not reach.before:
        return
    people = list(reach.before)
    now = effective_roles.reasons(connection, people)
    found: list[New] = []
    for person in effective_roles.persons(connection, people):
        had, has = (person.active, reach.before[person.seq]), (person.active, now[person.seq])
        found += _effects(person, had, has, why)
    events.append(connection, author, action, found)


def _membership(
    author: Author, connection: Connection, action: str, group: tuple[int, str, str], change: Change
) -> None:
    """Tell whose roles a change of a group's members has touched; nothing where no role is inherited through it."""
    seq, identifier, name = group
    slugs = effective_roles.inherited_from(connection, seq)
    if not slugs:
        return
    moved = change.added | change.removed
    people = effective_roles.people_below(connection, moved, MANY + 1) if len(moved) <= MANY else []
    if len(moved) > MANY or len(people) > MANY:
        reach = Reach(slugs, many=True)
    else:
        reach = Reach(slugs, effective_roles.reasons(connection, people, seq, change))
    settle(author, connection, action, reach, ("Group", identifier, name), "members changed")


def _group_changes(row: Row, before: Document, after: Document, moved: Moved | None) -> Iterable[New]:
    named = _group(row.id, after)
    if before["displayName"] != after["displayName"]:
        yield New(kinds.GROUP_RENAMED, "Group", row.id, {**named, "before": before["displayName"]})
    if moved:
        yield New(kinds.GROUP_MEMBERS, "Group", row.id, {**named, **moved[1]})


def _effects(person: Person, had: tuple[bool, Reasons], has: tuple[bool, Reasons], why: str) -> list[New]:
    """Return the events of one person's effective roles and login: whether active, and the reasons, then and now."""
    then, now = {reason.role for reason in had[1]}, {reason.role for reason in has[1]}
    could, can = had[0] and bool(then), has[0] and bool(now)
    state = {"effectiveRoles": sorted(now), "loginAllowed": can}
    found = []
    for kind, slugs, reasons in ((kinds.ROLES_LOST, then - now, had[1]), (kinds.ROLES_GAINED, now - then, has[1])):
        if slugs:
            named = [_reason(reason) for reason in sorted(reasons, key=_order) if reason.role in slugs]
            found.append(_user(kind, person, {"roles": sorted(slugs), "reasons": named, **state}))
    if could != can:
        kind = kinds.LOGIN_ALLOWED if can else kinds.LOGIN_WITHDRAWN
        found.append(_user(kind, person, {"because": why, **state}))
    return found


def _order(reason: Reason) -> tuple[str, str, str]:
    return reason.role, reason.source, reason.group or ""


def _reason(reason: Reason) -> dict[str, str]:
    """Return a reason as the access extension writes one."""
    found = {"value": reason.role, "type": reason.source}
    return {**found, "source": reason.group} if reason.group else found


def _direct(document: Document) -> Reasons:
    return frozenset(Reason(role["value"], roles.DIRECT, None) for role in document.get("roles", ()))


def _user(kind: str, person: Person, data: dict[str, Any]) -> New:
    named = {"id": person.id, "userName": person.userName}
    if person.externalId is not None:
        named["externalId"] = person.externalId
    return New(kind, "User", person.id, {"user": named, **data})


def _group(identifier: str, document: Document) -> dict[str, Any]:
    named = {"id": identifier, "displayName": document["displayName"]}
    if document.get("externalId") is not None:
        named["externalId"] = document["externalId"]
    return {"group": named}


def _of_many(slugs: Sequence[str], subject: tuple[str, str, str], why: str) -> New:
    """Return the one event of a change that touches many: its roles, and for each the filter that selects who has it.

    A filter tells of both, those who gained the role and those who lost it: they are no longer among the holders.
    """
    kind, identifier, name = subject
    quoted = {slug: slug.replace("\\", "\\\\").replace('"', '\\"') for slug in slugs}
    walk = [{"role": slug, "filter": f'{kinds.EFFECTIVE}.value eq "{quoted[slug]}"'} for slug in slugs]
    about = {"type": kind, "id": identifier, "display": name}
    return New(kinds.ROLES_OF_MANY, kind, identifier, {"about": about, "because": why, "roles": [*slugs], "walk": walk})
