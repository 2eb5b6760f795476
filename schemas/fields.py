"""Attributes as marshmallow fields that carry the characteristics of RFC 7643 section 2.2, declared once."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from marshmallow import ValidationError, fields

from schemas.datetimes import normalise_instant
from schemas.tolerances import Tolerance, ignore, note

SHORT_TEXT = 1024
LONG_TEXT = 64 * 1024
TEXT_BOOLEANS = {"true": True, "false": False}
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")


def is_unassigned(value: object) -> bool:
    """Tell whether a JSON value means "unassigned" (RFC 7643 section 2.5): null, "", [] or {}."""
    return not value and (value is None or isinstance(value, (str, list, dict)))


class Attribute(fields.Field[Any]):
    """An attribute with the characteristics of RFC 7643 section 2.2; `maxBytes` bounds text in bytes of UTF-8."""

    type: ClassVar[str] = "string"
    kind: ClassVar[str] = "text"
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
        super().__init__(
            required=required,
            dump_only=mutability == "readOnly",
            error_messages={"required": "is required."},
        )
        self.description = description
        self.multiValued = multiValued
        self.caseExact = caseExact
        self.mutability = mutability
        # Clients' values for such an attribute are ignored.
        self.readOnly = mutability == "readOnly"
        self.returned = returned
        self.uniqueness = uniqueness
        self.canonicalValues = tuple(canonicalValues)
        self.referenceTypes = tuple(referenceTypes)
        self.maxBytes = maxBytes

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        return self.read(value)

    def _validate(self, value: Any) -> None:
        """Check nothing more; marshmallow would put its validators together anew for each value, and there are none."""

    def read(self, value: Any) -> Any:
        """Return the canonical form of a client's value, or raise ValidationError that says what is wrong."""
        if not self.multiValued:
            return self.read_one(value)
        if not isinstance(value, list):
            note(Tolerance.LONE_ELEMENT, self.name)
            value = [value]
        return self._read_all(value)

    def _read_all(self, values: list[Any]) -> list[Any]:
        found, errors = [], {}
        for position, item in enumerate(values):
            try:
                one = None if is_unassigned(item) else self.read_one(item)
            except ValidationError as error:
                errors[position] = error.messages
                continue
            if not is_unassigned(one):
                found.append(one)
        if errors:
            raise ValidationError(errors)
        return found

    def read_one(self, value: Any) -> Any:
        """Return the canonical form of one value of the attribute, or raise ValidationError."""
        return value


