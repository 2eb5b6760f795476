"""A workspace whose attributes are declared copies of built-in ones, and cases about those rewritten for the copies."""

from dataclasses import replace
from typing import Any

from schemas import ResourceTypes
from schemas.declarations import Declaration, SubAttribute
from schemas.fields import Attribute, Complex
from schemas.filters.nodes import And, AttrPath, Comparison, FilterNode, Not, Or, ValuePath
from schemas.filters.parser import parse_filter
from schemas.user import Manager, Roles
from tests.support.resource_types import USER

COPY = "urn:example:copies:2.0:User"
NOT_COPIED = {"schemas", "id", "meta", "password", "groups", "roles"}
TYPES = {"string", "boolean", "integer", "dateTime", "reference", "complex"}


def _declaration(name: str, field: Attribute) -> Declaration:
    subs = field.subAttributes.items() if isinstance(field, Complex) else ()
    return Declaration(
        "User",
        COPY,
        name,
        field.type,
        multiValued=field.multiValued,
        caseExact=field.caseExact,
        canonicalValues=field.canonicalValues,
        indexed=field.type != "complex" or "value" in dict(subs),
        sub=tuple(SubAttribute(sub, part.type, part.caseExact, part.canonicalValues) for sub, part in subs),
    )


COPIED = {
    name: _declaration(name, field)
    for name, field in USER.schema.attributes.items()
    if name not in NOT_COPIED
    and not isinstance(field, Roles | Manager)
    and {field.type, *(part.type for part in getattr(field, "subAttributes", {}).values())} <= TYPES
}
FOLDED = {name.lower(): name for name in COPIED}
COPIES = ResourceTypes.of(dict(enumerate(COPIED.values(), 1)), 1)


def document(built_in: dict[str, Any]) -> dict[str, Any]:
    """Return a document whose copied attributes are the copies only; userName stays, too, since it is required."""
    copies = {name: value for name, value in built_in.items() if name.lower() in FOLDED}
    kept = {name: value for name, value in built_in.items() if name not in copies or name == "userName"}
    return {**kept, COPY: copies} if copies else kept


def is_copied(path: str) -> bool:
    """Tell whether a path begins with the name of a copied attribute."""
    return path.replace("[", ".").partition(".")[0].strip().lower() in FOLDED


def filter_of(text: str) -> FilterNode | None:
    """Return a filter on the copies instead of the built-in attributes; None if it names others, too."""
    return _renamed(parse_filter(text))


def _renamed(node: FilterNode) -> FilterNode | None:
    match node:
        case Comparison() | ValuePath():
            path: AttrPath = node.path
            return replace(node, path=replace(path, urn=COPY)) if not path.urn and is_copied(path.name) else None
        case Not():
            term = _renamed(node.term)
            return Not(term) if term else None
    terms = [_renamed(term) for term in node.terms]
    kept = tuple(term for term in terms if term is not None)
    if len(kept) < len(terms):
        return None
    return And(kept) if isinstance(node, And) else Or(kept)


def operation(sent: dict[str, Any]) -> dict[str, Any] | None:
    """Return a PATCH operation on the copies instead of the built-in attributes; None if it names others, too."""
    names = {key.lower(): key for key in sent}
    path, value = sent.get(names.get("path", "path")), sent.get(names.get("value", "value"))
    if path:
        return {**sent, names["path"]: f"{COPY}:{path.strip()}"} if is_copied(path) else None
    if isinstance(value, dict) and value and all(map(is_copied, value)):
        return {**sent, names["value"]: {COPY: value}}
    return None
