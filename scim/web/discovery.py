"""The discovery endpoints (RFC 7644 section 4); only /ServiceProviderConfig needs no key."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response

from schemas import discovery
from schemas.errors import Forbidden, NotFound
from schemas.json import to_text
from scim.service.context import Answer
from scim.service.search import list_text
from scim.web.call import Call
from scim.web.wire import answer_response, base_of, document_response, parameters
from storage import roles, signing_keys

blueprint = Blueprint("discovery", __name__)


@blueprint.get("/ServiceProviderConfig", strict_slashes=False)
def service_provider_config(call: Call) -> Response:
    """What Perch supports (RFC 7643 section 5)."""
    _refuse_filter(call)
    with call.database.read() as connection:
        security_events = signing_keys.exist(connection)
    base = base_of(call.sent, call.settings, call.workspace)
    return document_response(discovery.service_provider_config(base, call.settings["PERCH_MAX_BODY"], security_events))


@blueprint.get("/ResourceTypes", strict_slashes=False)
def resource_types(call: Call) -> Response:
    """The resource types (RFC 7643 section 6)."""
    return _list(call, discovery.type_documents(call.context.resource_types, call.context.base))


@blueprint.get("/ResourceTypes/<name>", strict_slashes=False)
def resource_type(call: Call, name: str) -> Response:
    """One resource type, by its name."""
    return _one(discovery.type_documents(call.context.resource_types, call.context.base), name)


@blueprint.get("/Schemas", strict_slashes=False)
def schemas(call: Call) -> Response:
    """The schemas as the asking key sees them (RFC 7643 section 7)."""
    return _list(call, _schemas(call))


@blueprint.get("/Schemas/<urn>", strict_slashes=False)
def schema(call: Call, urn: str) -> Response:
    """One schema, by its URN."""
    return _one(_schemas(call), urn)


def _schemas(call: Call) -> list[dict[str, Any]]:
    asked = call.context
    with asked.database.read() as connection:
        slugs = [role.slug for role in roles.catalogue(connection)]
    return discovery.schema_documents(asked.resource_types, asked.base, slugs, asked.key.rolesAs)


def _list(call: Call, found: Sequence[dict[str, Any]]) -> Response:
    _refuse_filter(call)
    text = list_text(len(found), [to_text(document) for document in found], {"startIndex": 1})
    return answer_response(Answer(200, [text.encode()]))


def _one(found: Sequence[dict[str, Any]], identifier: str) -> Response:
    for document in found:
        if document["id"].lower() == identifier.lower():
            return document_response(document)
    raise NotFound(f"There is no schema or resource type '{identifier[:100]}'.")


def _refuse_filter(call: Call) -> None:
    """Refuse a filter on discovery documents, as RFC 7644 section 4 wants."""
    if "filter" in parameters(call.sent):
        raise Forbidden("filter: is not possible on discovery endpoints (RFC 7644 section 4).")
