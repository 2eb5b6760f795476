"""Stored rows as SCIM documents: JSON text joined from what is stored and what is derived, parsed by nobody."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote

from schemas import access
from schemas.datetimes import to_json
from schemas.json import to_text
from scim.protocol.etags import etag
from scim.protocol.projection import Projection
from scim.service.context import Context
from storage import members, roles
from storage.database import Connection
from storage.members import Membership
from storage.resources import ResourceRow
from storage.roles import Assignment

_quoted = json.encoder.encode_basestring


def texts(context: Context, connection: Connection, rows: Sequence[ResourceRow], projection: Projection) -> list[str]:
    """Return the JSON text of resources for the caller's key (RFC 7644 section 3.9)."""
    base = _quoted(context.base)[1:-1]
    derived = _derived(context, connection, base, rows)
    if projection.wants("members"):
        derived = [
            "".join([*_members(context, connection, row), text]) if row.type == "Group" else text
            for row, text in zip(rows, derived, strict=True)
        ]
    found = [_text(row, base, text) for row, text in zip(rows, derived, strict=True)]
    if projection.is_default:
        return found
    return [to_text(projection.apply(json.loads(text))) for text in found]


def pieces(context: Context, connection: Connection, row: ResourceRow, projection: Projection) -> list[bytes]:
    """Return the JSON text of one resource; that of a group in pieces, lest all its members are held several times."""
    if row.type != "Group" or not projection.is_default:
        return [texts(context, connection, [row], projection)[0].encode()]
    base = _quoted(context.base)[1:-1]
    (derived,) = _derived(context, connection, base, [row])
    # No text of JSON has this character, so that it marks a place.
    head, tail = _text(row, base, f"\0{derived}").split("\0")
    return [head.encode(), *(text.encode() for text in _members(context, connection, row)), tail.encode()]


def _derived(context: Context, connection: Connection, base: str, rows: Sequence[ResourceRow]) -> list[str]:
    """Return what is derived for each resource, with a comma before it; a few statements for all that is not known."""
    if not rows:
        return []
    memo, roles_as = context.memo, context.key.rolesAs
    known, sources = memo.of(base, roles_as), [row.derived_from for row in rows]
    found = [known.get(source) for source in sources]
    if None in found:
        fresh = {source: row for source, row, text in zip(sources, rows, found, strict=True) if text is None}
        committed = context.repository.committed_epoch()
        writer = _Writer(base, roles_as, _derive(connection, list(fresh.values())))
        texts = {source: writer.derived(row) for source, row in fresh.items()}
        memo.keep(known, texts, committed)
        found = [texts[source] if text is None else text for source, text in zip(sources, found, strict=True)]
    return cast(list[str], found)


@dataclass(frozen=True, slots=True)
class Derived:
    """What is derived for some resources: the groups above each, and the assignments of each and of those groups."""

    groups: Mapping[int, list[Membership]]
    assigned: Mapping[int, list[Assignment]]


def _derive(connection: Connection, rows: Sequence[ResourceRow]) -> Derived:
    users = [row.seq for row in rows if row.type == "User" and row.above]
    groups = members.groups_above(connection, users) if users else {}
    above = {membership.group for memberships in groups.values() for membership in memberships}
    holders = [*(row.seq for row in rows if row.held), *above]
    return Derived(groups, roles.assigned(connection, holders) if holders else {})


def _members(context: Context, connection: Connection, row: ResourceRow) -> Iterator[str]:
    """Yield a group's `members` as text with a comma before it, nothing when there are none."""
    before = ',"members":['
    for text in members.texts(connection, row.seq, context.base):
        yield f"{before}{text}"
        before = ","
    if before == ",":
        yield "]"


def location(context: Context, type_name: str, identifier: str) -> str:
    """Return a resource's URI (RFC 7643 section 3.1)."""
    # Ids of users and groups are Perch's own and need no quoting; a role's is its slug.
    name = identifier if type_name != "Role" else quote(identifier, safe=":")
    return f"{context.base}/{type_name}s/{name}"


def _text(row: ResourceRow, base: str, derived: str) -> str:
    """Return a resource: its id, the stored document, what is derived, and `meta`."""
    _, identifier, version, created, modified, document, kind, _, epoch, _, _ = row
    name = identifier
    if kind == "Role":
        identifier, name = _quoted(identifier)[1:-1], _quoted(quote(identifier, safe=":"))[1:-1]
    made = to_json(created)
    changed = made if modified == created else to_json(modified)
    return (
        f'{{"id":"{identifier}",{document[1:-1]}{derived},"meta":{{"resourceType":"{kind}",'
        f'"created":"{made}","lastModified":"{changed}",'
        f'"location":"{base}/{kind}s/{name}","version":{_quoted(etag(version, epoch))}}}}}'
    )


class _Writer:
    """Writes what is derived; what groups contribute is written once, however many people are in them."""

    def __init__(self, base: str, roles_as: str, found: Derived) -> None:
        self.found = found
        self.base = base
        self.role = _role_string if roles_as == "strings" else _role_object
        self.references: dict[Membership, str] = {}
        self.inherited: dict[int, list[str]] = {}

    def derived(self, row: ResourceRow) -> str:
        """Return what is derived of a resource, with a comma before it."""
        if row.type == "User":
            return self._user(row)
        return self._group(row) if row.type == "Group" else ""

    def _user(self, row: ResourceRow) -> str:
        """Return a user's roles, groups and access extension."""
        own, above = self.found.assigned.get(row.seq, ()), self.found.groups.get(row.seq, ())
        direct = ",".join([self.role(role) for role in own if role.source == roles.DIRECT])
        groups = ",".join([self.references.get(each) or self._reference(each) for each in above])
        reasons = [_effective(role) for role in own]
        for each in above:
            reasons += self.inherited[each.group] if each.group in self.inherited else self._inherit(each)
        parts = (f',"roles":[{direct}]' if direct else "") + (f',"groups":[{groups}]' if groups else "")
        allowed = "true" if row.active and reasons else "false"
        effective = f',"effectiveRoles":[{",".join(reasons)}]' if reasons else ""
        return f'{parts},"{access.USER_URN}":{{"loginAllowed":{allowed}{effective}}}'

    def _group(self, row: ResourceRow) -> str:
        """Return a group's access extension."""
        given = self.found.assigned.get(row.seq, ())
        named = ",".join([f'{{"value":{_quoted(role.role)},"display":{_quoted(role.name)}}}' for role in given])
        roles_part = f'"roles":[{named}]' if named else ""
        return f',"{access.GROUP_URN}":{{{roles_part}}}'

    def _reference(self, above: Membership) -> str:
        kind = "direct" if above.direct else "indirect"
        text = (
            f'{{"value":"{above.id}","$ref":"{self.base}/Groups/{above.id}",'
            f'"display":{_quoted(above.display)},"type":"{kind}"}}'
        )
        self.references[above] = text
        return text

    def _inherit(self, above: Membership) -> list[str]:
        texts = [_effective(role, above.id) for role in self.found.assigned.get(above.group, ())]
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