class String(Attribute):
    """Text (RFC 7643 section 2.3.1)."""

    def read_one(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(f"must be a string, not {json_type(value)}.")
        if not value.isascii():
            self._check_unicode(value)
        elif len(value) > self.maxBytes:
            raise ValidationError(f"is longer than {self.maxBytes} bytes of UTF-8.")
        if "\0" in value:
            raise ValidationError("contains the character NUL; remove it.")
        if self.required and not value.strip():
            raise ValidationError("must not be blank.")
        return value

    def _check_unicode(self, value: str) -> None:
        try:
            size = len(value.encode())
        except UnicodeEncodeError:
            raise ValidationError("contains half of a surrogate pair; send valid Unicode text.") from None
        if size > self.maxBytes:
            raise ValidationError(f"is longer than {self.maxBytes} bytes of UTF-8.")


class Reference(String):
    """A URI or the id of a resource (RFC 7643 section 2.3.7); always compared exactly."""

    type = "reference"

    def __init__(self, description: str = "", **characteristics: Any) -> None:
        super().__init__(description, **{"caseExact": True, **characteristics})


class Binary(String):
    """Base64 text (RFC 7643 section 2.3.6)."""

    type = "binary"

    def __init__(self, description: str = "", **characteristics: Any) -> None:
        super().__init__(description, **{"caseExact": True, **characteristics})

    def read_one(self, value: Any) -> str:
        text = super().read_one(value)
        try:
            base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise ValidationError("must be base64 text.") from None
        return text


class Boolean(Attribute):
    """true or false (RFC 7643 section 2.3.2); the strings "True" and "False" in any case are understood."""

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
    """A whole number (RFC 7643 section 2.3.4)."""

    type = "integer"
    kind = "number"

    def read_one(self, value: Any) -> int:
        if isinstance(value, str) and WHOLE_NUMBER.fullmatch(value.strip()):
            note(Tolerance.TEXT_NUMBER, f"{self.name}: {value!r}")
            return int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValidationError(f"must be a whole number, not {json_type(value)}.")
        return value


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
    """Any JSON value; for messages whose content another declaration checks (RFC 7644 section 3.5.2)."""

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
            field.name = name
        self._names = {name.lower(): field for name, field in self.subAttributes.items()}
        self._required = [name for name, field in self.subAttributes.items() if field.required and not field.readOnly]

    def sub(self, name: str) -> Attribute | None:
        """Return the sub-attribute of that name in any case, or None."""
        return self.subAttributes.get(name) or self._names.get(name.lower())

    def read(self, value: Any) -> Any:
        if isinstance(value, list) and not self.multiValued and len(value) == 1:
            note(Tolerance.SINGLE_VALUE_ARRAY, self.name)
            value = value[0]
        return super().read(value)

    def read_one(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            value = self._from_plain(value)
        found: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for key, item in value.items():
            if is_unassigned(item):
                continue
            field = self.subAttributes.get(key) or self._names.get(key.lower())
            if field is None:
                ignore(self.name, key)
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

    def _from_plain(self, value: Any) -> dict[str, Any]:
        if isinstance(value, str) and "value" in self.subAttributes:
            note(Tolerance.BARE_VALUE, self.name)
            return {"value": value}
        raise ValidationError(f"must be an object, not {json_type(value)}.")

    def _read_all(self, values: list[Any]) -> list[Any]:
        found = super()._read_all(values)
        if len([item for item in found if item.get("primary") is True]) > 1:
            raise ValidationError("has more than one primary value; mark one only (RFC 7643 section 2.4).")
        return found


def json_type(value: object) -> str:
    """Return the name of a JSON value's type, with its article, for error messages."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def plural(description: str, value: Attribute, types: Sequence[str] = (), **characteristics: Any) -> Complex:
    """Declare a multi-valued attribute with the default sub-attributes of RFC 7643 section 2.4."""
    return Complex(
        {
            "value": value,
            "display": String("A human-readable name of the value."),
            "type": String("A label of the value's function.", canonicalValues=types),
            "primary": Boolean("Whether this is the preferred value; true at most once."),
        },
        description,
        multiValued=True,
        **characteristics,
    )


def common_attributes() -> dict[str, Attribute]:
    """Declare the attributes that every resource has (RFC 7643 sections 3 and 3.1)."""
    return {
        "schemas": Reference(
            "The URNs of the schemas that the resource uses.",
            required=True, multiValued=True, returned="always", mutability="readOnly",
        ),
        "id": String(
            "The resource's identifier, given by Perch.",
            required=True, caseExact=True, mutability="readOnly", returned="always", uniqueness="server",
        ),
        "externalId": String("The client's own identifier.", caseExact=True, maxBytes=SHORT_TEXT),
        "meta": Complex(
            {
                "resourceType": String("The resource type's name.", caseExact=True, mutability="readOnly"),
                "created": DateTime("When the resource was created.", mutability="readOnly"),
                "lastModified": DateTime("When the resource last changed.", mutability="readOnly"),
                "location": Reference("The resource's URI.", mutability="readOnly", referenceTypes=["uri"]),
                "version": String("The resource's entity tag.", caseExact=True, mutability="readOnly"),
            },
            "What Perch knows about the resource.",
            mutability="readOnly",
        ),
    }  # fmt: skip
