"""The evaluation of bound filters over documents (RFC 7644 section 3.4.2.2)."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.datetimes import normalise_instant
from schemas.fields import Attribute, is_unassigned
from schemas.filters.nodes import And, BoundNode, Elements, Leaf, Not, Or

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


def evaluate(bound: BoundNode, document: Mapping[str, Any]) -> bool:
    """Tell whether a document, or an element of one, matches a bound filter (RFC 7644 section 3.4.2.2)."""
    match bound:
        case Leaf():
            return _matches(bound, _dig(document, bound.path))
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


def comparable(attribute: Attribute, value: Any) -> Any:
    """Return a value in the form that comparisons use: text folded or, if caseExact, composed; instants normalised."""
    if attribute.kind == "instant":
        return normalise_instant(value)
    return attribute.folded(value)


def _dig(document: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _matches(leaf: Leaf, value: Any) -> bool:
    if leaf.operator == "pr":
        return not is_unassigned(value)
    if is_unassigned(value):
        if not leaf.missing_is_false:
            return False
        value = False
    return _COMPARISONS[leaf.operator](comparable(leaf.attribute, value), leaf.value)
