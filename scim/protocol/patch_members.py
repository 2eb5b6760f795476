"""Changes of a group's members, recorded without reading the members (RFC 7644 section 3.5.2)."""

from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal

from schemas.errors import Mutability
from schemas.fields import is_unassigned
from schemas.filters.nodes import BoundNode, Comparison, FilterNode, Or
from schemas.tolerances import Tolerance, note
from schemas.values import read_value
from scim.protocol.patch_paths import PatchTarget


@dataclass(frozen=True, slots=True)
class MemberEdit:
    """One change of a group's members: the ids it names or, for `remove-where`, a filter on member elements."""

    kind: Literal["add", "remove", "replace", "clear", "remove-where"]
    ids: tuple[str, ...] = ()
    filter: "BoundNode | None" = None


def member_edits(op: str, target: PatchTarget, value: Any) -> list[MemberEdit]:
    """Return the edits that an operation on `members` makes; none when it names no member (RFC 7644 section 3.5.2).

    :raises Mutability: for a change of a member's sub-attribute, which is immutable (RFC 7643 section 4.2).
    :raises InvalidValue: for a member without an id.
    """
    if target.sub is not None:
        raise Mutability(f"{target.text}: parts of a member cannot change; remove the member and add another.")
    cleared = target.attribute.is_cleared_by(value)
    if target.written is not None:
        if op == "add" or (op == "replace" and not cleared):
            raise Mutability(f"{target.text}: a member cannot change; use the path members to add or replace members.")
        named = _named(target.written)
        return [MemberEdit("remove-where", filter=target.filter) if named is None else MemberEdit("remove", named)]
    if op == "remove":
        return _removed(target, value)
    ids = () if cleared else _ids(target, value)
    if op == "add":
        return [MemberEdit("add", ids)] if ids else []
    return [MemberEdit("replace" if ids else "clear", ids)]


def _removed(target: PatchTarget, value: Any) -> list[MemberEdit]:
    """Remove the listed members, as Microsoft Entra expects; without a list remove all, with an empty one nobody."""
    if value is None or value == "":
        return [MemberEdit("clear")]
    note(Tolerance.REMOVE_WITH_VALUE, target.text)
    if not isinstance(value, list):
        note(Tolerance.LONE_ELEMENT, target.attribute.name)
        value = [value]
    ids = _ids(target, [item for item in value if not is_unassigned(item)])
    return [MemberEdit("remove", ids)] if ids else []


def _ids(target: PatchTarget, value: Any) -> tuple[str, ...]:
    members = read_value(target.attribute.read, value, target.text)
    return tuple(dict.fromkeys(member["value"] for member in members))


def _named(node: FilterNode) -> tuple[str, ...] | None:
    """Return the ids of a filter that only names ids, None for any other filter."""
    if isinstance(node, Or):
        named = [ids for ids in map(_named, node.terms) if ids is not None]
        return tuple(dict.fromkeys(chain(*named))) if len(named) == len(node.terms) else None
    if isinstance(node, Comparison) and node.operator == "eq" and node.path.name.lower() == "value":
        return (node.value,) if isinstance(node.value, str) else None
    return None
