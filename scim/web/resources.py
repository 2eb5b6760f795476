"""One blueprint per resource type, all made from the same declaration (RFC 7644 section 3.2)."""

from flask import Blueprint, Response

from schemas import ResourceType
from schemas.messages import SearchRequest, read_query, read_search
from scim.protocol.projection import Projection
from scim.service import resources
from scim.service import search as searching
from scim.web.call import Call
from scim.web.wire import answer_response, conditions, parameters, read_json


def projection(call: Call, kind: ResourceType) -> Projection:
    """Return the attributes that a request's parameters ask for (RFC 7644 section 3.9)."""
    asked = read_query(parameters(call.sent)) if call.sent.query_string else SearchRequest()
    return Projection.parse(asked.attributes, asked.excludedAttributes, kind.schema)


def _writable(type_name: str) -> Blueprint:
    """Make the endpoints of a resource type that clients may write."""
    blueprint = _readable(type_name)

    @blueprint.post("", strict_slashes=False)
    def create(call: Call) -> Response:
        kind = call.context.resource_types[type_name]
        return answer_response(resources.create(call.context, kind, read_json(call), projection(call, kind)))

    @blueprint.put("/<identifier>", strict_slashes=False)
    def replace(call: Call, identifier: str) -> Response:
        kind = call.context.resource_types[type_name]
        answer = resources.replace(
            call.context, kind, identifier, read_json(call), projection(call, kind), conditions(call.sent)
        )
        return answer_response(answer)

    @blueprint.patch("/<identifier>", strict_slashes=False)
    def patch(call: Call, identifier: str) -> Response:
        kind = call.context.resource_types[type_name]
        answer = resources.patch(
            call.context, kind, identifier, read_json(call), projection(call, kind), conditions(call.sent)
        )
        return answer_response(answer)

    @blueprint.delete("/<identifier>", strict_slashes=False)
    def delete(call: Call, identifier: str) -> Response:
        kind = call.context.resource_types[type_name]
        return answer_response(resources.delete(call.context, kind, identifier, conditions(call.sent)))

    return blueprint


def _readable(type_name: str) -> Blueprint:
    blueprint = Blueprint(f"{type_name.lower()}s", __name__, url_prefix=f"/{type_name}s")

    @blueprint.get("", strict_slashes=False)
    def search(call: Call) -> Response:
        kinds = [call.context.resource_types[type_name]]
        return answer_response(searching.search(call.context, kinds, read_query(parameters(call.sent))))

    @blueprint.post("/.search", strict_slashes=False)
    def search_by_post(call: Call) -> Response:
        kinds = [call.context.resource_types[type_name]]
        return answer_response(searching.search(call.context, kinds, read_search(read_json(call))))

    # A slug may hold slashes; any other id ends before one, so that a trailing slash is no part of it.
    rule = "/<path:identifier>" if type_name == "Role" else "/<identifier>"

    @blueprint.get(rule, strict_slashes=False)
    def retrieve(call: Call, identifier: str) -> Response:
        kind = call.context.resource_types[type_name]
        return answer_response(
            resources.retrieve(call.context, kind, identifier, projection(call, kind), conditions(call.sent))
        )

    return blueprint


def root_search(call: Call) -> Response:
    """Search all users and groups at once (RFC 7644 section 3.4.3)."""
    kinds = list(call.context.resource_types.writable.values())
    return answer_response(searching.search(call.context, kinds, read_search(read_json(call))))


def blueprints() -> list[Blueprint]:
    """Return the blueprints of users, groups and roles; the catalogue of roles is read-only."""
    return [_writable("User"), _writable("Group"), _readable("Role")]
