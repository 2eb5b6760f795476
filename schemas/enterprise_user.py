"""The enterprise User extension (RFC 7643 section 4.3)."""

from typing import Any

from schemas.fields import Attribute, Complex, Reference, String
from schemas.tolerances import Tolerance, note

URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


class Manager(Complex):
    """The `manager` attribute (RFC 7643 section 4.3); an empty `value` clears it, whatever else is sent."""

    def read_one(self, value: Any) -> dict[str, Any]:
        if isinstance(value, dict) and value.get("value") == "":
            note(Tolerance.EMPTY_MANAGER)
            return {}
        return super().read_one(value)


def attributes() -> dict[str, Attribute]:
    """Declare the attributes of the enterprise extension (RFC 7643 section 4.3)."""
    return {
        "employeeNumber": String("The employee's number."),
        "costCenter": String("The cost centre."),
        "organization": String("The organisation."),
        "division": String("The division."),
        "department": String("The department."),
        "manager": Manager(
            {
                "value": String("The manager's id, kept as sent.", caseExact=True),
                "$ref": Reference("The manager's URI.", referenceTypes=["User"]),
                "displayName": String("The manager's displayName.", mutability="readOnly"),
            },
            "The person's manager.",
        ),
    }
