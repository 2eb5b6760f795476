"""PATCH: the operations of a PatchOp applied to a document, all or none (RFC 7644 section 3.5.2), without I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.errors import BadRequest, InvalidPath, InvalidValue, Mutability, NoTarget, PayloadTooLarge
from schemas.fields import is_unassigned, json_type
from schemas.messages import Operation
from schemas.resource import ResourceType, UnknownAttribute
from schemas.tolerances import Tolerance, ignore, note
from schemas.values import read_value
from scim.protocol.patch_members import MemberEdit, member_edits
from scim.protocol.patch_paths import Target, read_key, read_target, whole_schema
from scim.protocol.patch_values import change

__all__ = ["MemberEdit", "Patched", "apply"]

# How many values of one resource the operations of a request may go through: two seconds' worth.
MOST_LOOKED_AT = 250_000


@dataclass(frozen=True, slots=True)
class Patched:
    """What operations make of a document, and the changes of a group's members in their order."""

    document: dict[str, Any]
    member_edits: tuple[MemberEdit, ...]


@dataclass(slots=True)
class _Draft:
    resource_type: ResourceType
    document: dict[str, Any]
    member_edits: list[MemberEdit] = field(default_factory=list)
    looked_at: int = 0


def apply(resource_type: ResourceType, document: Mapping[str, Any], operations: Sequence[Operation]) -> Patched:
    """Apply the operations in order to a copy of the document (RFC 7644 section 3.5.2).

    A group's document has no members; changes of them are returned as edits. Validate the result as a whole
    with `resource_type.load`.

    :raises BadRequest: of the kind that section 3.5.2 names for the case; the detail begins with the operation.
    :raises PayloadTooLarge: when many operations go through many values: others wait for the writer meanwhile.
    """
    draft = _Draft(resource_type, _copied(dict(document)))
    for operation in operations:
        try:
            _apply(draft, operation)
        except BadRequest as error:
            raise type(error)(f"{operation.name}: {error.detail}") from None
    for urn in resource_type.extensions:
        if not draft.document.get(urn, True):
            del draft.document[urn]
    return Patched(draft.document, tuple(draft.member_edits))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _apply(draft: _Draft, operation: Operation) -> None:
    op, value = operation.op, operation.value
    path = (operation.path or "").strip()
    if not path and op == "remove":
        raise NoTarget("path: is required for remove (RFC 7644 section 3.5.2.2).")
    if op != "remove" and not operation.has_value:
        raise InvalidValue(f"value: is required for {op}.")
    if not path:
        _change_keys(draft, op, None, value)
    elif urn := whole_schema(draft.resource_type, path):
        _check_writable(draft, urn)
        _change_schema(draft, op, urn, value)
    else:
        _change(draft, op, _target(draft.resource_type, path), value)


def _target(resource_type: ResourceType, path: str) -> Target:
    try:
        target = read_target(resource_type, path)
    except UnknownAttribute as error:
        raise InvalidPath(f"path: {error}; /Schemas lists what there is.") from None
    if target.readOnly:
        raise Mutability(f"path: '{target.bound.dotted}' is readOnly; clients cannot change it.")
    return target


def _check_writable(draft: _Draft, urn: str) -> None:
    if urn in draft.resource_type.computed_urns:
        raise Mutability(f"path: {urn} is readOnly; clients cannot change it.")


def _change_keys(draft: _Draft, op: str, urn: str | None, value: Any) -> None:
    """Apply each attribute of a value that has no path, or whose path is a schema's URN (RFC 7644 3.5.2.1)."""
    if not isinstance(value, dict):
        raise InvalidValue(f"value: must be an object of attributes, not {json_type(value)}, unless path names one.")
    for key, item in value.items():
        if urn is None and (whole := whole_schema(draft.resource_type, key)):
            _change_schema(draft, op, whole, item)
        elif urn is not None or not _is_ignored(key):
            target = read_key(draft.resource_type, urn, key)
            if target is None:
                ignore(urn or key, key if urn else "")
            elif not target.readOnly:
                _change(draft, op, target, item)


def _is_ignored(key: str) -> bool:
    """Tell whether the key is `schemas` or, as Okta and Entra send it with each change, the resource's `id`."""
    if key.lower() == "id":
        note(Tolerance.IGNORED_ID)
    return key.lower() in ("id", "schemas")


def _change_schema(draft: _Draft, op: str, urn: str, value: Any) -> None:
    """Apply an operation to all of an extension, or to the core attributes named inside the core URN."""
    if urn in draft.resource_type.computed_urns:
        return
    is_core = urn == draft.resource_type.urn
    if is_core:
        note(Tolerance.MISPLACED_ATTRIBUTE, urn)
    if op != "remove" and not is_unassigned(value):
        _change_keys(draft, op, urn, value)
    elif op == "remove" and is_core:
        raise NoTarget("path: must name an attribute to remove, not the whole core schema.")
    elif op != "add" and not is_core:
        draft.document.pop(urn, None)


def _change(draft: _Draft, op: str, target: Target, value: Any) -> None:
    attribute, extension = target.attribute, target.bound.extension
    if draft.resource_type.name == "Group" and attribute.name == "members":
        draft.member_edits.extend(member_edits(op, target, value))
    elif attribute.returned == "never":
        # A password is checked like any text and then forgotten.
        if op != "remove" and not is_unassigned(value):
            read_value(attribute, value, target.text)
    else:
        container = draft.document.setdefault(extension, {}) if extension else draft.document
        if attribute.multiValued:
            _count(draft, len(container.get(attribute.name, ())))
        change(container, op, target, value)


def _count(draft: _Draft, values: int) -> None:
    draft.looked_at += values
    if draft.looked_at - values > MOST_LOOKED_AT:
        raise PayloadTooLarge("The operations go through too many values; send fewer of them, or the whole in a PUT.")
