"""The resource types (RFC 7643 section 6): which schemas make up a resource, and the way names resolve in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError, missing

from schemas import access, enterprise_user, group, role, user
from schemas.errors import InvalidSyntax, InvalidValue
from schemas.fields import Attribute, Complex, common_attributes, is_unassigned, json_type
from schemas.tolerances import Tolerance, ignore, note


class UnknownAttribute(LookupError):
    """No attribute of that name; the caller knows whether that is invalidFilter or invalidPath."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An attribute found in a resource type: the extension's URN or None, the attribute, its sub-attribute or None."""

    extension: str | None
    attribute: Attribute
    sub: Attribute | None = None

    @property
    def leaf(self) -> Attribute:
        """The attribute whose values the path names."""
        return self.sub or self.attribute

    @property
    def path(self) -> tuple[str, ...]:
        """The keys that lead to the values in a document."""
        names = [self.extension, self.attribute.name, self.sub.name if self.sub else None]
        return tuple(name for name in names if name)

    @property
    def dotted(self) -> str:
        """The path as a client would write it (RFC 7644 section 3.10)."""
        name = f"{self.attribute.name}.{self.sub.name}" if self.sub else self.attribute.name
        return f"{self.extension}:{name}" if self.extension else name


class ResourceType:
    """A resource type with its core schema and extensions (RFC 7643 section 6)."""

    def __init__(
        self,
        name: str,
        description: str,
        schema: tuple[str, dict[str, Attribute]],
        extensions: Mapping[str, tuple[str, str, dict[str, Attribute]]],
    ) -> None:
        """Declare it: the core schema's URN and attributes; of each extension its schema's name, a text, attributes."""
        self.name = name
        self.description = description
        self.endpoint = f"/{name}s"
        self.urn, self.core = schema
        self.attributes: dict[str, Attribute] = {**common_attributes(), **self.core}
        self.extensions = {urn: Complex(fields, text) for urn, (_, text, fields) in extensions.items()}
        self.extension_names = {urn: title for urn, (title, _, _) in extensions.items()}
        self.fields: dict[str, Attribute] = {**self.attributes, **self.extensions}
        self._names = {key.lower(): field for key, field in self.fields.items()}
        for key, field in self.fields.items():
            field.name = key
        self._writable = {key: field for key, field in self.fields.items() if not field.readOnly}
        self.computed_urns = [urn for urn, ext in self.extensions.items() if _all_read_only(ext)]

    def resolve(self, urn: str | None, name: str, sub: str | None = None) -> Bound:
        """Find an attribute by URN, name and sub-attribute in any case (RFC 7644 section 3.10).

        :raises UnknownAttribute: when the resource type has no such attribute.
        """
        extension = self._extension(urn) if urn and urn.lower() != self.urn.lower() else None
        field = extension.sub(name) if extension else self._core_attribute(name)
        if field is None:
            raise UnknownAttribute(f"{self.name} has no attribute '{name}'" + (f" in {urn}" if urn else ""))
        inner = None
        if sub is not None:
            inner = field.sub(sub) if isinstance(field, Complex) else None
            if inner is None:
                raise UnknownAttribute(f"'{field.name}' has no sub-attribute '{sub}'")
        return Bound(extension.name if extension else None, field, inner)

    def _core_attribute(self, name: str) -> Attribute | None:
        field = self._names.get(name.lower())
        return field if field is not None and field.name not in self.extensions else None

    def _extension(self, urn: str) -> Complex:
        found = self.extension(urn)
        if found is None:
            raise UnknownAttribute(f"{self.name} has no schema '{urn}'")
        return found

    def extension(self, urn: str) -> Complex | None:
        """Return the extension of that URN in any case, or None."""
        field = self._names.get(urn.lower())
        return self.extensions.get(field.name) if field is not None else None

    def load(self, body: Any) -> dict[str, Any]:
        """Return a client's body as a valid canonical document, with `schemas` (RFC 7643 section 3).

        Names in any case become canonical; unassigned, readOnly, unknown and never-returned attributes are dropped.

        :raises InvalidValue: naming each attribute that is wrong.
        """
        if not isinstance(body, dict):
            raise InvalidSyntax(f"The body must be a JSON object, not {json_type(body)}.")
        self._check_schemas(body)
        document = {"schemas": [self.urn], **self._read(self.canonical_names(body))}
        document["schemas"] += [urn for urn in self.extensions if urn in document or urn in self.computed_urns]
        return document

    def _read(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """Have the fields read what was sent, those that lack too; a Schema's own loop costs three times as much."""
        found, errors = {}, {}
        for key, field in self._writable.items():
            if key not in sent and not field.required:
                continue
            try:
                value = field.deserialize(sent.get(key, missing))
            except ValidationError as error:
                errors[key] = error.messages
                continue
            if field.returned != "never" and not is_unassigned(value):
                found[key] = value
        if errors:
            raise InvalidValue(describe(errors))
        return found

    def _check_schemas(self, body: Mapping[str, Any]) -> None:
        sent = next((value for key, value in body.items() if key.lower() == "schemas"), None)
        if is_unassigned(sent):
            note(Tolerance.MISSING_SCHEMAS)
            return
        named = sent if isinstance(sent, list) else [sent]
        if not any(isinstance(urn, str) and urn.lower() == self.urn.lower() for urn in named):
            raise InvalidValue(f"schemas: must contain {self.urn} for a {self.name}.")

    def canonical_names(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the body's assigned, known top-level attributes under their canonical names."""
        document: dict[str, Any] = {}
        for key, value in body.items():
            if is_unassigned(value):
                continue
            field = self.fields.get(key) or self._names.get(key.lower())
            if field is not None:
                if not field.readOnly:
                    self._place(document, field.name, value)
            elif key.lower() == self.urn.lower() and isinstance(value, dict):
                note(Tolerance.MISPLACED_ATTRIBUTE, key)
                document.update(self.canonical_names(value))
            elif urn := self.extension_with(key):
                note(Tolerance.MISPLACED_ATTRIBUTE, key)
                self._place(document, urn, {key: value})
            else:
                ignore(key)
        return document

    def _place(self, document: dict[str, Any], name: str, value: Any) -> None:
        kept = document.get(name)
        if kept and name in self.extensions and isinstance(kept, dict) and isinstance(value, dict):
            value = {**kept, **value}
        document[name] = value

    def extension_with(self, name: str) -> str | None:
        """Return the URN of the extension that has a writable attribute of that name, or None."""
        for urn, extension in self.extensions.items():
            field = extension.sub(name)
            if field is not None and not field.readOnly:
                return urn
        return None


def _all_read_only(extension: Complex) -> bool:
    return all(field.readOnly for field in extension.subAttributes.values())


def describe(messages: Any) -> str:
    """Return marshmallow's nested messages as sentences that name each attribute, ten at most."""
    found = list(_sentences(messages, ""))
    more = f" And {len(found) - 10} more." if len(found) > 10 else ""
    return " ".join(found[:10]) + more


def _sentences(messages: Any, path: str) -> Any:
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


USER = ResourceType(
    "User",
    "A person",
    (user.URN, user.attributes()),
    {
        enterprise_user.URN: ("EnterpriseUser", "Attributes of people in organisations", enterprise_user.attributes()),
        access.USER_URN: ("UserAccess", "Who may log in, with which roles and why", access.user_attributes()),
    },
)
GROUP = ResourceType(
    "Group",
    "A group of people and groups",
    (group.URN, group.attributes()),
    {access.GROUP_URN: ("GroupAccess", "The roles that members inherit", access.group_attributes())},
)
ROLE = ResourceType("Role", "A role of the catalogue", (role.URN, role.attributes()), {})
RESOURCE_TYPES = {kind.name: kind for kind in (USER, GROUP, ROLE)}
