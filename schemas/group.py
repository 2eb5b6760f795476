"""The schema of groups with the access extension (RFC 7643 section 4.2)."""

import re
from typing import Any

from marshmallow import ValidationError

from schemas.fields import SHORT_TEXT, Complex, Reference, String, json_type
from schemas.json_text import read_json_text
from schemas.resource import Extension, ResourceSchema, ScimSchema

URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
ACCESS_URN = "urn:perch:scim:schemas:extension:access:1.0:Group"
# The form of the ids that Perch gives.
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Members(Complex):
    """The members of a group (RFC 7643 section 4.2), stored as rows: a group may have a million of them."""

    def read(self, value: Any) -> Any:
        value = read_json_text(value, self.name)
        # Of text that is no id, the error "push these people first" would send an administrator the wrong way.
        if not (isinstance(value, (list, dict)) or (isinstance(value, str) and ID.fullmatch(value))):
            raise ValidationError(f'must be an array of objects such as {{"value": "ID"}}, not {json_type(value)}.')
        return super().read(value)


class GroupAccess(ScimSchema):
    """Perch's own extension of a Group: the roles that its members inherit."""

    class Meta(ScimSchema.Meta):
        urn = ACCESS_URN
        name = "GroupAccess"
        description = "The roles that members inherit"

    roles = Complex(
        {"value": String("The role's slug.", caseExact=True), "display": String("The role's name in the catalogue.")},
        "The roles that members of the group inherit.",
        multiValued=True,
        mutability="readOnly",
    )


class GroupSchema(ResourceSchema):
    """The schema of a Group (RFC 7643 section 4.2)."""

    class Meta(ResourceSchema.Meta):
        urn = URN
        name = "Group"
        description = "Group"
        derived = ("members", "access")

    displayName = String(
        "The group's name; unique, ignoring case.", required=True, uniqueness="server", maxBytes=SHORT_TEXT
    )
    members = Members(
        {
            "value": String("The member's id.", required=True, caseExact=True, mutability="immutable"),
            "$ref": Reference("The member's URI.", mutability="immutable", referenceTypes=["User", "Group"]),
            "display": String("The member's name, kept by Perch.", mutability="readOnly"),
            "type": String("User or Group, kept by Perch.", mutability="immutable", canonicalValues=["User", "Group"]),
        },
        "The people and groups in the group.",
        multiValued=True,
    )

    access = Extension.of(GroupAccess)
