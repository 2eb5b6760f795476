"""The operations on users, groups and roles, each in three steps: validate, one transaction, answer."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from schemas import ResourceType
from schemas.errors import PayloadTooLarge, Uniqueness
from schemas.filters.evaluation import evaluate_element
from schemas.filters.nodes import leaf_count
from schemas.messages import read_patch
from schemas.resource import Document
from schemas.tolerances import Tolerance, note
from scim.protocol import patch as patching
from scim.protocol.etags import Conditions, check_if_match, check_if_none_match, etag, not_modified
from scim.protocol.patch_members import MemberEdit
from scim.protocol.projection import Projection
from scim.service import fuse
from scim.service.context import Answer, Context
from scim.service.representation import location, pieces, projected
from scim.service.role_policy import accept, naming, with_kept_details
from storage import members
from storage.members import Edit
from storage.repository import Snapshot, Transaction
from storage.resources import ResourceRow

SMALL_GROUP = 200
# How many members the filters of a request may visit, and how many comparisons they may make: about a second each.
MOST_VISITED, MOST_COMPARED = 250_000, 2_000_000


class NewState(NamedTuple):
    """The state that a client wants for a resource: its document, roles included, and the edits of its members."""

    document: Document
    edits: Sequence[MemberEdit] = ()


def create(context: Context, kind: ResourceType, body: Any, projection: Projection) -> Answer:
    """Create a resource (RFC 7644 section 3.3); an Okta key's POST re-activates a deactivated user."""
    document = kind.load(body)
    if kind.name == "User":
        document.setdefault("active", True)
    member_ids = [member["value"] for member in document.pop("members", ())]
    with context.repository.writing(context.author, kind.name) as write:
        accepted = accept(context, write, document.get("roles", []))
        try:
            row = write.insert(kind, accepted.of(document), member_ids, accepted.remarks)
        except Uniqueness as taken:
            row = _reactivate(context, write, kind, document, taken)
        return _answer(context, write, row, projection, 201)


def retrieve(
    context: Context, kind: ResourceType, identifier: str, projection: Projection, conditions: Conditions
) -> Answer:
    """Return a resource by id (RFC 7644 section 3.4.1); 304 when the client has this version already."""
    with context.repository.reading() as snapshot:
        row = snapshot.get(kind.name, identifier)
        check_if_match(conditions.if_match, row.version)
        if not_modified(conditions.if_none_match, row.version, row.epoch):
            return Answer(304, (), etag(row.version, row.epoch), location(context, row.type, row.id))
        found = pieces(context, snapshot.connection, row, projection)
    return _answer_of(context, row, found, projection, 200)


@fuse.recorded
def replace(
    context: Context, kind: ResourceType, identifier: str, body: Any, projection: Projection, conditions: Conditions
) -> Answer:
    """Replace a resource (RFC 7644 section 3.5.1): attributes that the body lacks are cleared, except `active`."""
    wanted = _new_state(kind, kind.load(body))
    with context.repository.writing(context.author, kind.name) as write:
        row = _current(write, kind, identifier, conditions)
        before = row.document_with_roles
        if kind.name == "User" and "active" in before:
            wanted.document.setdefault("active", before["active"])
        row = _save(context, write, "replace", row, before, _detailed(wanted, before))
        return _answer(context, write, row, projection, 200)


@fuse.recorded
def patch(
    context: Context, kind: ResourceType, identifier: str, body: Any, projection: Projection, conditions: Conditions
) -> Answer:
    """Apply a PatchOp to a resource, all of it or nothing (RFC 7644 section 3.5.2); 204 for a large group."""
    operations = read_patch(body)
    with context.repository.writing(context.author, kind.name) as write:
        row = _current(write, kind, identifier, conditions)
        before = row.document_with_roles
        patched = patching.apply(kind.schema, before, operations, {"roles": naming(write.connection)})
        wanted = NewState(kind.load_changed(patched.document), patched.member_edits)
        row = _save(context, write, "patch", row, before, wanted)
        is_plain = kind.name != "User" and projection.is_default
        if is_plain and members.count(write.connection, row.seq, SMALL_GROUP + 1) > SMALL_GROUP:
            return Answer(204, (), etag(row.version, row.epoch), location(context, kind.name, identifier))
        return _answer(context, write, row, projection, 200)


