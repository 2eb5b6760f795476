"""The six operations on users and groups, one straight chain each: validate, one transaction, answer; no Flask."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas import ResourceType
from schemas.errors import PayloadTooLarge, Uniqueness
from schemas.filters.evaluation import evaluate_element
from schemas.messages import read_patch
from schemas.tolerances import Tolerance, note
from scim.protocol import patch as patching
from scim.protocol.etags import Conditions, check_if_match, check_if_none_match, etag, not_modified
from scim.protocol.patch import MOST_VISITED
from scim.protocol.patch_members import MemberEdit
from scim.protocol.projection import Projection
from scim.service import fuse
from scim.service.context import Answer, Context
from scim.service.representation import location, pieces
from scim.service.role_policy import Accepted, accept, with_kept_details, withdrawn
from storage import changes as record
from storage import journal, members, resources, roles
from storage.database import Connection
from storage.resources import Row
from storage.search import get_role

SMALL_GROUP = 200

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """What a resource shall become: its document, roles included, and the edits of its members."""

    document: Document
    edits: Sequence[MemberEdit] = field(default=())


def create(context: Context, kind: ResourceType, body: Any, projection: Projection) -> Answer:
    """Create a resource (RFC 7644 section 3.3); an Okta key's POST re-activates a deactivated user."""
    target = _target(kind, kind.load(body))
    if kind.name == "User":
        target.document.setdefault("active", True)
    with context.database.write(alone=kind.name != "User") as connection:
        sent = target.document.pop("roles", [])
        accepted = accept(context, connection, sent)
        try:
            seq, identifier = resources.insert(connection, kind, target.document)
        except Uniqueness as taken:
            identifier = _reactivate(context, connection, kind, target.document, sent, taken)
            return _answer(context, connection, kind, identifier, projection, 201)
        roles.set_direct(connection, seq, (), accepted.roles, context.author.actor)
        change = _edit_members(context, connection, seq, target.edits)
        extra = _members_changed(connection, change) | accepted.journalled
        after = _with_roles(target.document, accepted.roles)
        _record(context, connection, "create", (kind.name, identifier), {}, after, extra)
        record.created(context.author, connection, (kind.name, seq, identifier), after, change)
        return _answer(context, connection, kind, identifier, projection, 201)


def retrieve(
    context: Context, kind: ResourceType, identifier: str, projection: Projection, conditions: Conditions
) -> Answer:
    """Return a resource by id (RFC 7644 section 3.4.1); 304 when the client has this version already."""

    def read(connection: Connection) -> Answer:
        row = _get(connection, kind, identifier)
        check_if_match(conditions.if_match, row.version)
        if not_modified(conditions.if_none_match, row.version, row.epoch):
            return Answer(304, (), etag(row.version, row.epoch))
        return _single(context, connection, row, projection, 200)

    return context.database.look(read)


@fuse.recorded
def replace(
    context: Context, kind: ResourceType, identifier: str, body: Any, projection: Projection, conditions: Conditions
) -> Answer:
    """Replace a resource (RFC 7644 section 3.5.1): what the body leaves out is cleared, save `active`."""
    target = _target(kind, kind.load(body))
    with context.database.write(alone=kind.name != "User") as connection:
        row = _current(connection, kind, identifier, conditions)
        before = row.document_with_roles
        if kind.name == "User" and "active" in before:
            target.document.setdefault("active", before["active"])
        _save(context, connection, "replace", row, before, target)
        return _answer(context, connection, kind, identifier, projection, 200)


@fuse.recorded
def patch(
    context: Context, kind: ResourceType, identifier: str, body: Any, projection: Projection, conditions: Conditions
) -> Answer:
    """Apply a PatchOp to a resource, all of it or nothing (RFC 7644 section 3.5.2); 204 for a large group."""
    operations = read_patch(body)
    with context.database.write(alone=kind.name != "User") as connection:
        row = _current(connection, kind, identifier, conditions)
        before = row.document_with_roles
        patched = patching.apply(kind.schema, before, operations)
        _save(context, connection, "patch", row, before, Target(kind.load(patched.document), patched.member_edits))
        if kind.name != "User" and projection.is_default and _is_large(connection, row):
            row = resources.get(connection, kind.name, identifier)
            return Answer(204, (), etag(row.version, row.epoch), location(context, kind.name, identifier))
        return _answer(context, connection, kind, identifier, projection, 200)


@fuse.recorded
def delete(context: Context, kind: ResourceType, identifier: str, conditions: Conditions) -> Answer:
    """Delete a resource and all that refers to it (RFC 7644 section 3.6)."""
    with context.database.write(alone=kind.name != "User") as connection:
        row = _current(connection, kind, identifier, conditions)
        fuse.guard(context, connection, row, stays_active=False)
        before = row.document_with_roles
        extra = withdrawn(connection, row)
        reach = record.before_deletion(connection, row)
        resources.delete(connection, row)
        _record(context, connection, "delete", (kind.name, identifier), before, {}, extra)
        record.deleted(context.author, connection, row, before, reach)
        return Answer(204)


def _target(kind: ResourceType, document: Document) -> Target:
    """Split a whole document: a group's members are rows, and a body without any clears them."""
    if kind.name == "User":
        return Target(document)
    ids = tuple(member["value"] for member in document.pop("members", ()))
    return Target(document, [MemberEdit("replace", ids)])


