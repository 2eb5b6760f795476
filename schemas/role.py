"""The Role schema of Okta's entitlement discovery: the catalogue of roles, read-only over SCIM."""

from schemas.fields import Attribute, String

URN = "urn:okta:scim:schemas:core:1.0:Role"


def attributes() -> dict[str, Attribute]:
    """Declare the attributes of a Role; its `id` is the role's slug."""
    return {
        "displayName": String("The role's name.", required=True, mutability="readOnly"),
        "description": String("What the role is for.", mutability="readOnly"),
    }
