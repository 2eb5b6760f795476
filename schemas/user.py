"""The schema of users with the enterprise and the access extension (RFC 7643 sections 4.1 and 4.3)."""

import re
from collections.abc import Sequence
from typing import Any

from marshmallow import ValidationError

from schemas.fields import SHORT_TEXT, Attribute, Binary, Boolean, Complex, Reference, String
from schemas.json_text import read_json_text
from schemas.resource import Extension, ResourceSchema, ScimSchema
from schemas.text import compose
from schemas.tolerances import Tolerance, note

URN = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE_URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ACCESS_URN = "urn:perch:scim:schemas:extension:access:1.0:User"
# Clients and proxies resolve . and .. in a URL, so that no request could reach such a role.
SLUG = re.compile(r"(?!(\.|%2[Ee]){1,2}\Z)[^\s\x00-\x1f\x7f-\x9f]{1,255}")
PHONES = ["work", "home", "mobile", "fax", "pager", "other"]
MESSENGERS = ["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]


def plural(description: str, value: Attribute, types: Sequence[str] = (), **characteristics: Any) -> Complex:
    """Declare a multi-valued attribute with the default sub-attributes of RFC 7643 section 2.4."""
    return Complex(
        {
            "value": value,
            "display": String("A human-readable name of the value."),
            "type": String("A label of the value's function.", canonicalValues=types),
            "primary": Boolean("Whether this is the preferred value; true at most once."),
        },
        description,
        multiValued=True,
        **characteristics,
    )


class Slug(String):
    """A role's slug: 1 to 255 characters without spaces or control characters, not `.` or `..`, in composed form."""

    def read_one(self, value: Any) -> str:
        text = compose(super().read_one(value))
        if not SLUG.fullmatch(text):
            raise ValidationError(
                "must be a role slug: 1 to 255 characters without spaces, not . or .., such as managed:admin."
            )
        return text


class Roles(Complex):
    """The `roles` attribute (RFC 7643 section 4.1.2), in the shapes that real clients send."""

    def read_one(self, value: Any) -> dict[str, Any]:
        value = read_json_text(value, self.name)
        if isinstance(value, dict):
            names = {key.lower(): item for key, item in value.items()}
            value = {**value, **(_role_in_text(names.get("value")) or {})}
            if "displayname" in names and not names.get("display"):
                kept = {key: item for key, item in value.items() if key.lower() not in ("displayname", "display")}
                value = {**kept, "display": names["displayname"]}
        return super().read_one(value)


def _role_in_text(value: Any) -> dict[str, Any] | None:
    """Return the role that Microsoft Entra wrote as JSON text into `value`, or None for other text."""
    role = read_json_text(value, "roles.value") if isinstance(value, str) and value.lstrip().startswith("{") else None
    if not isinstance(role, dict):
        return None
    names = {key.lower(): item for key, item in role.items()}
    named = {"value": names.get("value"), "display": names.get("displayname") or names.get("display")}
    return {key: item for key, item in named.items() if item}


class Manager(Complex):
    """The `manager` attribute (RFC 7643 section 4.3); an empty `value` clears it, whatever else is sent."""

    def read_one(self, value: Any) -> dict[str, Any]:
        if isinstance(value, dict) and value.get("value") == "":
            note(Tolerance.EMPTY_MANAGER)
            return {}
        return super().read_one(value)


class EnterpriseUser(ScimSchema):
    """The enterprise extension (RFC 7643 section 4.3)."""

    class Meta(ScimSchema.Meta):
        urn = ENTERPRISE_URN
        name = "EnterpriseUser"
        description = "Enterprise User"

    employeeNumber = String("The employee's number.")
    costCenter = String("The cost centre.")
    organization = String("The organisation.")
    division = String("The division.")
    department = String("The department.")
    manager = Manager(
        {
            "value": String("The manager's id, kept as sent.", caseExact=True),
            "$ref": Reference("The manager's URI.", referenceTypes=["User"]),
            "displayName": String("The manager's displayName.", mutability="readOnly"),
        },
        "The person's manager.",
    )


class UserAccess(ScimSchema):
    """Perch's own extension of a User: whether the person may log in, with which roles and why."""

    class Meta(ScimSchema.Meta):
        urn = ACCESS_URN
        name = "UserAccess"
        description = "Who may log in, with which roles and why"

    loginAllowed = Boolean(
        "Whether the person may log in: active, with at least one effective role.", mutability="readOnly"
    )
    effectiveRoles = Complex(
        {
            "value": String("The role's slug.", caseExact=True),
            "display": String("The role's name in the catalogue."),
            "type": String(
                "Why the person has the role: assigned over SCIM, by hand, or inherited from a group.",
                canonicalValues=["direct", "manual", "group"],
            ),
            "source": String("The id of the group that gives the role.", caseExact=True),
        },
        "Every role that the person has, once for each reason.",
        multiValued=True,
        mutability="readOnly",
    )


class UserSchema(ResourceSchema):
    """The schema of a User (RFC 7643 section 4.1)."""

    class Meta(ResourceSchema.Meta):
        urn = URN
        name = "User"
        description = "User Account"
        derived = ("roles", "groups", "access")

    userName = String(
        "The name that identifies the person to Perch; unique, ignoring case.",
        required=True, uniqueness="server", maxBytes=SHORT_TEXT,
    )  # fmt: skip
    name = Complex(
        {
            "formatted": String("The full name, formatted for display."),
            "familyName": String("The family name."),
            "givenName": String("The given name."),
            "middleName": String("The middle names."),
            "honorificPrefix": String("Titles before the name."),
            "honorificSuffix": String("Suffixes after the name."),
        },
        "The components of the person's name.",
    )
    displayName = String("The name to show for the person.", maxBytes=SHORT_TEXT)
    nickName = String("The casual name.")
    profileUrl = Reference("A URI of the person's profile.", referenceTypes=["external"])
    title = String("The person's title, such as Vice President.")
    userType = String("The relationship to the organisation, such as Employee.")
    preferredLanguage = String("The preferred language, as in Accept-Language.")
    locale = String("The locale, such as en-US.")
    timezone = String("The time zone, such as Europe/Paris.")
    active = Boolean("Whether the person is active; a deactivated person may not log in.")
    password = String(
        "Accepted because clients send it; never stored, logged or returned.",
        caseExact=True, mutability="writeOnly", returned="never",
    )  # fmt: skip
    emails = plural("E-mail addresses.", String("An e-mail address."), ["work", "home", "other"])
    phoneNumbers = plural("Telephone numbers.", String("A telephone number."), PHONES)
    ims = plural("Instant-messaging addresses.", String("An address."), MESSENGERS)
    photos = plural(
        "URIs of photos.", Reference("The photo's URI.", referenceTypes=["external"]), ["photo", "thumbnail"]
    )
    addresses = Complex(
        {
            "formatted": String("The full address, formatted for display."),
            "streetAddress": String("Street, house number and the like."),
            "locality": String("The city or locality."),
            "region": String("The state or region."),
            "postalCode": String("The postal code."),
            "country": String("The country, ISO 3166-1 alpha-2."),
            "type": String("A label of the address's function.", canonicalValues=["work", "home", "other"]),
            "primary": Boolean("Whether this is the preferred address; true at most once."),
        },
        "Postal addresses.",
        multiValued=True,
    )
    groups = Complex(
        {
            "value": String("The group's id.", caseExact=True),
            "$ref": Reference("The group's URI.", referenceTypes=["User", "Group"]),
            "display": String("The group's displayName."),
            "type": String(
                "direct: a member itself; indirect: through a nested group.", canonicalValues=["direct", "indirect"]
            ),
        },
        "The groups that the person belongs to; changed through the groups.",
        multiValued=True,
        mutability="readOnly",
    )
    entitlements = plural("Entitlements.", String("An entitlement."))
    roles = Roles(
        {
            "value": Slug("The role's slug.", required=True, caseExact=True),
            "display": String("The role's name."),
            "type": String("A label of the role's function."),
            "primary": Boolean("Whether this is the primary role; true at most once."),
        },
        "The roles that SCIM assigned, by slug.",
        multiValued=True,
    )
    x509Certificates = plural("Certificates.", Binary("A DER certificate in base64."))

    enterprise = Extension.of(EnterpriseUser)
    access = Extension.of(UserAccess)
