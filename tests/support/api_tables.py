"""The tables of docs/api.md and docs/decisions.md, made from routes, schemas, errors, limits and tolerances."""

from collections.abc import Iterable, Iterator, Mapping

from flask import Flask
from werkzeug.routing import Rule

from schemas import ResourceTypes, discovery, errors, fields, json_bounds, messages
from schemas.errors import ScimError
from schemas.fields import Attribute, Complex
from schemas.filters import parser
from schemas.tolerances import REFUSALS, Tolerance
from scim.events.receipts import LONGEST_REASON
from scim.service.resources import SMALL_GROUP
from scim.service.search import LONGEST_SEARCH
from scim.settings import SETTINGS
from scim.web import requests
from scim.web.auth import READING, READING_POSTS
from scim.web.events import MAX_LIMIT
from tests.support.openapi import PUBLIC

# What each view does: by the view of a resource type, else by the last two parts of the endpoint.
VIEWS = {
    "search": "list, filter, sort, page",
    "search_by_post": "the same, with the query in the body",
    "create": "create one",
    "retrieve": "read one",
    "replace": "replace one",
    "patch": "change one",
    "delete": "delete one",
    "search.search": "users and groups in one list",
    "search.search_by_post": "the same, with the query in the body",
    "bulk.bulk": "many writes in one request",
    "me.me": "always 501: a key belongs to a client, not to a person",
    "discovery.service_provider_config": "what Perch supports",
    "discovery.resource_types": "the resource types",
    "discovery.resource_type": "one resource type",
    "discovery.schemas": "the schemas, with the declared attributes",
    "discovery.schema": "one schema",
    "events.follow": "the events after a cursor",
    "events.poll": "security event tokens (RFC 8936)",
    "events.receive_receipt": "what the application did about an event",
    "events.jwks": "the public keys that sign the tokens",
    "oauth.token": "an access token for a client's secret or assertion",
    "oauth.metadata": "the metadata of the token endpoint (RFC 8414)",
    "oauth.openapi": "this API in OpenAPI 3.1",
    "health.healthz": "200 when the process answers",
    "health.readyz": "200 when Perch can serve and write",
    "health.metrics": "metrics for Prometheus",
}
OPEN = {*PUBLIC, "oauth.metadata", "health.healthz", "health.readyz"}
# What an error means, and what its receiver does about it.
ERRORS = {
    "BadRequest": (
        "the URL or its query cannot be understood",
        "percent-encode the query as UTF-8; correct the header `Host`",
    ),
    "InvalidFilter": (
        "the filter has an error; `detail` names the column",
        "correct it there; text stands in double quotes",
    ),
    "InvalidSyntax": (
        "the body is missing, is not JSON, has a key twice, names the wrong schema, or did not arrive whole",
        "send one JSON object of the kind that `detail` names",
    ),
    "InvalidPath": (
        "a PATCH path, a `sortBy` or a Bulk path names nothing that exists",
        "look the attribute up in `/Schemas`",
    ),
    "InvalidValue": (
        "a value is not what the attribute takes, a required one is missing, or a role or member is unknown",
        "correct the attribute that `detail` names; push members and add roles first",
    ),
    "NoTarget": ("the filter in a PATCH path matches no value", "add the value first, or correct the filter"),
    "Mutability": ("a PATCH would change what is readOnly, or remove what is required", "leave the attribute out"),
    "TooMany": (
        "the answer would be too large, or the search takes too long",
        "ask for less with `count`, or filter more narrowly",
    ),
    "InvalidCursor": ("the cursor was changed, or belongs to another query", "begin again with an empty cursor"),
    "ExpiredCursor": ("the cursor is older than an hour", "begin again with an empty cursor"),
    "InvalidCount": ("`count` beside a cursor is not a whole number from 1", "send 1 to 1000"),
    "Unauthorized": (
        "the key is missing, wrong, revoked or expired",
        "send `Authorization: Bearer KEY`; make a new key",
    ),
    "Forbidden": (
        "the key may only read, or a filter was sent to a discovery endpoint",
        "use a key with provision access",
    ),
    "NotFound": (
        "there is no such resource, path or workspace",
        "copy the base URL again; look the resource up by its name",
    ),
    "MethodNotAllowed": ("the path does not take this method, such as a write to `/Roles`", "see the header `Allow`"),
    "RequestTimeout": ("the body came too slowly", "send it again, faster"),
    "Uniqueness": (
        "another resource has this `userName`, `displayName` or unique attribute",
        "look it up by its name and update it",
    ),
    "Conflict": ("something is in the way; only commands and the console say so", "do what `detail` says"),
    "Gone": (
        "events after the cursor are deleted, or the file was restored since",
        "begin again: read all users, then follow the events",
    ),
    "PreconditionFailed": (
        "the resource has changed since its entity tag was read",
        "read it again and repeat the change",
    ),
    "PayloadTooLarge": ("the body, its values or its operations are too many", "send less at once; see the limits"),
    "UnsupportedMediaType": (
        "the body is neither JSON nor SCIM, or is compressed",
        "send `application/scim+json`, not encoded",
    ),
    "TooManyRequests": (
        "too many requests of the key, too many wrong keys from the address, or the safety fuse",
        "wait as `Retry-After` says; for the fuse, see `flask fuse status`",
    ),
    "ScimError": ("Perch failed; nothing was changed", "send it again once; the server's log has the cause"),
    "NotSupported": ("`/Me` is not supported", "use `/Users`"),
    "Unavailable": (
        "Perch cannot write or read the file at the moment, or is a follower",
        "wait as `Retry-After` says; send writes to the primary",
    ),
    "InsufficientStorage": ("the disk is full; nothing was changed", "make room"),
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
LABELS = {"display", "type", "primary"}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    lines = [tuple(head), *map(tuple, rows)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def endpoints(app: Flask) -> str:
    """Return all routes but the console's, with the key that each needs."""
    rules = [rule for rule in app.url_map.iter_rules() if "console" not in rule.endpoint and rule.endpoint != "static"]
    rows = []
    for rule in sorted((rule for rule in rules if rule.rule != "/"), key=_place):
        methods = [each for each in METHODS if each in (rule.methods or ())]
        rows.append((", ".join(methods), f"`{_path(rule)}`", _does(rule.endpoint), _key(rule, methods)))
    return table(("method", "path", "does", "key"), rows)


def _path(rule: Rule) -> str:
    return rule.rule.replace("<path:", "<").replace("identifier>", "id>").replace("<", "{").replace(">", "}")


def _place(rule: Rule) -> tuple[bool, str, int]:
    methods = [METHODS.index(each) for each in rule.methods or () if each in METHODS]
    return "/scim/v2" not in rule.rule, rule.rule, min(methods)


def _does(endpoint: str) -> str:
    owner, view = endpoint.split(".")[-2:]
    return VIEWS[view] if owner in ("users", "groups", "roles") else VIEWS[f"{owner}.{view}"]


def _key(rule: Rule, methods: list[str]) -> str:
    if rule.endpoint in OPEN:
        return "none"
    if rule.endpoint == "health.metrics":
        return "any; none on this machine"
    reads = all(each in READING or (each == "POST" and rule.rule.endswith(READING_POSTS)) for each in methods)
    return "read" if reads or rule.endpoint.endswith("me.me") else "provision"


def attributes() -> str:
    """Return a table for each schema, under a heading with its URN."""
    parts, types = [], ResourceTypes()
    person = types["User"].schema
    shared = {name: field for name, field in person.attributes.items() if name not in person.core}
    parts.append("### Every resource\n\n" + _schema(shared))
    for kind in types.values():
        parts.append(f"### {kind.name}\n\n`{kind.schema.urn}`\n\n{_schema(kind.schema.core)}")
        for urn, extension in kind.schema.extensions.items():
            parts.append(
                f"### {extension.title}\n\n`{urn}`, an extension of {kind.name}\n\n{_schema(extension.subAttributes)}"
            )
    return "\n\n".join(parts)


def _schema(declared: Mapping[str, Attribute]) -> str:
    return table(("attribute", "type", "what it is"), [row for field in declared.values() for row in _rows(field)])


def _rows(field: Attribute, owner: str = "") -> Iterator[tuple[str, str, str]]:
    kind = f"{field.type}, list" if field.multiValued else field.type
    parts = field.subAttributes if isinstance(field, Complex) else {}
    # The usual four of a list, `value` and three labels, stand in the row of the list.
    plain = field.multiValued and {*parts} == {"value", *LABELS} and not field.has_required_parts
    types = ", ".join(parts["type"].canonicalValues) if plain else ""
    usual = f" Each has `value`, `display`, `type`{f' ({types})' if types else ''}, `primary`." if plain else ""
    yield f"`{owner}{field.name}`", kind, f"{field.description}{usual}{_notes(field)}"
    for sub in () if plain else parts.values():
        yield from _rows(sub, f"{field.name}.")


def _notes(field: Attribute) -> str:
    notes = [
        ("required", field.required and not field.readOnly), ("unique", field.uniqueness == "server"),
        ("case matters", field.caseExact and field.type in ("string",)),
        ("read-only", field.readOnly), ("never returned", field.returned == "never"),
        (f"at most {field.maxBytes} bytes", field.maxBytes == fields.SHORT_TEXT),
        (f"usually {', '.join(field.canonicalValues)}", bool(field.canonicalValues)),
    ]  # fmt: skip
    found = [text for text, holds in notes if holds]
    return f" *{'; '.join(found)}*" if found else ""


def error_classes() -> list[type[ScimError]]:
    """Return the errors that schemas/errors.py declares with a status of their own, or a kind."""
    found = [
        each for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, ScimError) and _code(each) != _code(each.__base__)
    ]  # fmt: skip
    return sorted(found, key=lambda each: (each.status, each.scimType or ""))


def _code(kind: type | None) -> tuple[int, str | None]:
    return (kind.status, kind.scimType) if kind and issubclass(kind, ScimError) else (0, None)


def error_table() -> str:
    """Return all errors; a class without words, and words without a class, are a KeyError."""
    classes = error_classes()
    if unknown := {*ERRORS} - {each.__name__ for each in classes}:
        raise KeyError(unknown)
    rows = (
        (str(each.status), f"`{each.scimType}`" if each.scimType else "", *ERRORS[each.__name__]) for each in classes
    )
    return table(("status", "`scimType`", "means", "what to do"), rows)


def limits() -> str:
    """Return the limits that constants of the code hold."""
    kib, mib = 1024, 1024 * 1024
    message, single = (requests.MESSAGE.size or 0) // kib, (requests.SINGLE.size or 0) // mib
    most = next(int(setting.default) for setting in SETTINGS if setting.name == "PERCH_MAX_BODY") // mib
    short, long = f"{fields.SHORT_TEXT:,} bytes", f"{fields.LONG_TEXT // kib} KiB"
    rows = (
        ("resources on a page", f"{discovery.DEFAULT_RESULTS} by default, at most {discovery.MAX_RESULTS}"),
        ("operations in a Bulk request", f"{discovery.MAX_OPERATIONS}"),
        ("body of a search, a poll or a receipt", f"{message} KiB"),
        ("body of a user", f"{single} MiB"),
        ("body of a group or of Bulk", f"`PERCH_MAX_BODY` ({most} MiB)"),
        ("values in a body", f"{json_bounds.MOST_VALUES:,}; {json_bounds.MOST_LARGE:,} for groups and Bulk"),
        ("nesting", f"{json_bounds.MAX_NESTING} levels in JSON, {parser.MAX_NESTING} in a filter"),
        ("filter", f"{parser.MAX_LENGTH:,} characters"),
        ("names in `attributes` or `excludedAttributes`", f"{messages.MAX_NAMES}"),
        ("text", f"{short} for `userName`, `displayName`, `externalId`; {long} for any other"),
        ("a search", f"{LONGEST_SEARCH:g} s of CPU time"),
        ("a cursor works for", f"{discovery.CURSOR_TIMEOUT:,} s"),
        ("a group that a PATCH answers in full", f"{SMALL_GROUP} members; a larger one is answered 204"),
        ("events in an answer", f"{MAX_LIMIT:,}"),
        ("`reason` of a receipt", f"{LONGEST_REASON:,} bytes"),
    )  # fmt: skip
    return table(("what", "limit"), rows)


def tolerances() -> str:
    """Return the deviations that Perch accepts, with the answer of a strict key."""
    rows = (
        (each.value[0].upper() + each.value[1:], f"`{REFUSALS.get(each, errors.InvalidSyntax).scimType}`")
        for each in Tolerance
    )
    return table(("what is sent", "a strict key's answer"), rows)
