"""Filters bound to a schema: names become attributes, literals get the form that comparisons use (RFC 7644 3.4.2.2).

Three decisions where the RFC leaves room: a comparison with a missing attribute is false, so `not` has two values;
`ne` is the negation of `eq`, true when no value equals, also of a missing attribute; `eq null` is the negation of `pr`.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import cast

from schemas.datetimes import normalise_instant
from schemas.errors import InvalidFilter, did_you_mean
from schemas.fields import TEXT_BOOLEANS, Attribute, Complex, json_type
from schemas.filters.evaluation import comparable
from schemas.filters.nodes import (
    And,
    AttrPath,
    BoundNode,
    Comparison,
    Constant,
    Elements,
    FilterNode,
    Leaf,
    LiteralValue,
    Not,
    Or,
    ValuePath,
)
from schemas.resource import Bound, Extension, ResourceSchema, UnknownAttribute
from schemas.tolerances import Tolerance, note

TEXT_OPERATORS = ("co", "sw", "ew")
ORDER_OPERATORS = ("gt", "ge", "lt", "le")


def bind(node: FilterNode, schema: ResourceSchema, others: Iterable[ResourceSchema] = ()) -> BoundNode:
    """Return the filter with its names bound to a schema's attributes (RFC 7644 section 3.4.2.2).

    An attribute that only one of `others` has counts as unassigned: so in the search over several resource types
    (RFC 7644 section 3.4.2.1).

    :raises InvalidFilter: with the 1-based column of a name that no schema has, or of a value that does not fit.
    """
    return _Binder(schema, others).bind(node)


def bind_value_filter(node: FilterNode, schema: ResourceSchema, bound: Bound) -> BoundNode:
    """Return the filter in the brackets of a value path, bound to the sub-attributes of a complex attribute.

    :raises InvalidFilter: as `bind` does.
    """
    binder = _ElementBinder if isinstance(bound.attribute, Complex) else _PlainBinder
    return binder(schema, bound).bind(node)


class _Binder:
    """Binds the names of a whole filter."""

    def __init__(self, schema: ResourceSchema, others: Iterable[ResourceSchema] = ()) -> None:
        self.schema = schema
        self.others = others

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
            return Not(self.comparison(replace(node, operator="eq")))
        if node.operator == "eq" and node.value is None:
            return Not(self.comparison(replace(node, operator="pr")))
        bound = self.find(node.path)
        if bound is None:
            return Constant(False)
        if node.operator == "pr":
            return self.present(bound)
        valued = bound.valued
        if valued is None:
            known = ", ".join(cast(Complex, bound.leaf).subAttributes)
            raise _invalid(node.path.column, f"compare a sub-attribute of '{node.path.text}', not itself: {known}")
        return self.leaf(valued, node.operator, _literal(valued.leaf, node))

    def find(self, path: AttrPath) -> Bound | None:
        """Return the attribute of a path; None when only another schema has it."""
        try:
            bound = self.schema.resolve(path.urn, path.name, path.sub)
        except UnknownAttribute as error:
            extension = self.schema.extension(path.text)
            if extension is not None:
                return Bound(None, extension)
            if any(_knows(other, path) for other in self.others):
                return None
            raise _invalid(path.column, str(error), _hint(self.schema, path)) from None
        if bound.attribute.returned == "never":
            raise _invalid(path.column, f"'{path.text}' is never returned and cannot be searched")
        return bound

    def present(self, bound: Bound) -> BoundNode:
        """Bind `pr`: some value that is not empty."""
        if not isinstance(bound.attribute, Extension):
            return self.leaf(bound, "pr")
        inner = bound.attribute.subAttributes.values()
        return Or(tuple(self.present(Bound(bound.attribute.name, field)) for field in inner))

    def value_path(self, node: ValuePath) -> BoundNode:
        """Bind a value path: some element must match, or the value of a single-valued attribute."""
        bound = self.find(node.path)
        if bound is None:
            return Constant(False)
        if isinstance(bound.attribute, Extension) or not _takes_brackets(bound.attribute):
            raise _invalid(node.path.column, f"'{node.path.text}' has no sub-attributes, so it takes no brackets")
        if bound.attribute.multiValued:
            return Elements(bound, bind_value_filter(node.filter, self.schema, bound))
        inner = _ElementBinder(self.schema, bound, bound.path).bind(node.filter)
        return And((Leaf(bound.path, bound.attribute, "pr"), inner))

    def leaf(self, bound: Bound, operator: str, value: LiteralValue = None) -> BoundNode:
        """Return the comparison of a value; some element of a multi-valued attribute must match."""
        if not bound.attribute.multiValued:
            return Leaf(bound.path, bound.leaf, operator, value)
        owner = Bound(bound.extension, bound.attribute)
        if operator == "pr" and bound.sub is None:
            return Elements(owner, Constant(True))
        return Elements(owner, Leaf((bound.sub.name if bound.sub else "",), bound.leaf, operator, value))


class _ElementBinder(_Binder):
    """Binds the names inside brackets, which are sub-attributes of one complex attribute."""

    def __init__(self, schema: ResourceSchema, outer: Bound, prefix: tuple[str, ...] = ()) -> None:
        super().__init__(schema)
        self.outer = outer
        self.prefix = prefix

    def find(self, path: AttrPath) -> Bound | None:
        """Return the sub-attribute of a name in brackets."""
        complex_attribute = self.outer.attribute
        assert isinstance(complex_attribute, Complex)
        field = complex_attribute.sub(path.name) if path.urn is None and path.sub is None else None
        if field is None:
            known = ", ".join(complex_attribute.subAttributes)
            message = f"'{complex_attribute.name}' has no sub-attribute '{path.text}'"
            raise _invalid(path.column, message, f" It has: {known}.")
        return Bound(None, field)

    def leaf(self, bound: Bound, operator: str, value: LiteralValue = None) -> BoundNode:
        return Leaf((*self.prefix, *bound.path), bound.leaf, operator, value)


class _PlainBinder(_ElementBinder):
    """Binds the names inside the brackets of an attribute whose elements are plain values."""

    def find(self, path: AttrPath) -> Bound | None:
        """Return the element, which brackets call `value`."""
        if path.text.lower() != "value":
            name = self.outer.attribute.name
            raise _invalid(path.column, f"the values of '{name}' are plain; in brackets compare 'value'")
        return self.outer

    def leaf(self, bound: Bound, operator: str, value: LiteralValue = None) -> BoundNode:
        return Leaf(("",), bound.leaf, operator, value)


def _takes_brackets(attribute: Attribute) -> bool:
    """Tell whether an attribute takes brackets: a complex one, or plain values that clients change one by one."""
    return isinstance(attribute, Complex) or (attribute.multiValued and not attribute.readOnly)


def _literal(attribute: Attribute, node: Comparison) -> str | bool | int | float:
    """Return a comparison's literal in comparable form, after checking that operator and literal fit the attribute."""
    value, kind = node.value, attribute.kind
    if value is None:
        raise _invalid(node.column, f"null goes only with eq and ne, not with '{node.operator}'")
    if kind != "text" and node.operator in TEXT_OPERATORS:
        type_ = attribute.type
        raise _invalid(node.column, f"'{node.operator}' compares text, but '{node.path.text}' is of type {type_}")
    if node.operator in ORDER_OPERATORS and attribute.type in ("boolean", "binary"):
        typed = f"'{node.path.text}' is of type {attribute.type}"
        raise _invalid(node.column, f"{typed} and has no order for '{node.operator}'")
    return _READERS[kind](attribute, node, value)


