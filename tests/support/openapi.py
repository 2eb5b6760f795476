"""Writes scim/web/openapi.json, which describes SCIM, events and OAuth, from schemas and routes: `make openapi`."""

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Any

from apispec import APISpec
from flask import Flask
from werkzeug.routing import Rule

from schemas import ResourceTypes
from schemas.fields import Attribute, Complex
from schemas.messages import ERROR_URN
from schemas.user import Roles
from scim.settings import VERSION
from tests.support.server import ROOT

FILE = ROOT / "scim" / "web" / "openapi.json"
SCIM, JSON, FORM = "application/scim+json", "application/json", "application/x-www-form-urlencoded"
TYPES = {"boolean": "boolean", "integer": "integer", "decimal": "number"}
TEXT: dict[str, Any] = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
OBJECT: dict[str, Any] = {"type": "object"}
PUBLIC = {"workspace.scim.discovery.service_provider_config", "workspace.events.jwks", "oauth.token", "oauth.openapi"}
# Answered 501 for every method (RFC 7644 section 3.11).
LEFT_OUT = {"workspace.scim.me.me"}
# The query parameters of lists and of single resources, with their types.
PROJECTION = {"attributes": "string", "excludedAttributes": "string"}
LIST = {"filter": "string", "sortBy": "string", "sortOrder": "string", "startIndex": "integer", "count": "integer",
        "cursor": "string", **PROJECTION}  # fmt: skip
FOLLOW = {"after": "string", "limit": "integer", "wait": "integer"}


def ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def attribute(field: Attribute) -> dict[str, Any]:
    """Return the JSON Schema of an attribute's values."""
    found: dict[str, Any] = {"type": TYPES.get(field.type, "string")}
    if isinstance(field, Complex):
        found = {"type": "object", "properties": {name: attribute(sub) for name, sub in field.subAttributes.items()}}
    if isinstance(field, Roles):
        found = {"anyOf": [TEXT, found]}
    if field.multiValued:
        found = {"type": "array", "items": found}
    if field.description:
        found["description"] = field.description
    if field.mutability != "readWrite":
        found["readOnly" if field.readOnly else "writeOnly"] = field.readOnly or field.mutability == "writeOnly"
    return {name: value for name, value in found.items() if value is not False}


def components() -> dict[str, dict[str, Any]]:
    """Return the schemas of resources and messages by name."""
    found: dict[str, dict[str, Any]] = {}
    for kind in ResourceTypes().values():
        core = {name: attribute(field) for name, field in kind.schema.core.items()}
        extensions = {urn: attribute(field) for urn, field in kind.schema.extensions.items()}
        found[kind.name] = {"type": "object", "properties": {**core, **extensions},
                            "description": kind.schema.Meta.description}  # fmt: skip
    listed = {"totalResults": {"type": "integer"}, "itemsPerPage": {"type": "integer"},
              "startIndex": {"type": "integer"}, "nextCursor": TEXT}  # fmt: skip
    for name, items in [(f"{kind}s", ref(kind)) for kind in found] + [("Resources", OBJECT)]:
        properties = {"schemas": TEXTS, **listed, "Resources": {"type": "array", "items": items}}
        must = ["schemas", "totalResults", "Resources"]
        found[name] = {"type": "object", "required": must, "properties": properties}
    operations = {"type": "array", "items": OBJECT}
    search = {"schemas": TEXTS, "attributes": TEXTS, "excludedAttributes": TEXTS, "filter": TEXT, "sortBy": TEXT,
              "sortOrder": {"enum": ["ascending", "descending"]}, "startIndex": {"type": "integer"},
              "count": {"type": "integer"}, "cursor": TEXT}  # fmt: skip
    error = {"schemas": {"const": [ERROR_URN]}, "status": TEXT, "scimType": TEXT, "detail": TEXT}
    event = {"id": TEXT, "type": TEXT, "timestamp": TEXT, "request": TEXT, "data": OBJECT}
    objects: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
        "PatchOp": ({"schemas": TEXTS, "Operations": operations}, ("Operations",)),
        "BulkRequest": ({"schemas": TEXTS, "failOnErrors": {"type": "integer"}, "Operations": operations},
                        ("Operations",)),
        "BulkResponse": ({"schemas": TEXTS, "Operations": operations}, ("schemas", "Operations")),
        "SearchRequest": (search, ()),
        "Error": (error, ("schemas", "status", "detail")),
        "Discovery": ({"schemas": TEXTS, "meta": OBJECT}, ("schemas",)),
        "Events": ({"events": {"type": "array", "items": {**OBJECT, "properties": event}}, "cursor": TEXT,
                    "more": {"type": "boolean"}}, ("events", "cursor", "more")),
        "Poll": ({"maxEvents": {"type": "integer"}, "returnImmediately": {"type": "boolean"}, "ack": TEXTS,
                  "setErrs": OBJECT}, ()),
        "SecurityEvents": ({"sets": {"type": "object", "additionalProperties": TEXT},
                            "moreAvailable": {"type": "boolean"}}, ("sets", "moreAvailable")),
        "Receipt": ({"outcome": {"enum": ["ended", "failed", "ignored"]}, "sessions": {"type": "integer"},
                     "detail": TEXT}, ("outcome",)),
        "KeySet": ({"keys": {"type": "array", "items": OBJECT}}, ("keys",)),
        "TokenRequest": ({"grant_type": {"const": "client_credentials"}, "client_id": TEXT, "client_secret": TEXT,
                          "client_assertion": TEXT, "client_assertion_type": TEXT, "scope": TEXT}, ("grant_type",)),
        "Token": ({"access_token": TEXT, "token_type": {"const": "Bearer"}, "expires_in": {"type": "integer"},
                   "scope": {"enum": ["scim", "scim.read"]}}, ("access_token", "token_type", "expires_in", "scope")),
        "TokenError": ({"error": TEXT, "error_description": TEXT}, ("error",)),
    }  # fmt: skip
    for name, (properties, required) in objects.items():
        found[name] = {"type": "object", "properties": properties, "required": list(required)}
        if not required:
            del found[name]["required"]
    return found


