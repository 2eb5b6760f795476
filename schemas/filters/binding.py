"""Filters bound to a resource type, and their evaluation over documents (RFC 7644 section 3.4.2.2).

Three decisions where the RFC leaves room: a comparison with a missing attribute is false, so `not` has two values;
`ne` is the negation of `eq`, true when no value equals, also of a missing attribute; `eq null` is the negation of `pr`.
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from schemas.datetimes import normalise_instant
from schemas.errors import InvalidFilter
from schemas.fields import TEXT_BOOLEANS, Attribute, Complex, is_unassigned, json_type
from schemas.filters.nodes import (
    And,
    AttrPath,
    BoundNode,
    Comparison,
    Constant,
    Elements,
    FilterNode,
    Leaf,
    Not,
    Or,
    ValuePath,
)
from schemas.resource import RESOURCE_TYPES, Bound, ResourceType, UnknownAttribute
from schemas.tolerances import Tolerance, note

TEXT_OPERATORS = ("co", "sw", "ew")
ORDER_OPERATORS = ("gt", "ge", "lt", "le")


def bind(node: FilterNode, resource_type: ResourceType, unknown_is_unassigned: bool = False) -> BoundNode:
    """Return the filter with its names bound to a resource type's attributes (RFC 7644 section 3.4.2.2).

    With `unknown_is_unassigned` an attribute that only another resource type knows counts as unassigned, as the
    search over all resource types asks for (RFC 7644 section 3.4.2.1).

    :raises InvalidFilter: with the 1-based column of a name nobody knows, or of a value that does not fit.
    """
    return _Binder(resource_type, unknown_is_unassigned).bind(node)


def bind_value_filter(node: FilterNode, resource_type: ResourceType, bound: Bound) -> BoundNode:
    """Return the filter in the brackets of a value path, bound to the sub-attributes of a complex attribute.

    :raises InvalidFilter: as `bind` does.
    """
    return _ElementBinder(resource_type, bound).bind(node)


def evaluate(bound: BoundNode, document: Mapping[str, Any]) -> bool:
    """Tell whether a document, or an element of one, matches a bound filter (RFC 7644 section 3.4.2.2)."""
    match bound:
        case Leaf():
            return _compare(bound, _dig(document, bound.path))
        case Elements():
            elements = _dig(document, bound.bound.path) or ()
            return any(evaluate_element(bound.filter, element) for element in elements)
        case And():
            return all(evaluate(term, document) for term in bound.terms)
        case Or():
            return any(evaluate(term, document) for term in bound.terms)
        case Not():
            return not evaluate(bound.term, document)
    return bound.value


def evaluate_element(bound: BoundNode, element: Any) -> bool:
    """Tell whether one element of a multi-valued attribute matches the filter of a value path."""
    return evaluate(bound, element if isinstance(element, dict) else {"": element})


def _dig(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _compare(leaf: Leaf, value: Any) -> bool:
    if leaf.operator == "pr":
        return not is_unassigned(value)
    if is_unassigned(value):
        if not leaf.missing_is_false:
            return False
        value = False
    return _COMPARISONS[leaf.operator](comparable(leaf.attribute, value), leaf.value)


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, literal: value == literal,
    "co": lambda value, literal: literal in value,
    "sw": lambda value, literal: value.startswith(literal),
    "ew": lambda value, literal: value.endswith(literal),
    "gt": lambda value, literal: value > literal,
    "ge": lambda value, literal: value >= literal,
    "lt": lambda value, literal: value < literal,
    "le": lambda value, literal: value <= literal,
}


def comparable(attribute: Attribute, value: Any) -> Any:
    """Return a value in the form that comparisons use: folded unless caseExact, instants normalised."""
    if attribute.kind == "instant":
        return normalise_instant(value)
    if attribute.kind == "text" and not attribute.caseExact:
        return value.casefold()
    return value


class _Binder:
    """Binds the names of a whole filter."""

    def __init__(self, resource_type: ResourceType, unknown_is_unassigned: bool) -> None:
        self.resource_type = resource_type
        self.unknown_is_unassigned = unknown_is_unassigned

    def bind(self, node: FilterNode) -> BoundNode:
        """Bind any node."""
        match node:
            case Comparison():
                return self.comparison(node)
            case And():
                return And(tuple(self.bind(term) for term in node.terms))
            case Or():
                return Or(tuple(self.bind(term) for term in node.terms))
            case Not():
                return Not(self.bind(node.term))
        return self.value_path(node)

    def comparison(self, node: Comparison) -> BoundNode:
        """Bind a comparison; `ne` and comparisons with null become negations."""
        if node.operator == "ne":
            return Not(self.comparison(Comparison(node.path, "eq", node.value, node.column)))
        if node.operator == "eq" and node.value is None:
            return Not(self.comparison(Comparison(node.path, "pr", None, node.column)))
        bound = self.find(node.path)
        if bound is None:
            return Constant(False)
        if node.operator == "pr":
            return self.present(bound)
        return self.compared(_with_value(bound, node), node)

    def find(self, path: AttrPath) -> Bound | None:
        """Return the attribute that a path names; None when only another resource type has it."""
        try:
            return _visible(_resolve(self.resource_type, path.urn, path.name, path.sub), path)
        except UnknownAttribute as error:
            extension = self.resource_type.extension(path.text)
            if extension is not None:
                return Bound(None, extension)
            if self.unknown_is_unassigned and any(_knows(other, path) for other in RESOURCE_TYPES.values()):
                return None
            raise _unknown(str(error), path, _hint(self.resource_type, path)) from None

    def present(self, bound: Bound) -> BoundNode:
        """Bind `pr`: some value that is not empty."""
        if bound.attribute.name in self.resource_type.extensions and isinstance(bound.attribute, Complex):
            inner = bound.attribute.subAttributes.values()
            return Or(tuple(self.present(Bound(bound.attribute.name, field)) for field in inner))
        if not bound.attribute.multiValued:
            return Leaf(bound.path, bound.leaf, "pr")
        owner = Bound(bound.extension, bound.attribute)
        return Elements(owner, Leaf((bound.sub.name,), bound.sub, "pr") if bound.sub else Constant(True))

    def compared(self, bound: Bound, node: Comparison) -> BoundNode:
        """Bind a comparison with a value; of a multi-valued attribute some element matches."""
        value = _literal(bound.leaf, node)
        if not bound.attribute.multiValued:
            return Leaf(bound.path, bound.leaf, node.operator, value)
        key = bound.sub.name if bound.sub else ""
        return Elements(Bound(bound.extension, bound.attribute), Leaf((key,), bound.leaf, node.operator, value))

    def value_path(self, node: ValuePath) -> BoundNode:
        """Bind a value path; of a single-valued attribute it is the value that matches."""
        bound = self.find(node.path)
        if bound is None:
            return Constant(False)
        if not isinstance(bound.attribute, Complex) or bound.attribute.name in self.resource_type.extensions:
            raise _invalid(node.path.column, f"'{node.path.text}' has no sub-attributes, so no brackets go with it")
        if bound.attribute.multiValued:
            return Elements(bound, bind_value_filter(node.filter, self.resource_type, bound))
        inner = _ElementBinder(self.resource_type, bound, bound.path).bind(node.filter)
        return And((Leaf(bound.path, bound.attribute, "pr"), inner))


class _ElementBinder(_Binder):
    """Binds the names inside brackets, which are sub-attributes of one complex attribute."""

    def __init__(self, resource_type: ResourceType, outer: Bound, prefix: tuple[str, ...] = ()) -> None:
        super().__init__(resource_type, False)
        self.outer = outer
        self.prefix = prefix

    def find(self, path: AttrPath) -> Bound | None:
        """Return the sub-attribute that a name in brackets means."""
        complex_attribute = self.outer.attribute
        assert isinstance(complex_attribute, Complex)
        field = complex_attribute.sub(path.name) if path.urn is None and path.sub is None else None
        if field is None:
            known = ", ".join(complex_attribute.subAttributes)
            raise _unknown(f"'{complex_attribute.name}' has no sub-attribute '{path.text}'", path, f" It has: {known}.")
        return Bound(None, field)

    def present(self, bound: Bound) -> BoundNode:
        return Leaf((*self.prefix, *bound.path), bound.leaf, "pr")

    def compared(self, bound: Bound, node: Comparison) -> BoundNode:
        return Leaf((*self.prefix, *bound.path), bound.leaf, node.operator, _literal(bound.leaf, node))


def _with_value(bound: Bound, node: Comparison) -> Bound:
    """Return the path that a comparison means: of a complex attribute without sub-attribute its `value`."""
    if not isinstance(bound.leaf, Complex):
        return bound
    value = bound.leaf.sub("value") if bound.sub is None else None
    if value is None:
        known = ", ".join(bound.leaf.subAttributes)
        raise _invalid(node.path.column, f"compare a sub-attribute of '{node.path.text}', not itself: {known}")
    return Bound(bound.extension, bound.attribute, value)


def _literal(attribute: Attribute, node: Comparison) -> str | bool | int | float:
    """Return a comparison's literal in comparable form, after checking that operator and literal fit the attribute."""
    value, kind = node.value, attribute.kind
    if value is None:
        raise _invalid(node.column, f"null goes only with eq and ne, not with '{node.operator}'")
    if kind != "text" and node.operator in TEXT_OPERATORS:
        type_ = attribute.type
        raise _invalid(node.column, f"'{node.operator}' compares text, but '{node.path.text}' is of type {type_}")
    if node.operator in ORDER_OPERATORS and attribute.type in ("boolean", "binary"):
        what = f"'{node.path.text}' is of type {attribute.type}"
        raise _invalid(node.column, f"{what} and has no order for '{node.operator}'")
    return _FITTING[kind](attribute, node, value)


