"""The User schema (RFC 7643 section 4.1)."""

import json
import re
from typing import Any

from marshmallow import ValidationError

from schemas.fields import SHORT_TEXT, Attribute, Binary, Boolean, Complex, Reference, String, plural
from schemas.tolerances import Tolerance, note

URN = "urn:ietf:params:scim:schemas:core:2.0:User"
SLUG = re.compile(r"[^\s\x00-\x1f\x7f-\x9f]{1,255}")


class Slug(String):
    """A role's slug: text of 1 to 255 characters without spaces or control characters."""

    def read_one(self, value: Any) -> str:
        text = super().read_one(value)
        if not SLUG.fullmatch(text):
            raise ValidationError("must be a role slug: 1 to 255 characters without spaces, such as managed:admin.")
        return text


class Roles(Complex):
    """The `roles` attribute (RFC 7643 section 4.1.2), in the shapes that real clients send; a slug once only."""

    def _from_plain(self, value: Any) -> dict[str, Any]:
        return _role_in_text(value) or super()._from_plain(value)

    def read_one(self, value: Any) -> dict[str, Any]:
        if isinstance(value, dict):
            names = {key.lower(): item for key, item in value.items()}
            inner = _role_in_text(names.get("value"))
            value = {**value, **inner} if inner else value
            if "displayname" in names and not names.get("display"):
                kept = {key: item for key, item in value.items() if key.lower() not in ("displayname", "display")}
                value = {**kept, "display": names["displayname"]}
        return super().read_one(value)

    def _read_all(self, values: list[Any]) -> list[Any]:
        unique: dict[str, Any] = {}
        for role in super()._read_all(values):
            unique.setdefault(role["value"], role)
        return list(unique.values())


def _role_in_text(value: Any) -> dict[str, Any] | None:
    """Return the role that a client wrote as JSON inside a string, or None."""
    if not isinstance(value, str) or not value.lstrip().startswith("{"):
        return None
    try:
        role = json.loads(value)
    except (ValueError, RecursionError):
        return None
    note(Tolerance.ROLE_IN_JSON_TEXT, value)
    named = {"value": role.get("value"), "display": role.get("displayName") or role.get("display")}
    return {key: item for key, item in named.items() if item}


def _name() -> Complex:
    return Complex(
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


def _addresses() -> Complex:
    return Complex(
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


def _groups() -> Complex:
    return Complex(
        {
            "value": String("The group's id.", caseExact=True, mutability="readOnly"),
            "$ref": Reference("The group's URI.", mutability="readOnly", referenceTypes=["User", "Group"]),
            "display": String("The group's displayName.", mutability="readOnly"),
            "type": String(
                "direct: a member itself; indirect: through a nested group.",
                mutability="readOnly",
                canonicalValues=["direct", "indirect"],
            ),
        },
        "The groups that the person belongs to; changed through the groups.",
        multiValued=True,
        mutability="readOnly",
    )


def _roles() -> Roles:
    return Roles(
        {
            "value": Slug("The role's slug.", required=True, caseExact=True),
            "display": String("The role's name."),
            "type": String("A label of the role's function."),
            "primary": Boolean("Whether this is the primary role; true at most once."),
        },
        "The roles that SCIM assigned, by slug.",
        multiValued=True,
    )


PHONES = ["work", "home", "mobile", "fax", "pager", "other"]
MESSENGERS = ["aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"]


def attributes() -> dict[str, Attribute]:
    """Declare the attributes of a User (RFC 7643 section 4.1)."""
    return {
        "userName": String(
            "The name that identifies the person to Perch; unique, ignoring case.",
            required=True, uniqueness="server", maxBytes=SHORT_TEXT,
        ),
        "name": _name(),
        "displayName": String("The name to show for the person.", maxBytes=SHORT_TEXT),
        "nickName": String("The casual name."),
        "profileUrl": Reference("A URI of the person's profile.", referenceTypes=["external"]),
        "title": String("The person's title, such as Vice President."),
        "userType": String("The relationship to the organisation, such as Employee."),
        "preferredLanguage": String("The preferred language, as in Accept-Language."),
        "locale": String("The locale, such as en-US."),
        "timezone": String("The time zone, such as Europe/Paris."),
        "active": Boolean("Whether the person is active; a deactivated person may not log in."),
        "password": String(
            "Accepted because clients send it; never stored, logged or returned.",
            caseExact=True, mutability="writeOnly", returned="never",
        ),
        "emails": plural("E-mail addresses.", String("An e-mail address."), ["work", "home", "other"]),
        "phoneNumbers": plural("Telephone numbers.", String("A telephone number."), PHONES),
        "ims": plural("Instant-messaging addresses.", String("An address."), MESSENGERS),
        "photos": plural(
            "URIs of photos.", Reference("The photo's URI.", referenceTypes=["external"]), ["photo", "thumbnail"]
        ),
        "addresses": _addresses(),
        "groups": _groups(),
        "entitlements": plural("Entitlements.", String("An entitlement.")),
        "roles": _roles(),
        "x509Certificates": plural("Certificates.", Binary("A DER certificate in base64.")),
    }  # fmt: skip
