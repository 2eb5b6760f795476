"""Schemas of resources and of their extensions, and the way names resolve in them (RFC 7643 sections 3 and 7)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from marshmallow import EXCLUDE, Schema, ValidationError, post_load, pre_dump, pre_load

from schemas.dropped import note_dropped
from schemas.fields import SHORT_TEXT, Attribute, Complex, DateTime, Reference, String, is_unassigned
from schemas.json import CompactJson
from schemas.json_text import read_json_text
from schemas.tolerances import Tolerance, ignore, note, refuse_in_profile
from schemas.urns import former_names, names_schema, note_former, unknown_schemas

Document = dict[str, Any]


class UnknownAttribute(LookupError):
    """No attribute of that name; the caller knows whether that is invalidFilter or invalidPath."""


@dataclass(frozen=True, slots=True)
class Bound:
    """An attribute found in a schema: the extension's URN or None, the attribute, its sub-attribute or None."""

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

    @property
    def valued(self) -> "Bound | None":
        """Itself, or the `value` of a complex attribute that is named without a sub-attribute; None if it has none."""
        if not isinstance(self.leaf, Complex):
            return self
        value = self.leaf.sub("value") if self.sub is None else None
        return Bound(self.extension, self.attribute, value) if value else None


class ScimSchema(Schema):
    """A schema with its URN, name and description (RFC 7643 section 7); extensions are such schemas."""

    class Meta(Schema.Meta):
        """Options; the fields named in `derived` are not in the stored document, since they come from other rows."""

        urn: ClassVar[str] = ""
        name: ClassVar[str] = ""
        description: ClassVar[str] = ""
        derived: ClassVar[tuple[str, ...]] = ()


class Extension(Complex):
    """An extension of a resource's schema (RFC 7643 section 3.3): an object in the document, under the schema's URN."""

    def __init__(self, attributes: Mapping[str, Attribute], urn: str, title: str, description: str) -> None:
        super().__init__(attributes, description)
        for field in self.subAttributes.values():
            field.is_part = False
        self.title = title
        self.name = self.data_key = urn
        # Whether Perch computes all its attributes; every resource has such an extension.
        self.computed = all(field.readOnly for field in self.subAttributes.values())

    @classmethod
    def of(cls, schema: type[ScimSchema]) -> "Extension":
        """Return the extension that a schema declares."""
        meta = schema.Meta
        return cls(cast(dict[str, Attribute], schema().fields), meta.urn, meta.name, meta.description)

    def skip(self, key: str, value: Any) -> None:
        super().skip(key, value)
        note_dropped(self.name, key, value)

    def write(self, value: Document) -> Document:
        return {name: field.write(value[name]) for name, field in self.subAttributes.items() if name in value}