def _text(attribute: Attribute, node: Comparison, value: object) -> str:
    if not isinstance(value, str):
        raise _invalid(node.column, f"'{node.path.text}' is text; put the value in double quotes")
    return value if attribute.caseExact else value.casefold()


def _boolean(attribute: Attribute, node: Comparison, value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in TEXT_BOOLEANS:
        note(Tolerance.TEXT_BOOLEAN_FILTER, f"{node.path.text} {node.operator} {value!r}")
        return TEXT_BOOLEANS[value.lower()]
    raise _invalid(node.column, f"'{node.path.text}' is true or false, not {json_type(value)}")


def _number(attribute: Attribute, node: Comparison, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _invalid(node.column, f"'{node.path.text}' is a number, not {json_type(value)}")
    return value


def _instant(attribute: Attribute, node: Comparison, value: object) -> str:
    try:
        return normalise_instant(value if isinstance(value, str) else "")
    except ValueError:
        example = 'a date and time in double quotes such as "2026-11-24T09:30:00Z"'
        raise _invalid(node.column, f"'{node.path.text}' is compared with {example}") from None


_FITTING: dict[str, Callable[[Attribute, Comparison, object], str | bool | int | float]] = {
    "text": _text,
    "boolean": _boolean,
    "number": _number,
    "instant": _instant,
}


@lru_cache(maxsize=512)
def _resolve(resource_type: ResourceType, urn: str | None, name: str, sub: str | None) -> Bound:
    """Return what a path names; only what is found is kept, so that no client fills the memory with names."""
    return resource_type.resolve(urn, name, sub)


def _visible(bound: Bound, path: AttrPath) -> Bound:
    if bound.attribute.returned == "never":
        raise _invalid(path.column, f"'{path.text}' is never returned and cannot be searched")
    return bound


def _knows(resource_type: ResourceType, path: AttrPath) -> bool:
    try:
        resource_type.resolve(path.urn, path.name, path.sub)
    except UnknownAttribute:
        return resource_type.extension(path.text) is not None
    return True


def _unknown(message: str, path: AttrPath, hint: str) -> InvalidFilter:
    return _invalid(path.column, message, hint)


def _invalid(column: int, message: str, hint: str = "") -> InvalidFilter:
    return InvalidFilter(f"Column {column} of the filter: {message}.{hint}")


def _hint(resource_type: ResourceType, path: AttrPath) -> str:
    """Return a sentence with the attributes whose names are near, an extension's with its URN."""
    names = {name.lower().rpartition(":")[2]: name for name in _all_names(resource_type)}
    wanted = f"{path.name}.{path.sub}" if path.sub else path.name
    near = get_close_matches(wanted.lower()[:100], names, n=2, cutoff=0.75)
    return f" Did you mean {' or '.join(names[key] for key in near)}?" if near else ""


def _all_names(resource_type: ResourceType) -> Iterator[str]:
    levels = [(f"{urn}:", extension.subAttributes) for urn, extension in resource_type.extensions.items()]
    for prefix, fields in (*levels, ("", resource_type.attributes)):
        for field in fields.values():
            if field.returned == "never":
                continue
            yield prefix + field.name
            if isinstance(field, Complex):
                yield from (f"{prefix}{field.name}.{name}" for name in field.subAttributes)
