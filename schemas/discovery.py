"""The discovery documents, generated from the declarations (RFC 7643 sections 5, 6 and 7)."""

from collections.abc import Iterable, Sequence
from typing import Any

from schemas import user
from schemas.events import EVENT_URIS
from schemas.fields import Attribute, Complex
from schemas.resource import RESOURCE_TYPES, ResourceType

CONFIG_URN = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
TYPE_URN = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SCHEMA_URN = "urn:ietf:params:scim:schemas:core:2.0:Schema"

DEFAULT_RESULTS, MAX_RESULTS = 100, 1000
MAX_OPERATIONS = 1000
CURSOR_TIMEOUT = 3600

Document = dict[str, Any]

AUTHENTICATION: tuple[Document, ...] = (
    {
        "type": "oauthbearertoken",
        "name": "Access key",
        "description": "An access key made in Perch, sent as Authorization: Bearer KEY.",
        "specUri": "https://www.rfc-editor.org/info/rfc6750",
        "primary": True,
    },
    {
        "type": "httpbasic",
        "name": "Access key as password",
        "description": "An access key sent as the password of HTTP Basic; the name is free.",
        "specUri": "https://www.rfc-editor.org/info/rfc7617",
        "primary": False,
    },
)


def service_provider_config(base: str, max_payload: int, security_events: bool = False) -> Document:
    """Return what Perch supports (RFC 7643 section 5, RFCs 9865 and 9967 sections 4); `max_payload` is in bytes.

    Of security events nothing is said until they are in use, as RFC 9967 allows: strict clients know no such attribute.
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
        "authenticationSchemes": [dict(scheme) for scheme in AUTHENTICATION],
        "meta": _meta("ServiceProviderConfig", f"{base}/ServiceProviderConfig"),
    }


def resource_types(base: str) -> list[Document]:
    """Return the documents of all resource types (RFC 7643 section 6)."""
    return [_resource_type(kind, base) for kind in RESOURCE_TYPES.values()]


def _resource_type(kind: ResourceType, base: str) -> Document:
    return {
        "schemas": [TYPE_URN],
        "id": kind.name,
        "name": kind.name,
        "description": kind.description,
        "endpoint": kind.endpoint,
        "schema": kind.urn,
        "schemaExtensions": [{"schema": urn, "required": False} for urn in kind.extensions],
        "meta": _meta("ResourceType", f"{base}/ResourceTypes/{kind.name}"),
    }


def schemas(base: str, slugs: Sequence[str], roles_as: str) -> list[Document]:
    """Return all schemas as one key sees them (RFC 7643 section 7): `roles` as strings or as objects."""
    found = []
    for kind in RESOURCE_TYPES.values():
        found.append(_schema(kind.urn, kind.name, kind.description, kind.core.values(), base))
        for urn, extension in kind.extensions.items():
            name = kind.extension_names[urn]
            found.append(_schema(urn, name, extension.description, extension.subAttributes.values(), base))
    for schema in found:
        if schema["id"] == user.URN:
            schema["attributes"] = [_for_key(item, slugs, roles_as) for item in schema["attributes"]]
    return found


def _schema(urn: str, name: str, description: str, attributes: Iterable[Attribute], base: str) -> Document:
    return {
        "schemas": [SCHEMA_URN],
        "id": urn,
        "name": name,
        "description": description,
        "attributes": [definition(attribute) for attribute in attributes],
        "meta": _meta("Schema", f"{base}/Schemas/{urn}"),
    }


def _for_key(attribute: Document, slugs: Sequence[str], roles_as: str) -> Document:
    if attribute["name"] != "roles":
        return attribute
    if roles_as == "strings":
        plain = {key: item for key, item in attribute.items() if key not in ("subAttributes", "caseExact")}
        return {**plain, "type": "string", "caseExact": True, "canonicalValues": list(slugs)}
    subs = [
        {**sub, "canonicalValues": list(slugs)} if sub["name"] == "value" else sub for sub in attribute["subAttributes"]
    ]
    return {**attribute, "subAttributes": subs}


def definition(attribute: Attribute) -> Document:
    """Return an attribute's characteristics as a schema states them (RFC 7643 section 7)."""
    found: Document = {
        "name": attribute.name,
        "type": attribute.type,
        "multiValued": attribute.multiValued,
        "description": attribute.description,
        "required": attribute.required,
        "caseExact": attribute.caseExact,
        "mutability": attribute.mutability,
        "returned": attribute.returned,
        "uniqueness": attribute.uniqueness,
    }
    if attribute.type in ("complex", "boolean", "integer", "dateTime"):
        del found["caseExact"]
    if attribute.canonicalValues:
        found["canonicalValues"] = list(attribute.canonicalValues)
    if attribute.referenceTypes:
        found["referenceTypes"] = list(attribute.referenceTypes)
    if isinstance(attribute, Complex):
        found["subAttributes"] = [definition(sub) for sub in attribute.subAttributes.values()]
    return found


def _meta(name: str, location: str) -> Document:
    return {"resourceType": name, "location": location}
