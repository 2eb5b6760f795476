"""Values taken one by one, as PATCH does, and marshmallow's error messages as sentences."""

from collections.abc import Callable, Iterator
from typing import Any

from marshmallow import ValidationError

from schemas.errors import InvalidValue
from schemas.fields import Attribute, Complex, is_unassigned
from schemas.json_text import read_json_text

MOST_SENTENCES = 10


def sentences(messages: Any) -> str:
    """Return marshmallow's nested error messages as sentences that name each attribute, ten at most."""
    found = list(_sentences(messages, ""))
    more = f" And {len(found) - MOST_SENTENCES} more." if len(found) > MOST_SENTENCES else ""
    return " ".join(found[:MOST_SENTENCES]) + more


def _sentences(messages: Any, path: str) -> Iterator[str]:
    if isinstance(messages, dict):
        for key, inner in messages.items():
            step = f"[{key}]" if isinstance(key, int) else f".{key}" if path else str(key)
            yield from _sentences(inner, path + step)
        return
    for message in messages:
        if isinstance(message, dict):
            yield from _sentences(message, path)
        else:
            yield f"{path}: {message}"


def invalid_value(error: ValidationError, path: str = "") -> InvalidValue:
    """Return marshmallow's error as the one that clients see; `path` names the value if the messages do not."""
    return InvalidValue(sentences({path: error.messages} if path else error.messages))


def read_value(read: Callable[[Any], Any], value: Any, path: str) -> Any:
    """Return the canonical form of a value; `read` is a field's, or its `read_one` (RFC 7643 section 2.2).

    :raises InvalidValue: that names `path` and what is wrong.
    """
    try:
        return read(value)
    except ValidationError as error:
        raise invalid_value(error, path) from None


def read_structure(value: Any, path: str) -> Any:
    """Return the object or array that JSON text stands for, any other value as it is (see `read_json_text`).

    :raises InvalidValue: that names `path`, for JSON text with an error.
    """
    return read_value(lambda text: read_json_text(text, path), value, path)


def read_part(field: Complex, sub: Attribute, value: Any, path: str) -> dict[str, Any]:
    """Return the sub-attributes that setting `sub` sets; more than one for a role written as JSON text.

    :raises InvalidValue: that names `path` and what is wrong.
    """
    if sub.name == "value" and isinstance(value, str):
        element = read_value(field.read_one, {"value": value}, path.removesuffix(".value"))
        return dict(element)
    return {sub.name: read_value(sub.read, value, path)}


def read_parts(field: Complex, value: Any, path: str) -> dict[str, Any]:
    """Return the sub-attributes to merge into an element; required ones may be missing (RFC 7644 section 3.5.2.1).

    :raises InvalidValue: that names `path` and what is wrong.
    """
    value = read_structure(value, path)
    parts = field.named(value) if isinstance(value, dict) else {}
    if not parts or "value" in parts:
        return dict(read_value(field.read_one, value, path))
    writable = ((field.subAttributes[name], item) for name, item in parts.items())
    return {
        sub.name: read_value(sub.read, item, f"{path}.{sub.name}")
        for sub, item in writable
        if not sub.readOnly and not is_unassigned(item)
    }
