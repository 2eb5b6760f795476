"""Stored rows as SCIM documents: JSON text joined from what is stored and what is derived, parsed by nobody."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from schemas import access
from scim.context import Context
from scim.preconditions import etag
from scim.projection import Projection
from storage import members, roles
from storage.database import Connection
from storage.instants import to_json
from storage.members import Membership
from storage.resources import Row
from storage.roles import Assignment

Reasons = list[tuple[Assignment, str | None]]

_quoted = json.encoder.encode_basestring


@dataclass(frozen=True, slots=True)
class Derived:
    """What is derived for some resources: the groups above each, and the assignments of each and of those groups."""

    groups: Mapping[int, list[Membership]]
    assigned: Mapping[int, list[Assignment]]

    def reasons(self, seq: int) -> Reasons:
        """Return a user's effective roles, each with the id of the group that gives it, or None (own roles)."""
        found: Reasons = [(assignment, None) for assignment in self.assigned.get(seq, ())]
        for above in self.groups.get(seq, ()):
            found += [(assignment, above.id) for assignment in self.assigned.get(above.group, ())]
        return found


def derive(connection: Connection, rows: Sequence[Row]) -> Derived:
    """Read what is derived for resources, in two statements however many there are."""
    seqs = [row.seq for row in rows if row.type != "Role"]
    if not seqs:
        return Derived({}, {})
    users = [row.seq for row in rows if row.type == "User"]
    groups = members.groups_above(connection, users) if users else {}
    above = {membership.group for memberships in groups.values() for membership in memberships}
    return Derived(groups, roles.assigned(connection, [*seqs, *above]))


def stored_document(connection: Connection, row: Row) -> dict[str, Any]:
    """Return what clients can write of a resource: its document, with a user's direct roles as objects."""
    document: dict[str, Any] = json.loads(row.document)
    if row.type == "User":
        direct = [
            role for role in roles.assigned(connection, [row.seq]).get(row.seq, ()) if role.source == roles.DIRECT
        ]
        if direct:
            document["roles"] = [sent_role(role) for role in direct]
    return document


def sent_role(role: Assignment) -> dict[str, Any]:
    """Return a direct role as the client sent it."""
    sent = {"value": role.role, "display": role.display, "type": role.type}
    found: dict[str, Any] = {key: value for key, value in sent.items() if value is not None}
    return found if role.primary is None else {**found, "primary": bool(role.primary)}


def texts(context: Context, connection: Connection, rows: Sequence[Row], projection: Projection) -> list[str]:
    """Return the JSON text of resources for the caller's key (RFC 7644 section 3.9)."""
    derived = derive(connection, rows)
    found = [_text(context, connection, row, derived, projection) for row in rows]
    if projection.is_default:
        return found
    return [dump(projection.apply(json.loads(text))) for text in found]


def _text(context: Context, connection: Connection, row: Row, derived: Derived, projection: Projection) -> str:
    extra: Iterable[str] = ()
    if row.type == "User":
        extra = _user_parts(context, row, derived)
    elif row.type == "Group":
        extra = _group_parts(context, connection, row, derived, projection)
    parts = [row.document[:-1], *extra, f'"meta":{_meta(context, row)}']
    return f'{{"id":{_quoted(row.id)},' + ",".join(parts)[1:] + "}"


def _meta(context: Context, row: Row) -> str:
    return (
        f'{{"resourceType":"{row.type}","created":"{to_json(row.created)}",'
        f'"lastModified":"{to_json(row.lastModified)}","location":{_quoted(location(context, row.type, row.id))},'
        f'"version":{_quoted(etag(row.version, row.epoch))}}}'
    )


def location(context: Context, type_name: str, identifier: str) -> str:
    """Return a resource's URI (RFC 7643 section 3.1)."""
    return f"{context.base}/{type_name}s/{quote(identifier, safe=':')}"


def _user_parts(context: Context, row: Row, derived: Derived) -> Iterable[str]:
    reasons = derived.reasons(row.seq)
    direct = [role for role, _ in reasons if role.source == roles.DIRECT]
    if direct:
        shape = _role_string if context.key.rolesAs == "strings" else _role_object
        yield f'"roles":[{",".join(map(shape, direct))}]'
    if memberships := derived.groups.get(row.seq):
        yield f'"groups":[{",".join(_group_reference(context, membership) for membership in memberships)}]'
    allowed = "true" if row.active and reasons else "false"
    effective = f',"effectiveRoles":[{",".join(_effective(role, group) for role, group in reasons)}]' if reasons else ""
    yield f'"{access.USER_URN}":{{"loginAllowed":{allowed}{effective}}}'


def _group_parts(
    context: Context, connection: Connection, row: Row, derived: Derived, projection: Projection
) -> Iterable[str]:
    if projection.wants("members"):
        listed = members.as_json(connection, row.seq, context.base)
        if listed != "[]":
            yield f'"members":{listed}'
    given = derived.assigned.get(row.seq, ())
    named = ",".join(f'{{"value":{_quoted(role.role)},"display":{_quoted(role.name)}}}' for role in given)
    yield f'"{access.GROUP_URN}":{{"roles":[{named}]}}' if named else f'"{access.GROUP_URN}":{{}}'


def _role_string(role: Assignment) -> str:
    return _quoted(role.role)


def _role_object(role: Assignment) -> str:
    text = f'{{"value":{_quoted(role.role)},"display":{_quoted(role.display or role.name)}'
    if role.type is not None:
        text += f',"type":{_quoted(role.type)}'
    if role.primary is not None:
        text += ',"primary":true' if role.primary else ',"primary":false'
    return text + "}"


def _group_reference(context: Context, above: Membership) -> str:
    kind = "direct" if above.direct else "indirect"
    reference = _quoted(location(context, "Group", above.id))
    return f'{{"value":"{above.id}","$ref":{reference},"display":{_quoted(above.display)},"type":"{kind}"}}'


def _effective(role: Assignment, group: str | None) -> str:
    text = f'{{"value":{_quoted(role.role)},"display":{_quoted(role.name)},"type":"{role.source}"'
    return text + (f',"source":"{group}"}}' if group else "}")


def dump(document: Any) -> str:
    """Return a document as compact JSON text."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))
