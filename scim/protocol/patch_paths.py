"""The target of a PATCH path, or of a key in a value without a path (RFC 7644 section 3.5.2)."""

from dataclasses import dataclass
from typing import Any

from schemas.errors import InvalidPath
from schemas.fields import Attribute, Complex
from schemas.filters.binding import bind_value_filter
from schemas.filters.nodes import And, BoundNode, Comparison, FilterNode
from schemas.filters.parser import parse_path
from schemas.resource import Bound, ResourceSchema, UnknownAttribute
from schemas.tolerances import Tolerance, note
from schemas.urns import begins_with_uri
from schemas.values import read_part


@dataclass(frozen=True, slots=True)
class PatchTarget:
    """The attribute of a path, as written in `text`, with the filter of a value path, bound and as written."""

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


def read_target(schema: ResourceSchema, text: str) -> PatchTarget:
    """Return the target of a path (RFC 7644 section 3.5.2).

    :raises InvalidPath: when it is no path.
    :raises InvalidFilter: when its filter does not fit the attribute.
    :raises UnknownAttribute: when the schema has no such attribute.
    """
    plain = schema.attributes.get(text)
    if plain is not None:
        return PatchTarget(text, Bound(None, plain))
    if begins_with_uri(text):
        # It is looked up before it is parsed: unknown schemas need not keep to the names of SCIM.
        urn, _, attribute = without_filter(text).rpartition(":")
        name, _, sub = attribute.partition(".")
        known = schema.resolve(urn, name, sub or None)
        if "[" not in text:
            return PatchTarget(text, known)
    path = parse_path(text)
    bound = _resolve(schema, path.path.urn, path.path.name, path.sub)
    if path.filter is None:
        return PatchTarget(text, bound)
    if not bound.attribute.multiValued:
        raise InvalidPath(f"{text}: '{bound.attribute.name}' has a single value, which takes no filter in brackets.")
    return PatchTarget(text, bound, bind_value_filter(path.filter, schema, bound), path.filter)


def read_key(schema: ResourceSchema, urn: str | None, key: str) -> PatchTarget | None:
    """Return the target of a key in a value without a path; None for an unknown one, which is ignored.

    Microsoft Entra sends keys that are paths: `name.givenName`, or an extension's URN with an attribute after it.

    :raises InvalidPath: for a key with a filter that cannot be read.
    """
    try:
        target = read_target(schema, f"{urn}:{key}" if urn else key)
    except UnknownAttribute:
        return None
    except InvalidPath:
        if "[" in key:
            raise
        return None
    if any(mark in key for mark in ".:["):
        note(Tolerance.DOTTED_KEYS, key)
    return target


def without_filter(text: str) -> str:
    """Return a path without its filter in brackets: filters hold personal data, and grow without bound."""
    before, _, rest = text.partition("[")
    return before + (rest.rpartition("]")[2] if "]" in rest else "")


def _resolve(schema: ResourceSchema, urn: str | None, name: str, sub: str | None) -> Bound:
    """Return an attribute; a name without URN that is not in the core may be an extension's, such as `manager`."""
    try:
        return schema.resolve(urn, name, sub)
    except UnknownAttribute:
        extension = None if urn else schema.extension_with(name)
        if extension is None:
            raise
        note(Tolerance.MISPLACED_ATTRIBUTE, name)
        return schema.resolve(extension.name, name, sub)


def element_of(target: PatchTarget, node: FilterNode | None = None) -> dict[str, Any] | None:
    """Return the element that a filter (or its `node`) of `eq` terms joined by `and` describes; None for any other."""
    node = node or target.written
    if node is None:
        return {}
    if isinstance(node, And):
        element: dict[str, Any] = {}
        for term in node.terms:
            part = element_of(target, term)
            if part is None or any(element.get(name, value) != value for name, value in part.items()):
                return None
            element |= part
        return element
    field = target.attribute
    if not isinstance(field, Complex) or not isinstance(node, Comparison) or node.operator != "eq":
        return None
    sub = field.sub(node.path.name)
    if sub is None or sub.readOnly or node.value is None:
        return None
    return read_part(field, sub, node.value, f"{target.text}: {sub.name}")
