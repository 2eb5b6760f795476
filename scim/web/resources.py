"""The six views of a resource type, which the blueprints of /Users, /Groups and /Roles share (RFC 7644 section 3.2)."""

from collections.abc import Callable, Sequence
from functools import partial, update_wrapper
from typing import Any

from flask import Blueprint, Response, g, request

from schemas import ResourceType
from schemas.messages import SearchRequest, read_query, read_search
from scim.protocol.projection import Projection
from scim.service import resources
from scim.service.search import search as search_resources
from scim.web.requests import LARGE, MESSAGE, SINGLE, conditions, parameters, read_json
from scim.web.responses import answer_response

Route = tuple[str, str, Callable[..., Response]]


def search(*type_names: str) -> Response:
    """Answer the resources of one or more types that the URL's parameters ask for (RFC 7644 section 3.4.2)."""
    asked = read_query(parameters())
    return answer_response(search_resources(g.context, [_type(name) for name in type_names], asked))


def search_by_post(*type_names: str) -> Response:
    """Answer the resources of one or more types that a SearchRequest asks for (RFC 7644 section 3.4.3)."""
    asked = read_search(read_json(MESSAGE))
    return answer_response(search_resources(g.context, [_type(name) for name in type_names], asked))


def create(type_name: str) -> Response:
    """Create a resource (RFC 7644 section 3.3)."""
    kind = _type(type_name)
    return answer_response(resources.create(g.context, kind, _body(type_name), _projection(kind)))


def retrieve(type_name: str, identifier: str) -> Response:
    """Answer one resource (RFC 7644 section 3.4.1)."""
    kind = _type(type_name)
    return answer_response(resources.retrieve(g.context, kind, identifier, _projection(kind), conditions()))


def replace(type_name: str, identifier: str) -> Response:
    """Replace a resource (RFC 7644 section 3.5.1)."""
    kind, body = _type(type_name), _body(type_name)
    return answer_response(resources.replace(g.context, kind, identifier, body, _projection(kind), conditions()))


def patch(type_name: str, identifier: str) -> Response:
    """Change a resource by a PatchOp (RFC 7644 section 3.5.2)."""
    kind, body = _type(type_name), _body(type_name)
    return answer_response(resources.patch(g.context, kind, identifier, body, _projection(kind), conditions()))


def delete(type_name: str, identifier: str) -> Response:
    """Delete a resource (RFC 7644 section 3.6)."""
    return answer_response(resources.delete(g.context, _type(type_name), identifier, conditions()))


# Path below the endpoint, method and view.
SEARCHES: tuple[Route, ...] = (("", "GET", search), ("/.search", "POST", search_by_post))
OPERATIONS: tuple[Route, ...] = (
    ("", "POST", create), ("/<identifier>", "GET", retrieve), ("/<identifier>", "PUT", replace),
    ("/<identifier>", "PATCH", patch), ("/<identifier>", "DELETE", delete),
)  # fmt: skip


def routed(blueprint: Blueprint, routes: Sequence[Route], *type_names: str) -> Blueprint:
    """Add routes to the blueprint of a resource type, or of several."""
    for rule, method, view in routes:
        bound = update_wrapper(partial(view, *type_names), view)
        blueprint.add_url_rule(rule, view.__name__, bound, methods=[method], strict_slashes=False)
    return blueprint


def _type(name: str) -> ResourceType:
    found: ResourceType = g.context.resource_types[name]
    return found


def _body(type_name: str) -> Any:
    return read_json(LARGE if type_name == "Group" else SINGLE)


def _projection(kind: ResourceType) -> Projection:
    """Return the attributes that the URL's parameters ask for (RFC 7644 section 3.9)."""
    asked = read_query(parameters()) if request.query_string else SearchRequest()
    return Projection.parse(asked.attributes, asked.excludedAttributes, kind.schema)
