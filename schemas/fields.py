"""Attributes as marshmallow fields that carry the characteristics of RFC 7643 section 2.2."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, ClassVar

from marshmallow import ValidationError, fields

from schemas.datetimes import normalise_instant
from schemas.json import STRUCTURE_STARTS, begins_as_json
from schemas.json_text import read_json_text
from schemas.numbers import LARGEST_INTEGER, whole_number
from schemas.text import compose, fold
from schemas.tolerances import Tolerance, ignore, note

SHORT_TEXT = 1024
LONG_TEXT = 64 * 1024
TEXT_BOOLEANS = {"true": True, "false": False}
# Sub-attributes that describe an element; an element of these alone has no value.
LABELS = ("type", "primary", "display")
# Whether a document was in storage before: JSON text that Perch once stored as a value must not block other changes.
from_storage: ContextVar[bool] = ContextVar("from_storage", default=False)


def is_unassigned(value: object) -> bool:
    """Tell whether a JSON value means "unassigned" (RFC 7643 section 2.5): null, "", [] or {}."""
    return not value and (value is None or isinstance(value, (str, list, dict)))


def json_type(value: object) -> str:
    """Return the name of a JSON value's type, with its article, for error messages."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


class Attribute(fields.Field[Any]):
    """An attribute with the characteristics of RFC 7643 section 2.2; `maxBytes` limits text, in bytes of UTF-8."""

    default_error_messages = {"required": "is required."}
    type: ClassVar[str] = "string"
    kind: ClassVar[str] = "text"
    always_exact: ClassVar[bool] = False
    # Whether each element of a multi-valued attribute needs a sub-attribute, such as `value`.
    has_required_parts = False
    # Whether it is a sub-attribute.
    is_part = False
    # Of the declaration under which storage indexes its values; 0 if it does not.
    number = 0
    name: str

    def __init__(
        self,
        description: str = "",
        *,
        required: bool = False,
        multiValued: bool = False,
        caseExact: bool = False,
        mutability: str = "readWrite",
        returned: str = "default",
        uniqueness: str = "none",
        canonicalValues: Sequence[str] = (),
        referenceTypes: Sequence[str] = (),
        maxBytes: int = LONG_TEXT,
    ) -> None:
        # Values that clients send for a readOnly attribute are ignored.
        self.readOnly = mutability == "readOnly"
        super().__init__(required=required, dump_only=self.readOnly, load_only=returned == "never")
        self.description = description
        self.multiValued = multiValued
        self.caseExact = caseExact or self.always_exact
        self.mutability = mutability
        self.returned = returned
        self.uniqueness = uniqueness
        self.canonicalValues = tuple(canonicalValues)
        self.referenceTypes = tuple(referenceTypes)
        self.maxBytes = maxBytes

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return self.read(value)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return self.write(value)

    @property
    def is_structured(self) -> bool:
        """Whether its values are objects or arrays, which some clients send as JSON text."""
        return self.multiValued or self.kind == "complex"

    def is_cleared_by(self, value: object) -> bool:
        """Tell whether a value leaves the attribute unassigned (RFC 7643 section 2.5).

        An empty object does not where elements have required parts: it is an element without them.
        """
        return is_unassigned(value) and not (self.has_required_parts and isinstance(value, dict))

    def read(self, value: Any) -> Any:
        """Return the canonical form of a client's value.

        :raises ValidationError: that says what is wrong.
        """
        if not self.multiValued:
            return self.read_one(value)
        value = read_json_text(value, self.name)
        if not isinstance(value, list):
            note(Tolerance.LONE_ELEMENT, self.name)
            value = [value]
        found = self.read_elements(value)
        return found if self.kind == "complex" else self.distinct(found)

    def read_elements(self, values: list[Any]) -> list[Any]:
        """Return the canonical form of the elements; errors are keyed by the element's 0-based index."""
        found, errors = [], {}
        for index, item in enumerate(values):
            try:
                one = None if not self.has_required_parts and self.is_empty(item) else self.read_one(item)
            except ValidationError as error:
                errors[index] = error.messages
                continue
            if not is_unassigned(one):
                found.append(one)
        if errors:
            raise ValidationError(errors)
        return found

    def distinct(self, elements: Sequence[Any]) -> list[Any]:
        """Return each element once (RFC 7643 section 2.4): of equal ones the first."""
        kept: dict[Any, Any] = {}
        for element in elements:
            kept.setdefault(self.folded(element), element)
        return list(kept.values())

    def is_empty(self, item: Any) -> bool:
        """Tell whether an element was sent without a value."""
        return is_unassigned(item)

    def read_one(self, value: Any) -> Any:
        """Return the canonical form of a single value, of one element where there are many."""
        return value

    def write(self, value: Any) -> Any:
        """Return the JSON value of a canonical value."""
        return value

    def folded(self, value: Any) -> Any:
        """Return a value in the form that is compared: text composed, and without case unless caseExact."""
        if not isinstance(value, str):
            return value
        return compose(value) if self.caseExact else fold(value)


