"""Values taken one by one, as PATCH does: read with the field's own rules, errors named by their path."""

from collections.abc import Callable, Mapping
from typing import Any

from marshmallow import ValidationError

from schemas.errors import InvalidValue
from schemas.fields import Attribute, Complex, is_unassigned
from schemas.resource import describe


def named(field: Complex, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object's known keys under the names of the field's sub-attributes (RFC 7643 section 2.1)."""
    found = ((field.sub(key), item) for key, item in value.items())
    return {sub.name: item for sub, item in found if sub is not None}


def read_value(field: Attribute, value: Any, path: str) -> Any:
    """Return the canonical form of a value, all elements of a multi-valued one (RFC 7643 section 2.2).

    :raises InvalidValue: that names `path` and what is wrong.
    """
    return _read(field.read, value, path)


def read_element(field: Attribute, value: Any, path: str) -> Any:
    """Return the canonical form of one element of a multi-valued attribute (RFC 7643 section 2.4).

    :raises InvalidValue: that names `path` and what is wrong.
    """
    return _read(field.read_one, value, path)


def _read(read: Callable[[Any], Any], value: Any, path: str) -> Any:
    try:
        return read(value)
    except ValidationError as error:
        raise InvalidValue(describe({path: error.messages})) from None


def read_part(field: Complex, sub: Attribute, value: Any, path: str) -> dict[str, Any]:
    """Return the sub-attributes that setting `sub` sets; more than one for a role written as JSON text.

    :raises InvalidValue: that names `path` and what is wrong.
    """
    if sub.name == "value" and isinstance(value, str):
        element = read_element(field, {"value": value}, path)
        return dict(element)
    return {sub.name: read_value(sub, value, path)}


def read_parts(field: Complex, value: Any, path: str) -> dict[str, Any]:
    """Return an element's sub-attributes though required ones may be missing, for merging (RFC 7644 section 3.5.2.1).

    :raises InvalidValue: that names `path` and what is wrong.
    """
    parts = named(field, value) if isinstance(value, dict) else {}
    if not parts or "value" in parts:
        return dict(read_element(field, value, path))
    writable = ((field.subAttributes[name], item) for name, item in parts.items())
    return {
        sub.name: read_value(sub, item, f"{path}.{sub.name}")
        for sub, item in writable
        if not sub.readOnly and not is_unassigned(item)
    }