class ResourceSchema(ScimSchema):
    """The schema of a resource type with its extensions; documents are plain dicts, their keys SCIM's names.

    Marshmallow reads a dot in a field's name as a path, and an extension's URN has a dot. So each extension is declared
    under an identifier, with the URN as its `data_key`; in documents, loaded or dumped, it is under its URN.
    """

    class Meta(ScimSchema.Meta):
        unknown = EXCLUDE
        render_module = CompactJson

    schemas = Reference(
        "The URNs of the schemas that the resource uses.",
        required=True, multiValued=True, returned="always", mutability="readOnly",
    )  # fmt: skip
    id = String(
        "The resource's identifier, given by Perch.",
        required=True, caseExact=True, mutability="readOnly", returned="always", uniqueness="server",
    )  # fmt: skip
    externalId = String("The client's own identifier.", caseExact=True, maxBytes=SHORT_TEXT)
    meta = Complex(
        {
            "resourceType": String("The resource type's name.", caseExact=True),
            "created": DateTime("When the resource was created."),
            "lastModified": DateTime("When the resource last changed."),
            "location": Reference("The resource's URI.", referenceTypes=["uri"]),
            "version": String("The resource's entity tag.", caseExact=True),
        },
        "What Perch knows about the resource.",
        mutability="readOnly",
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        declared = cast(dict[str, Attribute], self.fields)
        self.urn = self.Meta.urn
        # By the key in a document: an attribute's name, an extension's URN.
        self.by_key = {field.name: field for field in declared.values()}
        self.extensions = {key: field for key, field in self.by_key.items() if isinstance(field, Extension)}
        self.attributes = {key: field for key, field in self.by_key.items() if key not in self.extensions}
        self._by_folded_key = {key.lower(): field for key, field in self.by_key.items()}
        declared_urns = (self.urn, *self.extensions)
        self._urns = {former: urn for urn in declared_urns for former in former_names(urn)}
        self._urns |= {urn.lower(): urn for urn in declared_urns}
        self._identifiers = {field.name: name for name, field in declared.items() if field.name in self.extensions}

    @property
    def core(self) -> dict[str, Attribute]:
        """The attributes of the resource's own schema, without those that all resources have."""
        return {name: field for name, field in self.attributes.items() if name not in COMMON}

    @pre_load
    def name_keys(self, data: Any, **options: Any) -> Any:
        """Give names in any case their declared form and drop what is unassigned (RFC 7643 sections 2.1 and 2.5)."""
        if not isinstance(data, dict):
            return data
        if not names_schema(data, self.urn):
            raise ValidationError(f"must contain {self.urn} for a {self.Meta.name}.", "schemas")
        for urn in unknown_schemas(data, self._urns):
            refuse_in_profile(f"schemas: {urn[:200]} is no schema of a {self.Meta.name}")
        return self._named(data)

    @post_load
    def complete(self, data: Document, **options: Any) -> Document:
        """Return the document: assigned attributes only, nothing that is never returned, and its `schemas`."""
        document: Document = {"schemas": []}
        for name, value in data.items():
            field = self.fields.get(name)
            if field is None or not (field.load_only or is_unassigned(value)):
                document[name if field is None else cast(Attribute, field).name] = value
        used = [urn for urn, extension in self.extensions.items() if urn in document or extension.computed]
        document["schemas"] = [self.urn, *used]
        return document

    @pre_dump
    def identify_extensions(self, document: Any, **options: Any) -> Any:
        """Put extensions under the identifiers of their fields."""
        if not isinstance(document, dict):
            return document
        return {self._identifiers.get(key, key): value for key, value in document.items()}

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """Return a document's value by key alone; marshmallow's look-up also finds methods of dict, and is slower."""
        return obj.get(attr, default) if isinstance(obj, dict) else super().get_attribute(obj, attr, default)

    def resolve(self, urn: str | None, name: str, sub: str | None = None) -> Bound:
        """Find an attribute by URN, name and sub-attribute in any case (RFC 7644 section 3.10).

        :raises UnknownAttribute: when the schema and its extensions have no such attribute.
        """
        declared = self._urns.get(urn.lower()) if urn else self.urn
        if declared is None:
            raise UnknownAttribute(f"{self.Meta.name} has no schema '{urn}'")
        extension = self.extensions.get(declared)
        field = extension.sub(name) if extension else self._by_folded_key.get(name.lower())
        if field is None or isinstance(field, Extension):
            raise UnknownAttribute(f"{self.Meta.name} has no attribute '{name}'" + (f" in {urn}" if urn else ""))
        inner = None
        if sub is not None:
            inner = field.sub(sub) if isinstance(field, Complex) else None
            if inner is None:
                raise UnknownAttribute(f"'{field.name}' has no sub-attribute '{sub}'")
        if urn:
            note_former(urn, declared)
        return Bound(extension.name if extension else None, field, inner)

    def declared_urn(self, urn: str) -> str | None:
        """Return the declared URN of the schema or extension that a URN, in any case, or a former name means."""
        declared = self._urns.get(urn.lower())
        if declared is not None:
            note_former(urn, declared)
        return declared

    def extension(self, urn: str) -> Extension | None:
        """Return the extension of that URN in any case, or by a former name, or None."""
        return self.extensions.get(self.declared_urn(urn) or "")

    def extension_with(self, name: str) -> Extension | None:
        """Return the extension that has a writable attribute of that name in any case, or None."""
        for extension in self.extensions.values():
            field = extension.sub(name)
            if field is not None and not field.readOnly:
                return extension
        return None

    def paths(self) -> Iterator[Bound]:
        """Yield every attribute and sub-attribute of the schema and its extensions."""
        levels = [(None, self.attributes), *((urn, each.subAttributes) for urn, each in self.extensions.items())]
        for urn, attributes in levels:
            for field in attributes.values():
                yield Bound(urn, field)
                for sub in field.subAttributes.values() if isinstance(field, Complex) else ():
                    yield Bound(urn, field, sub)

    def _named(self, body: Mapping[str, Any]) -> Document:
        found: Document = {}
        for key, value in body.items():
            field = self.by_key.get(key) or self._by_folded_key.get(key.lower())
            if is_unassigned(value) and (field is None or field.is_cleared_by(value)):
                continue
            field = field or self.extension(key)
            if isinstance(field, Extension):
                self._place(found, field, _read_text(key, value))
            elif field is not None:
                if field.returned == "never":
                    refuse_in_profile(f"{key}: /Schemas has no such attribute")
                found[field.name] = value
            elif self.declared_urn(key) == self.urn and isinstance(inner := _read_text(key, value), dict):
                note(Tolerance.MISPLACED_ATTRIBUTE, key)
                found |= self._named(inner)
            elif extension := self.extension_with(key):
                note(Tolerance.MISPLACED_ATTRIBUTE, key)
                self._place(found, extension, {key: value})
            else:
                ignore(key)
                note_dropped(self.urn, key, value)
                found[key] = value
        return found

    def _place(self, found: Document, extension: Extension, value: Any) -> None:
        kept = found.get(extension.name)
        if isinstance(kept, dict) and isinstance(value, dict):
            value = {**kept, **value}
        found[extension.name] = value


def _read_text(key: str, value: Any) -> Any:
    """Return the object that JSON text under a schema's URN stands for, any other value as it is."""
    try:
        return read_json_text(value, key)
    except ValidationError as error:
        raise ValidationError(error.messages, key) from None


COMMON = frozenset(ResourceSchema().fields)
