"""Stored rows as SCIM documents: JSON text joined from what is stored and what is derived, parsed by nobody."""

import json
from collections.abc import Mapping, Sequence
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
from storage.json_text import to_text
from storage.members import Membership
from storage.resources import Row
from storage.roles import Assignment

_quoted = json.encoder.encode_basestring


@dataclass(frozen=True, slots=True)
class Derived:
    """What is derived for some resources: the groups above each, and the assignments of each and of those groups."""

    groups: Mapping[int, list[Membership]]
    assigned: Mapping[int, list[Assignment]]


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
    writer = _Writer(context, derive(connection, rows))
    found = []
    for row in rows:
        if row.type == "User":
            extra = writer.user(row)
        elif row.type == "Group":
            wanted = projection.wants("members")
            extra = writer.group(row, members.as_json(connection, row.seq, context.base) if wanted else "[]")
        else:
            extra = ""
        found.append(writer.text(row, extra))
    if projection.is_default:
        return found
    return [to_text(projection.apply(json.loads(text))) for text in found]


def location(context: Context, type_name: str, identifier: str) -> str:
    """Return a resource's URI (RFC 7643 section 3.1)."""
    # Ids of users and groups are Perch's own and need no quoting; a role's is its slug.
    name = identifier if type_name != "Role" else quote(identifier, safe=":")
    return f"{context.base}/{type_name}s/{name}"


class _Writer:
    """Writes resources for one caller; what groups contribute is written once, however many people are in them."""

    def __init__(self, context: Context, derived: Derived) -> None:
        self.derived = derived
        self.base = _quoted(context.base)[1:-1]
        self.role = _role_string if context.key.rolesAs == "strings" else _role_object
        self.references: dict[Membership, str] = {}
        self.inherited: dict[int, list[str]] = {}

    def text(self, row: Row, extra: str) -> str:
        """Return a resource: its id, the stored document, what is derived, and `meta`."""
        name = row.id if row.type != "Role" else _quoted(quote(row.id, safe=":"))[1:-1]
        return (
            f'{{"id":{_quoted(row.id)},{row.document[1:-1]}{extra},"meta":{{"resourceType":"{row.type}",'
            f'"created":"{to_json(row.created)}","lastModified":"{to_json(row.lastModified)}",'
            f'"location":"{self.base}/{row.type}s/{name}","version":{_quoted(etag(row.version, row.epoch))}}}}}'
        )

    def user(self, row: Row) -> str:
        """Return a user's roles, groups and access extension, each with a comma before it."""
        own, above = self.derived.assigned.get(row.seq, ()), self.derived.groups.get(row.seq, ())
        direct = ",".join([self.role(role) for role in own if role.source == roles.DIRECT])
        groups = ",".join([self.references.get(each) or self._reference(each) for each in above])
        reasons = [_effective(role) for role in own]
        for each in above:
            reasons += self.inherited[each.group] if each.group in self.inherited else self._inherit(each)
        parts = (f',"roles":[{direct}]' if direct else "") + (f',"groups":[{groups}]' if groups else "")
        allowed = "true" if row.active and reasons else "false"
        effective = f',"effectiveRoles":[{",".join(reasons)}]' if reasons else ""
        return f'{parts},"{access.USER_URN}":{{"loginAllowed":{allowed}{effective}}}'

    def group(self, row: Row, listed: str) -> str:
        """Return a group's members, already JSON text, and its access extension, each with a comma before it."""
        given = self.derived.assigned.get(row.seq, ())
        named = ",".join([f'{{"value":{_quoted(role.role)},"display":{_quoted(role.name)}}}' for role in given])
        members_part = f',"members":{listed}' if listed != "[]" else ""
        roles_part = f'"roles":[{named}]' if named else ""
        return f'{members_part},"{access.GROUP_URN}":{{{roles_part}}}'

    def _reference(self, above: Membership) -> str:
        kind = "direct" if above.direct else "indirect"
        text = (
            f'{{"value":"{above.id}","$ref":"{self.base}/Groups/{above.id}",'
            f'"display":{_quoted(above.display)},"type":"{kind}"}}'
        )
        self.references[above] = text
        return text

    def _inherit(self, above: Membership) -> list[str]:
        texts = [_effective(role, above.id) for role in self.derived.assigned.get(above.group, ())]
        self.inherited[above.group] = texts
        return texts


def _role_string(role: Assignment) -> str:
    return _quoted(role.role)


def _role_object(role: Assignment) -> str:
    text = f'{{"value":{_quoted(role.role)},"display":{_quoted(role.display or role.name)}'
    if role.type is not None:
        text += f',"type":{_quoted(role.type)}'
    if role.primary is not None:
        text += ',"primary":true' if role.primary else ',"primary":false'
    return text + "}"


def _effective(role: Assignment, group: str | None = None) -> str:
    text = f'{{"value":{_quoted(role.role)},"display":{_quoted(role.name)},"type":"{role.source}"'
    return text + (f',"source":"{group}"}}' if group else "}")
