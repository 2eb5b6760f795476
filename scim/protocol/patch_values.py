"""How an operation changes the values of one attribute (RFC 7644 section 3.5.2).

The functions change their arguments in place; `scim.protocol.patch` passes a copy of the document.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from schemas.errors import InvalidValue, Mutability, NoTarget
from schemas.fields import Attribute, Complex, is_unassigned
from schemas.filters.evaluation import comparable, evaluate_element
from schemas.tolerances import Tolerance, note
from schemas.values import read_element, read_part, read_parts, read_value
from scim.protocol.patch_paths import PatchTarget, element_of

Element = dict[str, Any]

# Sub-attributes that describe an element; an element of these alone has no value.
LABELS = ("type", "primary", "display")


def change(container: dict[str, Any], op: str, target: PatchTarget, value: Any) -> None:
    """Apply an operation to an attribute inside its container: the document or an extension (RFC 7644 3.5.2).

    :raises InvalidValue: for a value that does not fit the attribute.
    :raises Mutability: for the removal of a required attribute.
    :raises NoTarget: when a filter matches nothing and describes no element.
    """
    field = target.attribute
    if op == "add" and is_unassigned(value):
        return
    if field.multiValued and isinstance(field, Complex):
        _change_elements(container, op, target, field, value)
    elif isinstance(field, Complex):
        _change_object(container, op, target, field, value)
    elif op == "remove" or is_unassigned(value):
        _unassign(container, field, op, target)
    else:
        container[field.name] = read_value(field, _unwrapped(field, value), target.text)


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
    held = container.get(field.name, {})
    if target.sub is not None:
        changed = dict(held)
        if op == "remove" or is_unassigned(value):
            _unassign(changed, target.sub, op, target)
        else:
            changed |= read_part(field, target.sub, _unwrapped(target.sub, value), target.text)
        sent = {target.sub.name}
    elif op == "remove" or is_unassigned(value):
        _unassign(container, field, op, target)
        return
    else:
        changed, sent = _merged(held, op, target, field, _unwrapped(field, value))
    if "$ref" not in sent and changed.get("value") != held.get("value"):
        # The stored reference belongs to the former value.
        changed.pop("$ref", None)
    _store(container, field, changed)


def _merged(held: Element, op: str, target: PatchTarget, field: Complex, value: Any) -> tuple[Element, set[str]]:
    """Return the object with the sent sub-attributes merged in, and the names of those."""
    parts = read_value(field, value, target.text)
    sent = field.named(value) if isinstance(value, dict) else parts
    if not parts and sent.get("value") == "":
        return {}, set(sent)
    cleared = {name for name, item in sent.items() if op == "replace" and is_unassigned(item)}
    return {name: item for name, item in {**held, **parts}.items() if name not in cleared}, set(sent)


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
    if op == "remove" or is_unassigned(value):
        kept = _removed(elements, found, target, field, value if op == "remove" else None)
    elif target.sub is not None:
        kept = _set_sub(elements, found, target, field, target.sub, value)
    elif target.filter is not None:
        kept = _set_found(elements, found, op, target, field, value)
    else:
        kept = _set_all(elements, op, target, field, value)
    _store(container, field, [element for element in kept if element])


def _set_all(elements: list[Element], op: str, target: PatchTarget, field: Complex, value: Any) -> list[Element]:
    """Add elements, none twice, or replace all of them (RFC 7644 sections 3.5.2.1 and 3.5.2.3)."""
    sent = read_value(field, value, target.text)
    held = {_identity(field, element): element for element in elements}
    if op == "replace":
        plain = not isinstance(value, list) or all(isinstance(item, str) for item in value)
        return [{**held.get(_identity(field, element), {}), **element} if plain else element for element in sent]
    kept, touched = list(elements), []
    for element in sent:
        same = held.setdefault(_identity(field, element), element)
        if same is element:
            kept.append(element)
        # Text that differs in case only is the same value, and stays as it is (RFC 7644 section 3.5.2.1).
        same.update(element if _is_named_by_value(field) else _primary_of(element))
        if element.get("primary"):
            touched.append(same)
    return _with_one_primary(kept, touched, target)


def _set_sub(
    elements: list[Element], found: list[Element], target: PatchTarget, field: Complex, sub: Attribute, value: Any
) -> list[Element]:
    """Set a sub-attribute of the matching elements, or of a new one (RFC 7644 section 3.5.2.3)."""
    parts = read_part(field, sub, _unwrapped(sub, value), target.text)
    if not found:
        return _with_created(elements, parts, target)
    for element in found:
        _update(field, element, parts)
    return _unique(field, _with_one_primary(elements, found if "primary" in parts else [], target))


def _set_found(
    elements: list[Element], found: list[Element], op: str, target: PatchTarget, field: Complex, value: Any
) -> list[Element]:
    """Merge an object into the matching elements (add), or replace each of them by it (RFC 7644 section 3.5.2.3)."""
    value = _one(value, target)
    parts = read_parts(field, value, target.text)
    if not found:
        return _with_created(elements, parts, target)
    if op == "replace" and isinstance(value, dict):
        parts = read_element(field, value, target.text)
        for element in found:
            element.clear()
    for element in found:
        _update(field, element, parts)
    kept = _unique(field, elements)
    touched = [element for element in kept if any(element is one for one in found)]
    return _with_one_primary(kept, touched if parts.get("primary") else [], target)


def _update(field: Complex, element: Element, parts: Element) -> None:
    """Merge sub-attributes into an element; a new role drops the `display` of the former one."""
    renamed = "value" in parts and parts["value"] != element.get("value")
    if renamed and _is_named_by_value(field) and element.get("value"):
        element.pop("display", None)
    element.update(parts)


def _one(value: Any, target: PatchTarget) -> Any:
    if not isinstance(value, list):
        return value
    if len(value) != 1:
        raise InvalidValue(f"{target.text}: takes one object, not an array of {len(value)}.")
    note(Tolerance.SINGLE_VALUE_ARRAY, target.text)
    return value[0]


def _with_created(elements: list[Element], parts: Element, target: PatchTarget) -> list[Element]:
    """Add the element that the filter describes, as clients expect when the path matches nothing yet.

    :raises NoTarget: when the filter describes no element, or one that it would not match.
    """
    described = element_of(target)
    element = {**(described or {}), **parts}
    if described is None or (target.filter is not None and not evaluate_element(target.filter, element)):
        raise NoTarget(f"{target.text}: no value matches the filter; correct the filter, or add the value first.")
    if target.filter is not None:
        note(Tolerance.CREATED_FROM_FILTER, target.text)
    elif all(name in LABELS for name in element):
        raise NoTarget(f"{target.text}: there is no value to set it on; add a value first.")
    return _with_one_primary([*elements, element], [element], target)


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
    if target.sub is not None and not target.sub.required:
        for element in found:
            element.pop(target.sub.name, None)
        return elements
    gone = {id(element) for element in found}
    return [element for element in elements if id(element) not in gone]


def _without_listed(elements: list[Element], target: PatchTarget, field: Complex, value: Any) -> list[Element]:
    listed = value if isinstance(value, list) else [value]
    parts = [read_parts(field, item, target.text) for item in listed if not is_unassigned(item)]
    wanted: dict[tuple[str, ...], set[tuple[Any, ...]]] = {}
    for part in parts:
        names = tuple(name for name in sorted(part) if name not in ("primary", "display", "$ref")) or tuple(part)
        if names:
            wanted.setdefault(names, set()).add(_comparable(field, part, names))
    return [
        element
        for element in elements
        if not any(_comparable(field, element, names) in values for names, values in wanted.items())
    ]


def _comparable(field: Complex, element: Element, names: Iterable[str]) -> tuple[Any, ...]:
    """Return the values of the names in the form that filters compare."""
    values = ((field.subAttributes[name], element.get(name)) for name in names)
    return tuple(comparable(sub, value) if isinstance(value, str) else value for sub, value in values)


def _identity(field: Complex, element: Element) -> Any:
    """Return the key that equal elements share: a required `value` alone, else all sub-attributes but `primary`."""
    if _is_named_by_value(field):
        return _comparable(field, element, ("value",))
    names = sorted(element.keys() - {"primary"})
    return tuple(zip(names, _comparable(field, element, names), strict=True))


def _primary_of(element: Element) -> Element:
    return {"primary": element["primary"]} if "primary" in element else {}


def _is_named_by_value(field: Complex) -> bool:
    value = field.sub("value")
    return value is not None and value.required


def _unique(field: Complex, elements: list[Element]) -> list[Element]:
    """Return the elements without duplicates, which an operation on a sub-attribute may have made."""
    kept: dict[Any, Element] = {}
    for element in elements:
        same = kept.setdefault(_identity(field, element), element)
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
