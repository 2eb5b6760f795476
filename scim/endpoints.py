"""One blueprint per resource type, all made from the same declaration (RFC 7644 section 3.2)."""

from flask import Blueprint, Response, request

from schemas.messages import SearchRequest, read_query, read_search
from schemas.resource_types import GROUP, ROLE, USER, ResourceType
from scim import searching, service
from scim.projection import Projection
from scim.wire import answer_response, conditions, context, parameters, read_json


def projection(kind: ResourceType) -> Projection:
    """Return the attributes that the request's parameters ask for (RFC 7644 section 3.9)."""
    asked = read_query(parameters()) if request.query_string else SearchRequest()
    return Projection.parse(asked.attributes, asked.excludedAttributes, kind)


def _writable(kind: ResourceType) -> Blueprint:
    """Make the endpoints of a resource type that clients may write."""
    blueprint = _readable(kind)

    @blueprint.post("", strict_slashes=False)
    def create() -> Response:
        return answer_response(service.create(context(), kind, read_json(), projection(kind)))

    @blueprint.put("/<identifier>", strict_slashes=False)
    def replace(identifier: str) -> Response:
        answer = service.replace(context(), kind, identifier, read_json(), projection(kind), conditions())
        return answer_response(answer)

    @blueprint.patch("/<identifier>", strict_slashes=False)
    def patch(identifier: str) -> Response:
        answer = service.patch(context(), kind, identifier, read_json(), projection(kind), conditions())
        return answer_response(answer)

    @blueprint.delete("/<identifier>", strict_slashes=False)
    def delete(identifier: str) -> Response:
        return answer_response(service.delete(context(), kind, identifier, conditions()))

    return blueprint


def _readable(kind: ResourceType) -> Blueprint:
    blueprint = Blueprint(kind.endpoint[1:].lower(), __name__, url_prefix=kind.endpoint)

    @blueprint.get("", strict_slashes=False)
    def search() -> Response:
        return answer_response(searching.search(context(), [kind], read_query(parameters())))

    @blueprint.post("/.search", strict_slashes=False)
    def search_by_post() -> Response:
        return answer_response(searching.search(context(), [kind], read_search(read_json())))

    # A slug may hold slashes; any other id ends before one, so that a trailing slash is no part of it.
    rule = "/<path:identifier>" if kind is ROLE else "/<identifier>"

    @blueprint.get(rule, strict_slashes=False)
    def retrieve(identifier: str) -> Response:
        return answer_response(service.retrieve(context(), kind, identifier, projection(kind), conditions()))

    return blueprint


def root_search() -> Response:
    """Search all users and groups at once (RFC 7644 section 3.4.3)."""
    return answer_response(searching.search(context(), [USER, GROUP], read_search(read_json())))


def blueprints() -> list[Blueprint]:
    """Return the blueprints of users, groups and roles; the catalogue of roles is read-only."""
    return [_writable(USER), _writable(GROUP), _readable(ROLE)]
