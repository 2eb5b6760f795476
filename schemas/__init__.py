"""What a SCIM resource is: attributes, resource types, filters and messages (RFC 7643, RFC 7644); no I/O."""

from typing import Any

from marshmallow import ValidationError

from schemas.errors import InvalidSyntax
from schemas.fields import from_storage, json_type
from schemas.group import GroupSchema
from schemas.resource import Document, ResourceSchema
from schemas.role import RoleSchema
from schemas.user import UserSchema
from schemas.values import invalid_value


class ResourceType:
    """A resource type (RFC 7643 section 6): a schema and the endpoint of the resources that have it.

    `derived` dumps the attributes that are not in the stored document.
    """

    def __init__(self, schema: ResourceSchema) -> None:
        self.schema = schema
        self.derived = type(schema)(only=schema.Meta.derived)
        self.name = schema.Meta.name
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
    """The resource types of a deployment, looked up by name; made once, since making a schema takes 0.1 ms."""

    def __init__(self, *schemas: ResourceSchema) -> None:
        found = [ResourceType(schema) for schema in schemas or (UserSchema(), GroupSchema(), RoleSchema())]
        super().__init__({kind.name: kind for kind in found})

    @property
    def writable(self) -> dict[str, ResourceType]:
        """The resource types that clients may write, by endpoint."""
        return {kind.endpoint: kind for kind in self.values() if kind.writable}