def _get(connection: Connection, kind: ResourceType, identifier: str) -> Row:
    if kind.name == "Role":
        return get_role(connection, identifier)
    return resources.get(connection, kind.name, identifier)


def _current(connection: Connection, kind: ResourceType, identifier: str, conditions: Conditions) -> Row:
    row = resources.get(connection, kind.name, identifier)
    check_if_match(conditions.if_match, row.version)
    check_if_none_match(conditions.if_none_match, row.version, row.epoch)
    return row


def _save(context: Context, connection: Connection, action: str, row: Row, before: Document, target: Target) -> None:
    """Write the difference between what a resource is and what it shall become; nothing when there is none."""
    fuse.guard(context, connection, row, target.document.get("active") is True)
    held = before.get("roles", [])
    sent = with_kept_details(target.document.pop("roles", []), held)
    accepted = accept(context, connection, sent) if sent != held else Accepted(held)
    after = _with_roles(target.document, accepted.roles)
    change = _edit_members(context, connection, row.seq, target.edits)
    if after != before or change:
        resources.update(connection, context.resource_types[row.type], row, before, target.document)
    elif not accepted.ignored:
        return
    if accepted.roles != held:
        roles.set_direct(connection, row.seq, held, accepted.roles, context.author.actor)
    extra = _members_changed(connection, change) | accepted.journalled
    _record(context, connection, action, (row.type, row.id), before, after, extra)
    moved = (change, extra["members"]) if change else None
    record.saved(context.author, connection, action, row, (before, after), moved)


def _with_roles(document: Document, direct: list[dict[str, Any]]) -> Document:
    return {**document, "roles": direct} if direct else document


def _members_changed(connection: Connection, change: members.Change) -> dict[str, Any]:
    return {"members": members.journalled(connection, change)} if change else {}


def _edit_members(context: Context, connection: Connection, group: int, edits: Sequence[MemberEdit]) -> members.Change:
    change = members.Change()
    _check_effort(connection, group, edits)
    for edit in edits:
        if edit.kind == "add":
            members.add(connection, group, edit.ids, change)
        elif edit.kind == "remove":
            members.remove(connection, group, edit.ids, change)
        elif edit.kind == "remove-where":
            members.remove(connection, group, _matching(context, connection, group, edit), change)
        else:
            members.replace(connection, group, edit.ids, change)
    members.apply_change(connection, change)
    return change


def _check_effort(connection: Connection, group: int, edits: Sequence[MemberEdit]) -> None:
    """Refuse filters that would go through a large group again and again while others wait for the writer."""
    filters = sum(edit.kind == "remove-where" for edit in edits)
    if filters > 1 and filters * members.count(connection, group, MOST_VISITED) > MOST_VISITED:
        raise PayloadTooLarge("members: many filters on a group so large; send fewer of them at once, or ids.")


def _matching(context: Context, connection: Connection, group: int, edit: MemberEdit) -> list[str]:
    """Return the ids of the members that a filter means, asked of elements as GET shows them."""
    found = (
        {"value": identifier, "$ref": location(context, kind, identifier), "display": display, "type": kind}
        for identifier, kind, display in members.elements(connection, group)
    )
    return [str(element["value"]) for element in found if edit.filter and evaluate_element(edit.filter, element)]


def _record(
    context: Context,
    connection: Connection,
    action: str,
    subject: tuple[str, str],
    before: Document,
    after: Document,
    extra: dict[str, Any],
) -> None:
    """Write the journal's entry: how the document changed, and what changed beside it."""
    changes = journal.difference(before, after) | extra
    named = after or before
    name = named.get("userName") or named["displayName"]
    journal.append(connection, context.author, action, (*subject, name), changes)


def _reactivate(
    context: Context,
    connection: Connection,
    kind: ResourceType,
    document: Document,
    sent: list[dict[str, Any]],
    taken: Uniqueness,
) -> str:
    """Take an Okta key's POST for a deactivated user as its re-activation: Okta would repeat a 409 for ever.

    :raises Uniqueness: when the name's holder is active, or the caller is not Okta, or does not want it active.
    """
    if kind.name != "User" or context.key.idp != "okta" or document["active"] is not True:
        raise taken
    row = resources.find(connection, kind.name, document["userName"])
    if row is None or row.active:
        raise taken
    note(Tolerance.REACTIVATED, row.id)
    before = row.document_with_roles
    _save(context, connection, "reactivate", row, before, Target({**document, "roles": sent}))
    return row.id


def _is_large(connection: Connection, row: Row) -> bool:
    return members.count(connection, row.seq, SMALL_GROUP + 1) > SMALL_GROUP


def _answer(
    context: Context,
    connection: Connection,
    kind: ResourceType,
    identifier: str,
    projection: Projection,
    status: int,
) -> Answer:
    return _single(context, connection, resources.get(connection, kind.name, identifier), projection, status)


def _single(context: Context, connection: Connection, row: Row, projection: Projection, status: int) -> Answer:
    found = pieces(context, connection, row, projection)
    return Answer(status, found, etag(row.version, row.epoch), location(context, row.type, row.id), row.id)