def shape(endpoint: str) -> tuple[str | None, str | None, int, dict[str, str]]:
    """Return the names of the schemas of body and answer, the status, and the query parameters of a route."""
    owner, view = endpoint.rsplit(".", 2)[-2:]
    kind = owner.capitalize().removesuffix("s")
    fixed: dict[str, tuple[str | None, str | None, int, dict[str, str]]] = {
        "search.search": (None, "Resources", 200, LIST),
        "search.search_by_post": ("SearchRequest", "Resources", 200, {}),
        "bulk.bulk": ("BulkRequest", "BulkResponse", 200, {}),
        "events.follow": (None, "Events", 200, FOLLOW), "events.poll": ("Poll", "SecurityEvents", 200, {}),
        "events.receive_receipt": ("Receipt", None, 204, {}), "events.jwks": (None, "KeySet", 200, {}),
        "oauth.token": ("TokenRequest", "Token", 200, {}), "oauth.openapi": (None, None, 200, {}),
        "discovery.schemas": (None, "Resources", 200, {}), "discovery.resource_types": (None, "Resources", 200, {}),
    }  # fmt: skip
    if f"{owner}.{view}" in fixed:
        return fixed[f"{owner}.{view}"]
    if owner == "discovery":
        return None, "Discovery", 200, {}
    views = {
        "search": (None, f"{kind}s", 200, LIST), "search_by_post": ("SearchRequest", f"{kind}s", 200, {}),
        "create": (kind, kind, 201, PROJECTION), "retrieve": (None, kind, 200, PROJECTION),
        "replace": (kind, kind, 200, PROJECTION), "patch": ("PatchOp", kind, 200, PROJECTION),
        "delete": (None, None, 204, {}),
    }  # fmt: skip
    return views[view]


def operation(rule: Rule, method: str, summary: str) -> dict[str, Any]:
    body, answer, status, query = shape(rule.endpoint)
    is_oauth, is_scim = rule.endpoint.startswith("oauth."), ".scim." in rule.endpoint
    media = "application/jwk-set+json" if answer == "KeySet" else SCIM if is_scim else JSON
    sent = FORM if is_oauth else SCIM if is_scim else JSON
    content = {"content": {media: {"schema": ref(answer) if answer else OBJECT}}}
    failure = (JSON, "TokenError") if is_oauth else (SCIM, "Error")
    failed = {"description": "An error; it says what to correct.", "content": {failure[0]: {"schema": ref(failure[1])}}}
    done = {"description": "Done.", **(content if status != 204 else {})}
    responses: dict[str, Any] = {"default": failed, str(status): done}
    if rule.endpoint.endswith("groups.patch"):
        responses["204"] = {"description": "Done; the group is too large to be answered."}
    found: dict[str, Any] = {
        "summary": summary, "operationId": re.sub(r"\W", "_", f"{rule.endpoint.removeprefix('workspace.')}_{method}"),
        "responses": responses, "tags": [rule.endpoint.removeprefix("workspace.").split(".")[0]],
        "parameters": [{"name": name, "in": "query", "schema": {"type": kind}} for name, kind in query.items()],
    }  # fmt: skip
    if body:
        found["requestBody"] = {"required": True, "content": {sent: {"schema": ref(body)}}}
    if rule.endpoint in PUBLIC:
        found["security"] = []
    return found


def document(app: Flask) -> dict[str, Any]:
    """Return the description of the routes of an app."""
    spec = APISpec(
        title="Perch", version=VERSION, openapi_version="3.1.0", info={"description": "SCIM 2.0 provisioning."},
        servers=[{"url": "/"}], security=[{"key": []}, {"oauth": []}],
    )  # fmt: skip
    spec.components.security_scheme("key", {"type": "http", "scheme": "bearer"})
    scopes = {"scim": "All that the key may.", "scim.read": "Reading only."}
    flows = {"clientCredentials": {"tokenUrl": "oauth/token", "scopes": scopes}}
    spec.components.security_scheme("oauth", {"type": "oauth2", "flows": flows})
    for name, schema in components().items():
        spec.components.schema(name, schema)
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: (rule.rule, rule.endpoint)):
        if not rule.rule.startswith("/<workspace>") or rule.endpoint in LEFT_OUT:
            continue
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/<workspace>"))
        named = re.findall(r"{(\w+)}", path)
        summary = (app.view_functions[rule.endpoint].__doc__ or rule.endpoint).strip().splitlines()[0]
        operations = {
            method.lower(): operation(rule, method.lower(), summary)
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        }
        parameters = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in named]
        spec.path(path, operations=operations, parameters=parameters)
    return dict(spec.to_dict())


def text(app: Flask) -> str:
    return json.dumps(document(app), indent=1, sort_keys=True) + "\n"


def made() -> Flask:
    from app import create_app

    return create_app({"PERCH_DATABASE": os.path.join(tempfile.mkdtemp(), "perch.db")})


if __name__ == "__main__":
    Path(FILE).write_text(text(made()), encoding="utf-8")
