"""Stored rows as JSON text, joined from three parts; they are parsed only where a request asks for some attributes.

    {"id":"0199…",                                                        the row's id
     "schemas":["urn:…:User",…],"userName":"ada","active":true,           1. the stored document
     "roles":["managed:admin"],"groups":[…],"urn:perch:…:User":{…},       2. the derived part
     "meta":{"resourceType":"User","version":"W/\\"3.17\\"",…}}             3. meta

1. `dumps` of the resource's schema wrote the document when the resource was last written.
2. `dumps` of the schema of derived attributes writes this part once for each entry of the derived cache: users with the
   same groups and roles share an entry. A group's members come before it, written by SQL; an empty group has `[]`.
3. Numbers and instants of the row.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast
from urllib.parse import quote

from schemas import group, user
from schemas.datetimes import to_json
from schemas.errors import TooMany
from schemas.json import to_text
from scim.protocol.etags import etag
from scim.protocol.projection import Projection
from scim.service.context import Context
from storage import members, roles
from storage.database import Connection
from storage.members import Membership
from storage.resources import ResourceRow
from storage.roles import Assignment

# Of all resources of a page: memberships, and reasons for roles, about a second of CPU time; characters.
MOST_REASONS, MOST_DERIVED, MOST_MEMBERS = 100_000, 24_000_000, 64_000_000

Part = dict[str, Any]
# In `schemas` of each stored group, since its roles are other rows and change without its document.
GIVES_ROLES = f',"{group.ACCESS_URN}"'


def texts(context: Context, connection: Connection, rows: Sequence[ResourceRow], projection: Projection) -> list[str]:
    """Return the JSON text of resources for the caller's key, with all that `projected` needs."""
    derived = _derived_texts(context, connection, rows, projection)
    if projection.wants("members"):
        derived = _with_members(context, connection, rows, derived)
    base = _escaped(context.base)
    return [_joined(row, base, text) for row, text in zip(rows, derived, strict=True)]


def projected(text: str, projection: Projection) -> str:
    """Return the JSON text of a resource with the attributes that are asked for (RFC 7644 section 3.9)."""
    return text if projection.is_default else to_text(projection.apply(json.loads(text)))


def pieces(context: Context, connection: Connection, row: ResourceRow, projection: Projection) -> list[bytes]:
    """Return the text of one resource; that of a whole group in pieces, so that its members are in memory once."""
    if row.type != "Group" or not projection.is_default:
        return [texts(context, connection, [row], projection)[0].encode()]
    (derived,) = _derived_texts(context, connection, [row], projection)
    # JSON text never has this character, so it can mark the place of the members.
    head, tail = _joined(row, _escaped(context.base), f"\0{derived}").split("\0")
    return [head.encode(), *(text.encode() for text in _members(context, connection, row)), tail.encode()]


def location(context: Context, type_name: str, identifier: str) -> str:
    """Return a resource's URI (RFC 7643 section 3.1)."""
    # Ids of users and groups are Perch's own and need no quoting; a role's is its slug.
    name = identifier if type_name != "Role" else quote(identifier, safe=":")
    return f"{context.base}/{type_name}s/{name}"


def _joined(row: ResourceRow, base: str, derived: str) -> str:
    _, identifier, version, created, modified, document, kind, _, epoch, _, held = row
    name = identifier
    if kind == "Group" and held is None:
        document = document.replace(GIVES_ROLES, "", 1)
    elif kind == "Role":
        identifier, name = _escaped(identifier), _escaped(quote(identifier, safe=":"))
    made = to_json(created)
    changed = made if modified == created else to_json(modified)
    return (
        f'{{"id":"{identifier}",{document[1:-1]}{derived},"meta":{{"resourceType":"{kind}",'
        f'"created":"{made}","lastModified":"{changed}",'
        f'"location":"{base}/{kind}s/{name}","version":{to_text(etag(version, epoch))}}}}}'
    )


def _escaped(text: str) -> str:
    """Return text as it stands inside a JSON string."""
    return to_text(text)[1:-1]


def _members(context: Context, connection: Connection, row: ResourceRow) -> Iterator[str]:
    """Yield a group's `members` as text with a comma before it; `[]` tells a client that there are none."""
    before = ',"members":['
    for text in members.texts(connection, row.seq, context.base):
        yield f"{before}{text}"
        before = ","
    yield "]" if before == "," else f"{before}]"


def _with_members(
    context: Context, connection: Connection, rows: Sequence[ResourceRow], derived: Sequence[str]
) -> list[str]:
    """Put the members of groups before their derived parts."""
    found, size = [], 0
    for row, text in zip(rows, derived, strict=True):
        parts = []
        for part in _members(context, connection, row) if row.type == "Group" else ():
            parts.append(part)
            size += len(part)
            _refuse_large(rows, size, MOST_MEMBERS)
        found.append("".join([*parts, text]))
    return found