def _text(attribute: Attribute, node: Comparison, value: LiteralValue) -> str:
    if not isinstance(value, str):
        raise _invalid(node.column, f"'{node.path.text}' is text; put the value in double quotes")
    return str(comparable(attribute, value))


def _boolean(attribute: Attribute, node: Comparison, value: LiteralValue) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in TEXT_BOOLEANS:
        note(Tolerance.TEXT_BOOLEAN_FILTER, f"{node.path.text} {node.operator} {value!r}")
        return TEXT_BOOLEANS[value.lower()]
    raise _invalid(node.column, f"'{node.path.text}' is true or false, not {json_type(value)}")


def _number(attribute: Attribute, node: Comparison, value: LiteralValue) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _invalid(node.column, f"'{node.path.text}' is a number, not {json_type(value)}")
    return value


def _instant(attribute: Attribute, node: Comparison, value: LiteralValue) -> str:
    try:
        return normalise_instant(value if isinstance(value, str) else "")
    except ValueError:
        example = 'a date and time in double quotes such as "2026-11-24T09:30:00Z"'
        raise _invalid(node.column, f"'{node.path.text}' is compared with {example}") from None


_READERS: dict[str, Callable[[Attribute, Comparison, LiteralValue], str | bool | int | float]] = {
    "text": _text,
    "boolean": _boolean,
    "number": _number,
    "instant": _instant,
}


def _knows(schema: ResourceSchema, path: AttrPath) -> bool:
    try:
        schema.resolve(path.urn, path.name, path.sub)
    except UnknownAttribute:
        return schema.extension(path.text) is not None
    return True


def _invalid(column: int, message: str, hint: str = "") -> InvalidFilter:
    return InvalidFilter(f"Column {column} of the filter: {message}.{hint}")


def _hint(schema: ResourceSchema, path: AttrPath) -> str:
    """Return a sentence with the attributes whose names are near, an extension's with its URN."""
    names: dict[str, str] = {}
    for bound in schema.paths():
        if bound.attribute.returned != "never":
            names.setdefault(Bound(None, bound.attribute, bound.sub).dotted.lower(), bound.dotted)
    return did_you_mean(f"{path.name}.{path.sub}" if path.sub else path.name, names)
