"""The Group schema (RFC 7643 section 4.2)."""

from schemas.fields import SHORT_TEXT, Attribute, Complex, Reference, String

URN = "urn:ietf:params:scim:schemas:core:2.0:Group"


def attributes() -> dict[str, Attribute]:
    """Declare the attributes of a Group (RFC 7643 section 4.2); `members` are kept as rows, not in the document."""
    return {
        "displayName": String(
            "The group's name; unique, ignoring case.", required=True, uniqueness="server", maxBytes=SHORT_TEXT
        ),
        "members": Complex(
            {
                "value": String("The member's id.", required=True, caseExact=True, mutability="immutable"),
                "$ref": Reference("The member's URI.", mutability="immutable", referenceTypes=["User", "Group"]),
                "display": String("The member's name, kept by Perch.", mutability="readOnly"),
                "type": String(
                    "User or Group, kept by Perch.", mutability="immutable", canonicalValues=["User", "Group"]
                ),
            },
            "The people and groups in the group.",
            multiValued=True,
        ),
    }
