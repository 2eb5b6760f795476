"""Perch's own read-only extensions: who may log in with which roles and why, and the roles of a group."""

from schemas.fields import Attribute, Boolean, Complex, String

USER_URN = "urn:perch:scim:schemas:extension:access:1.0:User"
GROUP_URN = "urn:perch:scim:schemas:extension:access:1.0:Group"


def user_attributes() -> dict[str, Attribute]:
    """Declare the access extension of a User: `loginAllowed` and `effectiveRoles`, one entry per reason."""
    return {
        "loginAllowed": Boolean(
            "Whether the person may log in: active, with at least one effective role.", mutability="readOnly"
        ),
        "effectiveRoles": Complex(
            {
                "value": String("The role's slug.", caseExact=True, mutability="readOnly"),
                "display": String("The role's name in the catalogue.", mutability="readOnly"),
                "type": String(
                    "Why the person has the role: assigned over SCIM, by hand, or inherited from a group.",
                    mutability="readOnly",
                    canonicalValues=["direct", "manual", "group"],
                ),
                "source": String("The id of the group that gives the role.", caseExact=True, mutability="readOnly"),
            },
            "Every role that the person has, with the reason for each.",
            multiValued=True,
            mutability="readOnly",
        ),
    }


def group_attributes() -> dict[str, Attribute]:
    """Declare the access extension of a Group: the roles that its members inherit."""
    return {
        "roles": Complex(
            {
                "value": String("The role's slug.", caseExact=True, mutability="readOnly"),
                "display": String("The role's name in the catalogue.", mutability="readOnly"),
            },
            "The roles that members of the group inherit.",
            multiValued=True,
            mutability="readOnly",
        ),
    }