def _refuse_large(rows: Sequence[ResourceRow], size: int, most: int) -> None:
    if size > most and len(rows) > 1:
        raise TooMany(
            "The answer would be too large; ask for fewer resources at once with count, or leave large attributes out "
            "with excludedAttributes."
        )


def _derived_texts(
    context: Context, connection: Connection, rows: Sequence[ResourceRow], projection: Projection
) -> list[str]:
    """Return the derived part of each resource with a comma before it; a few statements find all that is not cached.

    :raises TooMany: when the parts of several resources are too many or too long.
    """
    if not rows or not any(map(projection.wants, context.resource_types[rows[0].type].derived.by_key)):
        return [""] * len(rows)
    known = context.derived_cache.of(context.base, context.key.rolesAs)
    sources = [row.derived_from for row in rows]
    found = [known.get(source) for source in sources]
    if None in found:
        fresh = {source: row for source, row, text in zip(sources, rows, found, strict=True) if text is None}
        committed = context.repository.committed_epoch()
        origins = _origins(connection, list(fresh.values()))
        texts = {source: _derived_text(context, origins, row) for source, row in fresh.items()}
        context.derived_cache.keep(known, texts, committed)
        found = [texts[source] if text is None else text for source, text in zip(sources, found, strict=True)]
    complete = cast(list[str], found)
    _refuse_large(rows, sum(map(len, complete)), MOST_DERIVED)
    return complete


class Origins(NamedTuple):
    """The sources of derived parts: the groups above each user, the assignments of each user and group.

    `inherited` are the reasons that each of those groups gives, made once for all its members.
    """

    groups: Mapping[int, list[Membership]]
    assigned: Mapping[int, list[Assignment]]
    inherited: Mapping[int, list[Part]]


def _origins(connection: Connection, rows: Sequence[ResourceRow]) -> Origins:
    users = [row.seq for row in rows if row.type == "User" and row.above]
    most = MOST_REASONS if len(rows) > 1 else math.inf
    groups = members.groups_above(connection, users, most) if users else {}
    above = {each.group: each.id for memberships in groups.values() for each in memberships}
    holders = [*(row.seq for row in rows if row.held), *above]
    assigned = roles.assigned(connection, holders) if holders else {}
    inherited = {
        seq: [_reason(role, identifier) for role in assigned.get(seq, ())] for seq, identifier in above.items()
    }
    given = sum(len(inherited[each.group]) for memberships in groups.values() for each in memberships)
    _refuse_large(rows, given, MOST_REASONS)
    return Origins(groups, assigned, inherited)


def _derived_text(context: Context, origins: Origins, row: ResourceRow) -> str:
    if row.type == "Role":
        return ""
    part = _of_user(context, origins, row) if row.type == "User" else _of_group(origins, row)
    return f",{context.resource_types[row.type].derived.dumps(part)[1:-1]}" if part else ""


def _of_user(context: Context, origins: Origins, row: ResourceRow) -> Part:
    """Return a user's roles, groups and access extension."""
    own, above = origins.assigned.get(row.seq, ()), origins.groups.get(row.seq, ())
    strings = context.key.rolesAs == "strings"
    direct = [role.role if strings else _role_object(role) for role in own if role.source == roles.DIRECT]
    groups = [_reference(context, membership) for membership in above]
    effective = [_reason(each) for each in own]
    for membership in above:
        effective += origins.inherited[membership.group]
    access = {"loginAllowed": bool(row.active and effective), **_assigned("effectiveRoles", effective)}
    return {**_assigned("roles", direct), **_assigned("groups", groups), user.ACCESS_URN: access}


def _of_group(origins: Origins, row: ResourceRow) -> Part:
    """Return the access extension of a group that gives roles."""
    given = {role.role: {"value": role.role, "display": role.name} for role in origins.assigned.get(row.seq, ())}
    return _assigned(group.ACCESS_URN, _assigned("roles", list(given.values())))


def _assigned(name: str, values: Sequence[Any] | Part) -> Part:
    """Return an attribute unless it has no values (RFC 7643 section 2.5)."""
    return {name: values} if values else {}


def _reference(context: Context, above: Membership) -> Part:
    kind = "direct" if above.direct else "indirect"
    return {"value": above.id, "$ref": f"{context.base}/Groups/{above.id}", "display": above.display, "type": kind}


def _role_object(role: Assignment) -> Part:
    sent = {"type": role.type, "primary": None if role.primary is None else bool(role.primary)}
    named = {"value": role.role, "display": role.display or role.name}
    return named | {name: value for name, value in sent.items() if value is not None}


def _reason(role: Assignment, group: str | None = None) -> Part:
    reason = {"value": role.role, "display": role.name, "type": role.source}
    return reason | {"source": group} if group else reason
