"""The discovery endpoints (RFC 7644 section 4); only /ServiceProviderConfig needs no key."""

from collections.abc import Sequence
from typing import Any

from flask import Blueprint, Response, g

from schemas import discovery
from schemas.errors import Forbidden, NotFound
from schemas.json import to_text
from scim.service.context import Answer, Context
from scim.service.search import list_text
from scim.web.requests import parameters, perch
from scim.web.responses import answer_response, resource_response
from storage import roles, signing_keys
from storage.keys import NO_PROFILE

blueprint = Blueprint("discovery", __name__)


@blueprint.get("/ServiceProviderConfig", strict_slashes=False)
def service_provider_config() -> Response:
    """Answer which features Perch supports (RFC 7643 section 5); public."""
    _refuse_filter()
    with perch().database.read() as connection:
        security_events = signing_keys.exist(connection)
    limit = perch().settings["PERCH_MAX_BODY"]
    conformant = "profile" in g and g.profile != NO_PROFILE
    return resource_response(discovery.service_provider_config(g.base_url, limit, security_events, conformant))


@blueprint.get("/ResourceTypes", strict_slashes=False)
def resource_types() -> Response:
    """Answer the resource types (RFC 7643 section 6)."""
    return _list(discovery.type_documents(g.context.resource_types, g.context.base))


@blueprint.get("/ResourceTypes/<name>", strict_slashes=False)
def resource_type(name: str) -> Response:
    """Answer one resource type by its name."""
    return _one(discovery.type_documents(g.context.resource_types, g.context.base), name)


@blueprint.get("/Schemas", strict_slashes=False)
def schemas() -> Response:
    """Answer the schemas as the caller's key sees them (RFC 7643 section 7)."""
    return _list(_schemas())


@blueprint.get("/Schemas/<urn>", strict_slashes=False)
def schema(urn: str) -> Response:
    """Answer one schema by its URN."""
    return _one(_schemas(), urn)


def _schemas() -> list[dict[str, Any]]:
    context: Context = g.context
    with perch().database.read() as connection:
        slugs = [role.slug for role in roles.catalogue(connection) if role.grantedBy != roles.HAND]
    return discovery.schema_documents(
        context.resource_types, context.base, slugs, context.key.rolesAs, context.key.profile != NO_PROFILE
    )


def _list(found: Sequence[dict[str, Any]]) -> Response:
    _refuse_filter()
    text = list_text(len(found), [to_text(document) for document in found], {"startIndex": 1})
    return answer_response(Answer(200, [text.encode()]))


def _one(found: Sequence[dict[str, Any]], identifier: str) -> Response:
    for document in found:
        if document["id"].lower() == identifier.lower():
            return resource_response(document)
    raise NotFound(f"There is no schema or resource type '{identifier[:100]}'.")


def _refuse_filter() -> None:
    """Refuse a filter on a discovery endpoint (RFC 7644 section 4)."""
    if "filter" in parameters():
        raise Forbidden("filter: is not possible on discovery endpoints (RFC 7644 section 4).")
