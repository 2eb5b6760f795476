"""What a PATCH path or a key of a value without a path points at (RFC 7644 section 3.5.2), without I/O."""

from dataclasses import dataclass
from typing import Any

from schemas.errors import InvalidPath
from schemas.fields import Attribute, Complex
from schemas.filters.binding import bind_value_filter
from schemas.filters.nodes import And, BoundNode, Comparison, FilterNode
from schemas.filters.parser import parse_path
from schemas.resource import Bound, ResourceType, UnknownAttribute
from schemas.tolerances import Tolerance, note
from schemas.values import read_part


@dataclass(frozen=True, slots=True)
class Target:
    """An attribute with, for a value path, its filter as bound and as written (RFC 7644 section 3.5.2)."""

    text: str
    bound: Bound
    filter: "BoundNode | None" = None
    written: "FilterNode | None" = None

    @property
    def attribute(self) -> Attribute:
        """The top-level attribute."""
        return self.bound.attribute

    @property
    def sub(self) -> Attribute | None:
        """The sub-attribute, or None."""
        return self.bound.sub

    @property
    def readOnly(self) -> bool:
        """Whether no client may change the target (RFC 7643 section 2.2)."""
        return self.attribute.readOnly or (self.sub is not None and self.sub.readOnly)


def whole_schema(resource_type: ResourceType, text: str) -> str | None:
    """Return the canonical URN when the text is the URN of one of the resource type's schemas, else None."""
    if text.lower() == resource_type.urn.lower():
        return resource_type.urn
    extension = resource_type.extension(text)
    return extension.name if extension is not None else None


def read_target(resource_type: ResourceType, text: str) -> Target:
    """Find what a path points at (RFC 7644 section 3.5.2).

    :raises InvalidPath: when it is no path.
    :raises InvalidFilter: when its filter does not fit the attribute.
    :raises UnknownAttribute: when the resource type has no such attribute.
    """
    plain = resource_type.attributes.get(text)
    if plain is not None:
        return Target(text, Bound(None, plain))
    path = parse_path(text)
    bound = _resolve(resource_type, path.path.urn, path.path.name, path.sub)
    if path.filter is None:
        return Target(text, bound)
    if not bound.attribute.multiValued or not isinstance(bound.attribute, Complex):
        raise InvalidPath(f"{text}: '{bound.attribute.name}' has a single value, which takes no filter in brackets.")
    return Target(text, bound, bind_value_filter(path.filter, resource_type, bound), path.filter)


def read_key(resource_type: ResourceType, urn: str | None, key: str) -> Target | None:
    """Find what a key of a value without a path means, None when it is unknown and so ignored.

    Microsoft Entra sends keys that are paths: `name.givenName`, an extension's URN with an attribute behind it.

    :raises InvalidPath: for a key with a filter that cannot be read.
    """
    try:
        target = read_target(resource_type, f"{urn}:{key}" if urn else key)
    except UnknownAttribute:
        return None
    except InvalidPath:
        if "[" in key:
            raise
        return None
    if any(mark in key for mark in ".:["):
        note(Tolerance.DOTTED_KEYS, key)
    return target


def _resolve(resource_type: ResourceType, urn: str | None, name: str, sub: str | None) -> Bound:
    """Find an attribute; one without URN that the core does not know may be an extension's, such as `manager`."""
    try:
        resource_type.resolve(urn, name)
    except UnknownAttribute:
        misplaced = None if urn else resource_type.extension_with(name)
        if misplaced is None:
            raise
        note(Tolerance.MISPLACED_ATTRIBUTE, name)
        return resource_type.resolve(misplaced, name, sub)
    return resource_type.resolve(urn, name, sub)


def element_of(target: Target) -> dict[str, Any] | None:
    """Return the element that a filter of `eq` terms joined by `and` describes, None when it describes none."""
    return _described(target.written, target) if target.written is not None else {}


def _described(node: FilterNode, target: Target) -> dict[str, Any] | None:
    if isinstance(node, And):
        element: dict[str, Any] = {}
        for term in node.terms:
            part = _described(term, target)
            if part is None or any(element.get(name, value) != value for name, value in part.items()):
                return None
            element |= part
        return element
    if not isinstance(node, Comparison) or node.operator != "eq" or node.value is None:
        return None
    field = target.attribute
    sub = field.sub(node.path.name) if isinstance(field, Complex) else None
    if sub is None or sub.readOnly or not isinstance(field, Complex):
        return None
    return read_part(field, sub, node.value, f"{target.text}: {sub.name}")