@fuse.recorded
def delete(context: Context, kind: ResourceType, identifier: str, conditions: Conditions) -> Answer:
    """Delete a resource and all that refers to it (RFC 7644 section 3.6)."""
    with context.repository.writing(context.author, kind.name) as write:
        row = _current(write, kind, identifier, conditions)
        fuse.guard(context, write, row, stays_active=False)
        write.delete(row)
        return Answer(204)


def _new_state(kind: ResourceType, document: Document) -> NewState:
    """Split a whole document: members become edits, and a group's body without members clears them."""
    if kind.name == "User":
        return NewState(document)
    ids = tuple(member["value"] for member in document.pop("members", ()))
    return NewState(document, [MemberEdit("replace", ids)])


def _detailed(wanted: NewState, before: Document) -> NewState:
    """Return the state with what is stored of the roles that were sent as bare slugs."""
    sent, held = wanted.document.get("roles"), before.get("roles")
    if not sent or not held:
        return wanted
    return NewState({**wanted.document, "roles": with_kept_details(sent, held)}, wanted.edits)


def _current(write: Transaction, kind: ResourceType, identifier: str, conditions: Conditions) -> ResourceRow:
    row = write.get(kind.name, identifier)
    check_if_match(conditions.if_match, row.version)
    check_if_none_match(conditions.if_none_match, row.version, row.epoch)
    return row


def _save(
    context: Context, write: Transaction, action: str, row: ResourceRow, before: Document, wanted: NewState
) -> ResourceRow:
    """Write the difference between a resource and its wanted state; return the row."""
    fuse.guard(context, write, row, wanted.document.get("active") is True)
    accepted = accept(context, write, wanted.document.get("roles", []), before.get("roles", []))
    _check_effort(write, row, wanted.edits)
    edits = _member_edits(context, write, row, wanted.edits)
    kind, after = context.resource_types[row.type], accepted.of(wanted.document)
    return write.update(kind, row, before, after, edits, action=action, remarks=accepted.remarks)


def _member_edits(
    context: Context, write: Transaction, group: ResourceRow, edits: Sequence[MemberEdit]
) -> Iterator[Edit]:
    """Yield the edits of a group's members; a filter becomes the ids that it matches after the earlier edits."""
    for edit in edits:
        if edit.filter is None:
            yield edit.kind, edit.ids
            continue
        # Members are compared as GET shows them.
        found = (
            {"value": identifier, "$ref": location(context, kind, identifier), "display": display, "type": kind}
            for identifier, kind, display in members.elements(write.connection, group.seq)
        )
        yield "remove", [str(element["value"]) for element in found if evaluate_element(edit.filter, element)]


def _check_effort(write: Transaction, group: ResourceRow, edits: Sequence[MemberEdit]) -> None:
    """Refuse filters that would each read a large group while other writes wait."""
    filters = [leaf_count(edit.filter) for edit in edits if edit.filter is not None]
    if not filters or filters == [1]:
        return
    size = members.count(write.connection, group.seq, MOST_COMPARED)
    if (len(filters) > 1 and len(filters) * size > MOST_VISITED) or sum(filters) * size > MOST_COMPARED:
        raise PayloadTooLarge("members: too many filters for a group of this size; send fewer at once, or ids.")


def _reactivate(
    context: Context, write: Transaction, kind: ResourceType, document: Document, taken: Uniqueness
) -> ResourceRow:
    """Re-activate the deactivated user of that name for an Okta key: Okta would repeat a POST answered 409 endlessly.

    :raises Uniqueness: unless an Okta key asks for an active user and the holder of the name is deactivated.
    """
    if kind.name != "User" or context.key.idp != "okta" or document["active"] is not True:
        raise taken
    row = write.find(kind.name, document["userName"])
    if row is None or row.active:
        raise taken
    note(Tolerance.REACTIVATED, row.id)
    before = row.document_with_roles
    return _save(context, write, "reactivate", row, before, _detailed(NewState(document), before))


def _answer(context: Context, snapshot: Snapshot, row: ResourceRow, projection: Projection, status: int) -> Answer:
    return _answer_of(context, row, pieces(context, snapshot.connection, row, projection), projection, status)


def _answer_of(context: Context, row: ResourceRow, found: list[bytes], projection: Projection, status: int) -> Answer:
    body = found if projection.is_default else [projected(found[0].decode(), projection).encode()]
    return Answer(status, body, etag(row.version, row.epoch), location(context, row.type, row.id), row.id)
