"""What a SCIM resource is: attributes, resource types, filters and messages (RFC 7643, RFC 7644); no I/O."""

from collections.abc import Mapping
from typing import Any, cast

from marshmallow import ValidationError
from marshmallow.fields import Field

from schemas.declarations import Declaration, title_of
from schemas.errors import InvalidSyntax
from schemas.fields import Attribute, from_storage, json_type
from schemas.group import GroupSchema
from schemas.resource import Document, Extension, ResourceSchema
from schemas.role import RoleSchema
from schemas.user import UserSchema
from schemas.values import invalid_value


class ResourceType:
    """A resource type (RFC 7643 section 6): a schema and the endpoint of the resources that have it.

    `derived` dumps the attributes that are not in the stored document; `version` is that of the declared attributes.
    """

    def __init__(self, schema: ResourceSchema, version: int = 0) -> None:
        self.schema = schema
        self.version = version
        self.derived = type(schema)(only=schema.Meta.derived)
        self.name = schema.Meta.name
        # The attributes whose values storage indexes.
        self.indexed = tuple(bound for bound in schema.paths() if bound.leaf.number)
        self.endpoint = f"/{self.name}s"
        # Clients may only read resources whose attributes are all readOnly.
        self.writable = not all(field.readOnly for field in schema.core.values())

    def load(self, body: Any) -> Document:
        """Return a client's body as a document (RFC 7643 section 3).

        :raises InvalidSyntax: when the body is no object; :raises InvalidValue: naming each attribute that is wrong.
        """
        if not isinstance(body, dict):
            raise InvalidSyntax(f"The body must be a JSON object, not {json_type(body)}.")
        try:
            document: Document = self.schema.load(body)
        except ValidationError as error:
            raise invalid_value(error) from None
        return document

    def load_changed(self, document: Document) -> Document:
        """Return a stored document that a PATCH has changed, validated as a whole (RFC 7644 section 3.5.2).

        JSON text that was stored before it was refused stays, so that it blocks no change of another attribute.

        :raises InvalidValue: naming each attribute that is wrong.
        """
        token = from_storage.set(True)
        try:
            return self.load(document)
        finally:
            from_storage.reset(token)


class ResourceTypes(dict[str, ResourceType]):
    """The resource types of a deployment by name, with the `version` of the declared attributes; made once (0.1 ms)."""

    def __init__(self, *schemas: ResourceSchema, version: int = 0) -> None:
        found = [ResourceType(schema, version) for schema in schemas or (UserSchema(), GroupSchema(), RoleSchema())]
        super().__init__({kind.name: kind for kind in found})
        self.version = version

    @classmethod
    def of(cls, declared: Mapping[int, Declaration], version: int) -> "ResourceTypes":
        """Return the built-in resource types with declared attributes, each under its number."""
        return cls(*(_extended(schema, declared) for schema in (UserSchema, GroupSchema, RoleSchema)), version=version)

    @property
    def writable(self) -> dict[str, ResourceType]:
        """The resource types that clients may write, by endpoint."""
        return {kind.endpoint: kind for kind in self.values() if kind.writable}


def _extended(schema: type[ResourceSchema], declared: Mapping[int, Declaration]) -> ResourceSchema:
    """Return a schema with an extension for each URN of the attributes that its type declares."""
    by_urn: dict[str, dict[str, Attribute]] = {}
    for number, one in declared.items():
        if one.resource == schema.Meta.name:
            by_urn.setdefault(one.schema, {})[one.name] = one.field(number)
    extensions: dict[str, Field[Any]] = {
        f"declared{position}": Extension(attributes, urn, title_of(urn), "Attributes that this workspace declares")
        for position, (urn, attributes) in enumerate(by_urn.items())
    }
    made = cast(type[ResourceSchema], schema.from_dict(extensions, name=schema.__name__)) if extensions else schema
    return made()
