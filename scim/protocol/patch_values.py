"""How an operation changes the values of one attribute (RFC 7644 section 3.5.2).

The functions change their arguments in place; `scim.protocol.patch` passes a copy of the document.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schemas.errors import InvalidValue, Mutability, NoTarget
from schemas.fields import LABELS, Attribute, Complex, is_unassigned
from schemas.filters.evaluation import evaluate_element
from schemas.tolerances import Tolerance, follows_profile, note
from schemas.values import read_part, read_parts, read_structure, read_value
from scim.protocol.patch_paths import PatchTarget, element_of


class Element(dict[str, Any]):
    """A complex value of the document; `explicit` names the sub-attributes that operations of the request have set.

    No later operation drops those as a consequence; it may name them itself (RFC 7644 section 3.5.2).
    """

    def __init__(self, found: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__(found)
        self.explicit: set[str] = set(found.explicit) if isinstance(found, Element) else set()

    def assign(self, parts: Mapping[str, Any]) -> "Element":
        """Set sub-attributes as an operation says; return the element."""
        self.update(parts)
        self.explicit.update(parts)
        return self


def change(container: dict[str, Any], op: str, target: PatchTarget, value: Any) -> None:
    """Apply an operation to an attribute inside its container: the document or an extension (RFC 7644 3.5.2).

    :raises InvalidValue: for a value that does not fit the attribute.
    :raises Mutability: for the removal of a required attribute.
    :raises NoTarget: when a filter matches nothing and describes no element.
    """
    field = target.attribute
    if op == "add" and target.bound.leaf.is_cleared_by(value):
        return
    if field.multiValued and isinstance(field, Complex):
        _change_elements(container, op, target, field, value)
    elif isinstance(field, Complex):
        _change_object(container, op, target, field, value)
    elif field.multiValued:
        _store(container, field, field.distinct(_changed_values(container.get(field.name, []), op, target, value)))
    elif op == "remove" or is_unassigned(value):
        _unassign(container, field, op, target)
    else:
        container[field.name] = read_value(field.read, _unwrapped(field, value), target.text)


def _changed_values(held: list[Any], op: str, target: PatchTarget, value: Any) -> list[Any]:
    """Return plain values after an operation on all of them, or on those that a filter matches."""
    field = target.attribute
    found = held if target.filter is None else [item for item in held if evaluate_element(target.filter, item)]
    if op == "remove" and target.filter is None and not is_unassigned(value):
        note(Tolerance.REMOVE_WITH_VALUE, target.text)
        listed = {field.folded(item) for item in read_value(field.read, value, target.text)}
        return [item for item in held if field.folded(item) not in listed]
    if op == "remove" or is_unassigned(value):
        return [item for item in held if item not in found]
    sent = read_value(field.read, value, target.text)
    if target.filter is None:
        return [*held, *sent] if op == "add" else list(sent)
    if not found:
        raise NoTarget(f"{target.text}: no value matches the filter; correct the filter, or add the value first.")
    return [each for item in held for each in (sent if item in found else [item])]


def _unassign(container: dict[str, Any], field: Attribute, op: str, target: PatchTarget) -> None:
    if field.required and op == "remove":
        raise Mutability(f"{target.text}: is required and cannot be removed; replace it instead.")
    if field.required:
        raise InvalidValue(f"{target.text}: is required and must not be blank.")
    container.pop(field.name, None)


def _unwrapped(field: Attribute, value: Any) -> Any:
    """Return a value without the array around it: older Entra connectors send `[{"value": x}]` for every attribute."""
    if not isinstance(value, list) or len(value) != 1 or field.multiValued:
        return value
    note(Tolerance.SINGLE_VALUE_ARRAY, field.name)
    (only,) = value
    return only.get("value") if isinstance(only, dict) and not isinstance(field, Complex) else only


def _change_object(container: dict[str, Any], op: str, target: PatchTarget, field: Complex, value: Any) -> None:
    """Change a single-valued complex attribute; sub-attributes that are not named stay (RFC 7644 section 3.5.2.3)."""
    held = container.get(field.name) or Element()
    if target.sub is not None:
        changed = Element(held)
        if op == "remove" or is_unassigned(value):
            _unassign(changed, target.sub, op, target)
        else:
            changed |= read_part(field, target.sub, _unwrapped(target.sub, value), target.text)
        sent = {target.sub.name}
    elif op == "remove" or is_unassigned(value):
        _unassign(container, field, op, target)
        return
    else:
        changed, sent = _merged(held, op, target, field, read_structure(_unwrapped(field, value), target.text))
    changed.explicit = held.explicit | sent
    if "$ref" not in changed.explicit and changed.get("value") != held.get("value"):
        # The stored reference belongs to the former value.
        changed.pop("$ref", None)
    _store(container, field, changed)


def _merged(held: Element, op: str, target: PatchTarget, field: Complex, value: Any) -> tuple[Element, set[str]]:
    """Return the object with the sent sub-attributes merged in, and the names of those."""
    parts = read_value(field.read, value, target.text)
    sent = field.named(value) if isinstance(value, dict) else parts
    if not parts and sent.get("value") == "":
        return Element(), set(sent)
    if op == "replace" and follows_profile():
        held = Element()
    cleared = {name for name, item in sent.items() if op == "replace" and is_unassigned(item)}
    return Element({name: item for name, item in {**held, **parts}.items() if name not in cleared}), set(sent)


def _store(container: dict[str, Any], field: Attribute, value: Any) -> None:
    if is_unassigned(value):
        container.pop(field.name, None)
    else:
        container[field.name] = value


def _change_elements(container: dict[str, Any], op: str, target: PatchTarget, field: Complex, value: Any) -> None:
    elements: list[Element] = container.get(field.name, [])
    found = elements
    if target.filter is not None:
        found = [element for element in elements if evaluate_element(target.filter, element)]
    if op == "remove" or target.bound.leaf.is_cleared_by(value):
        kept = _removed(elements, found, target, field, value if op == "remove" else None)
    elif target.sub is not None or target.filter is not None:
        kept = _set_found(elements, found, op, target, field, value)
    else:
        kept = _set_all(elements, op, target, field, value)
    _store(container, field, [element for element in kept if element])


def _set_all(elements: list[Element], op: str, target: PatchTarget, field: Complex, value: Any) -> list[Element]:
    """Add elements, none twice, or replace all of them (RFC 7644 sections 3.5.2.1 and 3.5.2.3)."""
    sent = read_value(field.read, value, target.text)
    held = {field.identity(element): element for element in reversed(elements)}
    if op == "replace":
        plain = not isinstance(value, list) or all(isinstance(item, str) for item in value)
        kept_parts = held if plain else {}
        return [Element(kept_parts.get(field.identity(element), ())).assign(element) for element in sent]
    kept, touched = list(elements), []
    for element in sent:
        same, parts = held.get(field.identity(element)), element
        if same is None:
            kept.append(same := Element())
        else:
            # Text that differs in case only is the same value, and stays as it is (RFC 7644 section 3.5.2.1).
            parts = {name: item for name, item in element.items() if name not in field.identifying(element)}
        same.assign(parts)
        if element.get("primary"):
            touched.append(same)
    return _with_one_primary(kept, touched, target)


def _set_found(
    elements: list[Element], found: list[Element], op: str, target: PatchTarget, field: Complex, value: Any
) -> list[Element]:
    """Set parts of the matching elements, or replace them; where none matches, make one (RFC 7644 3.5.2.3)."""
    if target.sub is not None:
        parts = read_part(field, target.sub, _unwrapped(target.sub, value), target.text)
    else:
        value = _one(value, target)
        parts = read_parts(field, value, target.text)
    if not found:
        return _with_created(field, elements, parts, target)
    if op == "replace" and target.sub is None and isinstance(value, dict):
        parts = read_value(field.read_one, value, target.text)
        for element in found:
            element.clear()
            element.explicit.clear()
    for element in found:
        _update(field, element, parts)
    kept = _unique(field, elements)
    same = {id(element) for element in found} if parts.get("primary") else ()
    return _with_one_primary(kept, [element for element in kept if id(element) in same], target)


def _update(field: Complex, element: Element, parts: Mapping[str, Any]) -> None:
    """Merge sub-attributes into an element; a new role drops the `display` of the former one."""
    renamed = "value" in parts and parts["value"] != element.get("value")
    if renamed and field.named_by_value and element.get("value") and "display" not in element.explicit:
        element.pop("display", None)
    element.assign(parts)


def _one(value: Any, target: PatchTarget) -> Any:
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise InvalidValue(f"{target.text}: takes one object, not an array of {len(value)}.")
    note(Tolerance.SINGLE_VALUE_ARRAY, target.text)
    return read_structure(value[0], target.text)


def _with_created(
    field: Complex, elements: list[Element], parts: Mapping[str, Any], target: PatchTarget
) -> list[Element]:
    """Add the element that the filter describes, as clients expect when the path matches nothing yet.

    :raises NoTarget: when the filter describes no element, or one that it would not match.
    """
    described = element_of(target)
    element = Element().assign({**(described or {}), **parts})
    if described is None or (target.filter is not None and not evaluate_element(target.filter, element)):
        raise NoTarget(f"{target.text}: no value matches the filter; correct the filter, or add the value first.")
    if target.filter is not None:
        note(Tolerance.CREATED_FROM_FILTER, target.text)
    elif all(name in LABELS for name in element):
        raise NoTarget(f"{target.text}: there is no value to set it on; add a value first.")
    return _unique(field, _with_one_primary([*elements, element], [element], target))


def _removed(
    elements: list[Element], found: list[Element], target: PatchTarget, field: Complex, value: Any
) -> list[Element]:
    """Remove the matching elements, their sub-attribute, or the listed elements (RFC 7644 section 3.5.2.2).

    A filter that matches nothing removes nothing, since clients repeat removals. To remove a required sub-attribute
    removes the element.
    """
    if target.sub is None and target.filter is None:
        if value is None or value == "":
            return []
        note(Tolerance.REMOVE_WITH_VALUE, target.text)
        return _without_listed(elements, target, field, value)
    if target.sub is not None and target.sub.required:
        note(Tolerance.REMOVED_REQUIRED, target.text)
    if target.sub is not None and not target.sub.required:
        for element in found:
            element.pop(target.sub.name, None)
            element.explicit.discard(target.sub.name)
        return elements
    gone = {id(element) for element in found}
    return [element for element in elements if id(element) not in gone]


def _without_listed(elements: list[Element], target: PatchTarget, field: Complex, value: Any) -> list[Element]:
    listed = value if isinstance(value, list) else [value]
    parts = [read_parts(field, item, target.text) for item in listed if not is_unassigned(item)]
    # The listed values, by the sub-attributes that tell which elements to remove.
    wanted: dict[tuple[str, ...], set[tuple[Any, ...]]] = {}
    for part in parts:
        names = tuple(name for name in sorted(part) if name not in ("primary", "display", "$ref")) or tuple(part)
        if field.named_by_value and "value" in part:
            names = field.identifying(part)
        if names:
            wanted.setdefault(names, set()).add(field.comparable(part, names))
    return [
        element
        for element in elements
        if not any(field.comparable(element, names) in values for names, values in wanted.items())
    ]


def _unique(field: Complex, elements: list[Element]) -> list[Element]:
    """Return each element once, since an operation on a sub-attribute may have made two equal.

    The first one stays, with what operations of the request have set on the others.
    """
    kept: dict[Any, Element] = {}
    for element in elements:
        same = kept.setdefault(field.identity(element), element)
        if same is not element:
            known = {*same.explicit, *field.identifying(same), "primary"}
            same.assign({name: item for name, item in element.items() if name in element.explicit - known})
        if element.get("primary") is True:
            same["primary"] = True
    return list(kept.values())


def _with_one_primary(elements: list[Element], touched: Sequence[Element], target: PatchTarget) -> list[Element]:
    """Unmark the former primary value when the operation has marked another one (RFC 7644 section 3.5.2)."""
    chosen = [element for element in touched if element.get("primary") is True]
    if len({id(element) for element in chosen}) > 1:
        raise InvalidValue(f"{target.text}: only one value can be primary (RFC 7643 section 2.4); mark one.")
    for element in elements if chosen else ():
        if element is not chosen[0] and element.get("primary") is True:
            element["primary"] = False
    return elements