class String(Attribute):
    """Text (RFC 7643 section 2.3.1).

    JSON text (see `begins_as_json`) is refused in a sub-attribute: the client meant the attribute's object or array.
    A top-level attribute, an extension's too, keeps it as text, since organisations store JSON in attributes of theirs.
    """

    def read_one(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(f"must be a string, not {json_type(value)}.")
        try:
            size = len(value) if value.isascii() else len(value.encode())
        except UnicodeEncodeError:
            raise ValidationError("contains half of a surrogate pair; send valid Unicode text.") from None
        if size > self.maxBytes:
            raise ValidationError(f"is longer than {self.maxBytes} bytes of UTF-8.")
        if "\0" in value:
            raise ValidationError("contains the character NUL; remove it.")
        if self.required and not value.strip():
            raise ValidationError("must not be blank.")
        if self.is_part and value[:1] in STRUCTURE_STARTS and begins_as_json(value) and not from_storage.get():
            raise ValidationError("must be plain text, not JSON text; send an object or an array one level higher.")
        return value


class Reference(String):
    """A URI or the id of a resource (RFC 7643 section 2.3.7)."""

    type = "reference"
    always_exact = True


class Binary(String):
    """Base64 text; the padding at its end may be missing (RFC 7643 section 2.3.6)."""

    type = "binary"
    always_exact = True

    def read_one(self, value: Any) -> str:
        text = super().read_one(value)
        data = "".join(text.split())
        padding = "" if data.endswith("=") else "=" * (-len(data) % 4)
        try:
            base64.b64decode(data + padding, validate=True)
        except (binascii.Error, ValueError):
            raise ValidationError("must be base64 text.") from None
        return text


class Boolean(Attribute):
    """true or false (RFC 7643 section 2.3.2); also accepts the strings "True" and "False" in any case."""

    type = "boolean"
    kind = "boolean"

    def read_one(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in TEXT_BOOLEANS:
            note(Tolerance.TEXT_BOOLEAN, f"{self.name}: {value!r}")
            return TEXT_BOOLEANS[value.lower()]
        raise ValidationError(f"must be true or false, not {json_type(value)}.")


class Integer(Attribute):
    """A whole number (RFC 7643 section 2.3.4); also accepts decimal text."""

    type = "integer"
    kind = "number"

    def read_one(self, value: Any) -> int:
        number = whole_number(value)
        if number is None or (isinstance(value, str) and abs(number) >= LARGEST_INTEGER):
            raise ValidationError(f"must be a whole number, not {json_type(value)}.")
        if isinstance(value, str):
            note(Tolerance.TEXT_NUMBER, f"{self.name}: {value!r}")
        return number


class DateTime(Attribute):
    """An instant, xsd:dateTime text (RFC 7643 section 2.3.5)."""

    type = "dateTime"
    kind = "instant"

    def read_one(self, value: Any) -> str:
        try:
            normalise_instant(value)
        except (TypeError, ValueError):
            raise ValidationError("must be a date and time such as 2026-11-24T09:30:00Z.") from None
        return str(value)


class Anything(Attribute):
    """Any JSON value, kept as sent: the `value` of a PATCH operation, the `data` of a bulk operation."""

    type = "complex"
    kind = "complex"

    def read(self, value: Any) -> Any:
        return value


class Complex(Attribute):
    """An object of sub-attributes (RFC 7643 section 2.3.8); names are case-insensitive, unknown ones are dropped."""

    type = "complex"
    kind = "complex"

    def __init__(self, subAttributes: Mapping[str, Attribute], description: str = "", **characteristics: Any) -> None:
        super().__init__(description, **characteristics)
        self.subAttributes = dict(subAttributes)
        for name, field in self.subAttributes.items():
            field.name, field.is_part = name, True
            if self.readOnly:
                field.readOnly, field.mutability = True, self.mutability
        self._by_folded_name = {name.lower(): field for name, field in self.subAttributes.items()}
        self._required = [name for name, field in self.subAttributes.items() if field.required and not field.readOnly]
        self.has_required_parts = self.multiValued and bool(self._required)
        self.named_by_value = "value" in self._required

    def sub(self, name: str) -> Attribute | None:
        """Return the sub-attribute of that name in any case, or None."""
        return self.subAttributes.get(name) or self._by_folded_name.get(name.lower())

    def named(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """Return an object's known keys under the names of the sub-attributes (RFC 7643 section 2.1)."""
        found = ((self.sub(key), item) for key, item in value.items())
        return {sub.name: item for sub, item in found if sub is not None}

    def read(self, value: Any) -> Any:
        if self.multiValued:
            return super().read(value)
        value = read_json_text(value, self.name)
        if isinstance(value, list) and len(value) == 1:
            note(Tolerance.SINGLE_VALUE_ARRAY, self.name)
            value = value[0]
        return self.read_one(value)

    def is_empty(self, item: Any) -> bool:
        """Tell whether an element was sent without a value: OneLogin sends `{"value": "", "type": "work"}`."""
        if not isinstance(item, dict) or not item:
            return is_unassigned(item)
        parts = [part for key, part in item.items() if key.lower() not in LABELS]
        return bool(parts) and all(is_unassigned(part) for part in parts)

    def read_elements(self, values: list[Any]) -> list[Any]:
        found = super().read_elements(values)
        # Members have no primary, and may be many; storage keeps each of them once.
        if len(found) < 2 or "primary" not in self.subAttributes:
            return found
        marked = [element for element in found if element.get("primary") is True]
        for element in marked[1:]:
            note(Tolerance.SEVERAL_PRIMARIES, self.name)
            element["primary"] = False
        return self.distinct(found)

    def distinct(self, elements: Sequence[Any]) -> list[Any]:
        """Return each element once (RFC 7643 section 2.4): of equal ones the first, primary if any of them is."""
        kept: dict[Any, dict[str, Any]] = {}
        for element in elements:
            same = kept.setdefault(self.identity(element), element)
            if element.get("primary") is True:
                same["primary"] = True
        return list(kept.values())

    def identity(self, element: Mapping[str, Any]) -> Any:
        """Return the key that equal elements share."""
        names = self.identifying(element)
        return names, self.comparable(element, names)

    def identifying(self, element: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the names of the sub-attributes that tell an element from others (RFC 7643 section 2.4)."""
        if self.named_by_value:
            return ("value",)
        if "value" in element:
            return ("type", "value") if "type" in self.subAttributes else ("value",)
        return tuple(sorted(element.keys() - {"primary"}))

    def comparable(self, element: Mapping[str, Any], names: Sequence[str]) -> tuple[Any, ...]:
        """Return the values of some sub-attributes in the form in which equal values are the same."""
        return tuple(self.subAttributes[name].folded(element.get(name)) for name in names)

    def read_one(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            value = self.read_plain(value)
        found: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for key, item in value.items():
            field = self.sub(key)
            if is_unassigned(item) and (field is None or field.is_cleared_by(item)):
                continue
            if field is None:
                self.skip(key, item)
            elif not field.readOnly:
                try:
                    one = field.read(item)
                except ValidationError as error:
                    errors[field.name] = error.messages
                    continue
                if not is_unassigned(one):
                    found[field.name] = one
        for name in self._required:
            if name not in found and name not in errors:
                errors[name] = ["is required."]
        if errors:
            raise ValidationError(errors)
        return {name: found[name] for name in self.subAttributes if name in found} if len(found) > 1 else found

    def skip(self, key: str, value: Any) -> None:
        """Leave out a key that is no sub-attribute."""
        ignore(self.name, key)

    def read_plain(self, value: Any) -> dict[str, Any]:
        """Return the object that a plain value stands for: the one in JSON text, or one with the string as `value`."""
        value = read_json_text(value, self.name)
        if isinstance(value, dict):
            return value
        if isinstance(value, str) and "value" in self.subAttributes:
            note(Tolerance.BARE_VALUE, self.name)
            return {"value": value}
        raise ValidationError(f"must be an object, not {json_type(value)}.")

    def write(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.write(item) for item in value]
        if not isinstance(value, dict):
            return value
        return {name: value[name] for name in self.subAttributes if name in value}
