"""The discovery documents, generated from the schemas' declared fields (RFC 7643 sections 5, 6 and 7)."""

from collections.abc import Sequence

from schemas import ResourceTypes
from schemas.events import EVENT_URIS
from schemas.fields import Attribute, Complex
from schemas.resource import Document
from schemas.user import Roles

CONFIG_URN = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
TYPE_URN = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SCHEMA_URN = "urn:ietf:params:scim:schemas:core:2.0:Schema"

DEFAULT_RESULTS, MAX_RESULTS = 100, 1000
MAX_OPERATIONS = 1000
USUAL_TYPES = ("work", "home", "other")
CHARACTERISTICS = (
    "name", "type", "multiValued", "description", "required", "caseExact", "mutability", "returned", "uniqueness"
)  # fmt: skip
# Seconds.
CURSOR_TIMEOUT = 3600

_BEARER = "An access key made in Perch, sent as Authorization: Bearer KEY."
_TOKEN = "An access token from the token endpoint, for a client secret or a signed assertion."
_BASIC = "An access key sent as the password of HTTP Basic; the name is free."
AUTHENTICATION: list[Document] = [
    {"type": type_, "name": name, "description": text, "specUri": f"https://www.rfc-editor.org/info/{rfc}",
     "primary": type_ == "oauthbearertoken"}
    for type_, name, text, rfc in (
        ("oauthbearertoken", "Access key", _BEARER, "rfc6750"),
        ("oauth2", "OAuth 2.0 client credentials", _TOKEN, "rfc6749"),
        ("httpbasic", "Access key as password", _BASIC, "rfc7617"),
    )
]  # fmt: skip


def service_provider_config(
    base: str, max_payload: int, security_events: bool = False, conformant: bool = False
) -> Document:
    """Return what Perch supports (RFC 7643 section 5, RFCs 9865 and 9967 sections 4); `max_payload` is in bytes.

    `securityEvents` is left out until such events are in use, as RFC 9967 allows: strict clients refuse the attribute.
    `conformant` says that the caller's key follows the interop profile (draft-zollner-scim-interop-profile).
    """
    events = {"securityEvents": {"asyncRequest": "none", "eventUris": list(EVENT_URIS)}} if security_events else {}
    return {
        "schemas": [CONFIG_URN],
        "patch": {"supported": True},
        "bulk": {"supported": True, "maxOperations": MAX_OPERATIONS, "maxPayloadSize": max_payload},
        "filter": {"supported": True, "maxResults": MAX_RESULTS},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_RESULTS,
            "maxPageSize": MAX_RESULTS,
            "cursorTimeout": CURSOR_TIMEOUT,
        },
        **events,
        **({"interopProfileConformant": True} if conformant else {}),
        "authenticationSchemes": AUTHENTICATION,
        "meta": _meta("ServiceProviderConfig", f"{base}/ServiceProviderConfig"),
    }


def type_documents(types: ResourceTypes, base: str) -> list[Document]:
    """Return the documents of all resource types (RFC 7643 section 6)."""
    return [
        {
            "schemas": [TYPE_URN],
            "id": kind.name,
            "name": kind.name,
            "description": kind.schema.Meta.description,
            "endpoint": kind.endpoint,
            "schema": kind.schema.urn,
            "schemaExtensions": [{"schema": urn, "required": False} for urn in kind.schema.extensions],
            "meta": _meta("ResourceType", f"{base}/ResourceTypes/{kind.name}"),
        }
        for kind in types.values()
    ]


def schema_documents(
    types: ResourceTypes, base: str, slugs: Sequence[str], roles_as: str, exact: bool = False
) -> list[Document]:
    """Return all schemas as one key sees them (RFC 7643 section 7): `roles` as strings or as objects.

    `exact` is for a key that follows a profile: without attributes that are never returned, and with canonicalValues
    for every `type` of a multi-valued attribute. Others do not see those of `roles.type`: they would keep Entra from
    mapping `roles[primary eq "True"]`.
    """
    documents = _schema_documents(types, base, slugs, roles_as)
    for document in documents if exact else ():
        document["attributes"] = [each for each in document["attributes"] if each["returned"] != "never"]
        for attribute in document["attributes"]:
            for sub in attribute.get("subAttributes", ()) if attribute["multiValued"] else ():
                if sub["name"] == "type":
                    sub.setdefault("canonicalValues", list(USUAL_TYPES))
    return documents


def _schema_documents(types: ResourceTypes, base: str, slugs: Sequence[str], roles_as: str) -> list[Document]:
    shown: list[tuple[str, str, str, list[Document]]] = []
    for kind in types.values():
        schema = kind.schema
        # Common to all resources (RFC 7643 section 3.1), but Microsoft's gallery wants its mapping's targets here.
        common = [schema.attributes["externalId"]] if kind.writable else []
        attributes = [_for_key(field, slugs, roles_as) for field in (*common, *schema.core.values())]
        shown.append((schema.urn, schema.Meta.name, schema.Meta.description, attributes))
        for urn, extension in schema.extensions.items():
            attributes = [_definition(field) for field in extension.subAttributes.values()]
            shown.append((urn, extension.title, extension.description, attributes))
    return [
        {
            "schemas": [SCHEMA_URN],
            "id": urn,
            "name": name,
            "description": description,
            "attributes": attributes,
            "meta": _meta("Schema", f"{base}/Schemas/{urn}"),
        }
        for urn, name, description, attributes in shown
    ]


def _for_key(attribute: Attribute, slugs: Sequence[str], roles_as: str) -> Document:
    """Return the definition of an attribute as one key sees it; roles list the catalogue's slugs."""
    found = _definition(attribute)
    if not isinstance(attribute, Roles):
        return found
    if roles_as == "strings":
        del found["subAttributes"]
        return {**found, "type": "string", "caseExact": True, "canonicalValues": list(slugs)}
    for sub in found["subAttributes"]:
        if sub["name"] == "value":
            sub["canonicalValues"] = list(slugs)
    return found


def _definition(attribute: Attribute) -> Document:
    """Return an attribute's characteristics as a schema states them (RFC 7643 section 7)."""
    found: Document = {name: getattr(attribute, name) for name in CHARACTERISTICS}
    if attribute.type in ("complex", "boolean", "integer", "dateTime"):
        del found["caseExact"]
    for name in ("canonicalValues", "referenceTypes"):
        if values := getattr(attribute, name):
            found[name] = list(values)
    if isinstance(attribute, Complex):
        found["subAttributes"] = [_definition(sub) for sub in attribute.subAttributes.values()]
    return found


def _meta(name: str, location: str) -> Document:
    return {"resourceType": name, "location": location}
