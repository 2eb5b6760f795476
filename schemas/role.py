"""The schema of roles: the catalogue as Okta's entitlement discovery reads it, read-only over SCIM."""

from schemas.fields import String
from schemas.resource import ResourceSchema

URN = "urn:okta:scim:schemas:core:1.0:Role"


class RoleSchema(ResourceSchema):
    """The schema of a Role, whose `id` is the role's slug."""

    class Meta(ResourceSchema.Meta):
        urn = URN
        name = "Role"
        description = "A role of the catalogue"

    displayName = String("The role's name.", required=True, mutability="readOnly")
    description = String("What the role is for.", mutability="readOnly")
