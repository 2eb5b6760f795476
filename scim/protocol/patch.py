"""PATCH: the operations of a PatchOp applied to a document, all or none (RFC 7644 section 3.5.2)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.dropped import note_dropped
from schemas.errors import BadRequest, InvalidPath, InvalidValue, Mutability, NoTarget, PayloadTooLarge
from schemas.fields import is_unassigned, json_type
from schemas.filters.nodes import leaf_count
from schemas.group import Members
from schemas.messages import PatchOperation
from schemas.resource import ResourceSchema, UnknownAttribute
from schemas.tolerances import Tolerance, ignore, note, refuse_in_profile
from schemas.urns import begins_with_uri
from schemas.values import read_structure, read_value
from scim.protocol.patch_members import MemberEdit, member_edits
from scim.protocol.patch_paths import PatchTarget, read_key, read_target, without_filter
from scim.protocol.patch_values import Element, change

# How many comparisons with values of one resource the operations of a request may need: about a second of CPU time.
MOST_VISITED = 150_000

# A function for an attribute, which adds to its elements what GET shows and the document lacks.
Completion = Callable[[list[dict[str, Any]]], None]


@dataclass(frozen=True, slots=True)
class Patched:
    """The document after the operations, and the changes of a group's members in their order."""

    document: dict[str, Any]
    member_edits: tuple[MemberEdit, ...]


@dataclass(slots=True)
class _PatchDraft:
    schema: ResourceSchema
    document: dict[str, Any]
    completions: Mapping[str, Completion]
    member_edits: list[MemberEdit] = field(default_factory=list)
    visited: int = 0


def apply(
    schema: ResourceSchema,
    document: Mapping[str, Any],
    operations: Sequence[PatchOperation],
    completions: Mapping[str, Completion] | None = None,
) -> Patched:
    """Apply the operations in order to a copy of the document (RFC 7644 section 3.5.2).

    A group's document has no members; their changes are returned as edits. The result is to be validated as a whole
    with `ResourceType.load_changed`. `completions` run before each operation on their attribute, so that filters see
    what GET shows.

    :raises BadRequest: of the kind that section 3.5.2 names for the case; the detail begins with the operation.
    :raises PayloadTooLarge: when many operations visit many values, since other writes wait meanwhile.
    """
    draft = _PatchDraft(schema, _copied(dict(document)), completions or {})
    for operation in operations:
        try:
            _apply(draft, operation)
        except BadRequest as error:
            raise type(error)(f"{operation.name}: {error.detail}") from None
    for urn in schema.extensions:
        if not draft.document.get(urn, True):
            del draft.document[urn]
    return Patched(draft.document, tuple(draft.member_edits))


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return Element((key, _copied(item)) for key, item in value.items())
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _apply(draft: _PatchDraft, operation: PatchOperation) -> None:
    op, value = operation.op, operation.value
    path = (operation.path or "").strip()
    if not path:
        refuse_in_profile("path: is missing")
        if op == "remove":
            raise NoTarget("path: is required for remove (RFC 7644 section 3.5.2.2).")
    if op != "remove" and not operation.has_value:
        raise InvalidValue(f"value: is required for {op}.")
    if not path:
        _change_keys(draft, op, None, value)
    elif urn := draft.schema.declared_urn(path):
        if _is_computed(draft.schema, urn):
            raise Mutability(f"path: {urn} is readOnly; clients cannot change it.")
        _change_schema(draft, op, urn, value)
    elif target := _target(draft.schema, path, value):
        _change(draft, op, target, value)


def _target(schema: ResourceSchema, path: str, value: Any) -> PatchTarget | None:
    """Return the target of a path; None for an unknown one with a URN in front, which is ignored as in a POST."""
    try:
        target = read_target(schema, path)
    except UnknownAttribute as error:
        refuse_in_profile(f"path: {error}")
        if not begins_with_uri(path):
            raise InvalidPath(f"path: {error}; /Schemas lists the attributes.") from None
        note(Tolerance.UNKNOWN_PATH, without_filter(path))
        ignore(without_filter(path))
        note_dropped(schema.urn, without_filter(path), value)
        return None
    if target.readOnly:
        raise Mutability(f"path: '{target.bound.dotted}' is readOnly; clients cannot change it.")
    return target


def _is_computed(schema: ResourceSchema, urn: str) -> bool:
    return urn in schema.extensions and schema.extensions[urn].computed


def _change_keys(draft: _PatchDraft, op: str, urn: str | None, value: Any) -> None:
    """Apply each attribute of a value without a path, or with a schema's URN as path (RFC 7644 section 3.5.2.1)."""
    for key, item in _attributes(value).items():
        if urn is None and (whole := draft.schema.declared_urn(key)):
            _change_schema(draft, op, whole, item)
        elif urn is None and key.lower() in ("id", "schemas"):
            # Okta and Entra send the id with each change.
            if key.lower() == "id":
                note(Tolerance.IGNORED_ID)
        elif target := read_key(draft.schema, urn, key):
            if not target.readOnly:
                _change(draft, op, target, item)
        else:
            name = without_filter(f"{urn}:{key}" if urn else key)
            ignore(name)
            note_dropped(draft.schema.urn, name, item)


def _attributes(value: Any) -> dict[str, Any]:
    """Return the object of attributes, also from JSON text and from an array around it."""
    value = read_structure(value, "value")
    if isinstance(value, list) and len(value) == 1:
        note(Tolerance.SINGLE_VALUE_ARRAY, "value")
        value = read_structure(value[0], "value")
    if not isinstance(value, dict):
        raise InvalidValue(f"value: must be an object of attributes, not {json_type(value)}, unless path names one.")
    return value


def _change_schema(draft: _PatchDraft, op: str, urn: str, value: Any) -> None:
    """Apply an operation to a whole extension, or to the core attributes named inside the core URN."""
    if _is_computed(draft.schema, urn):
        return
    is_core = urn == draft.schema.urn
    if is_core:
        note(Tolerance.MISPLACED_ATTRIBUTE, urn)
    value = read_structure(value, "value") if op != "remove" else None
    if op != "remove" and not is_unassigned(value):
        _change_keys(draft, op, urn, value)
    elif op == "remove" and is_core:
        raise NoTarget("path: must name an attribute to remove, not the whole core schema.")
    elif op != "add" and not is_core:
        draft.document.pop(urn, None)


def _change(draft: _PatchDraft, op: str, target: PatchTarget, value: Any) -> None:
    attribute, extension = target.attribute, target.bound.extension
    # Of a removal, the value counts only where it lists elements.
    if target.bound.leaf.is_structured and (op != "remove" or (attribute.multiValued and not target.filter)):
        value = read_structure(value, target.text)
    if isinstance(attribute, Members):
        draft.member_edits.extend(member_edits(op, target, value))
    elif attribute.returned == "never":
        refuse_in_profile(f"path: {target.text} is no attribute of /Schemas")
        # A password is validated like any text and then dropped.
        if op != "remove" and not is_unassigned(value):
            read_value(attribute.read, value, target.text)
    else:
        container = draft.document.setdefault(extension, {}) if extension else draft.document
        if (complete := draft.completions.get(target.bound.path[0])) is not None:
            complete(container.get(attribute.name, []))
        if attribute.multiValued:
            values = len(container.get(attribute.name, ()))
            draft.visited += values * (leaf_count(target.filter) if target.filter else 1)
            if draft.visited - values > MOST_VISITED:
                raise PayloadTooLarge("The operations visit too many values; send fewer operations, or one PUT.")
        change(container, op, target, value)
