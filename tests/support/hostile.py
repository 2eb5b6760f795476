"""Hostile requests: broken values, mutated documents, odd paths, filters and headers; and a check of the answers."""

import copy
import json
import random
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from tests.support.client import Answer

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
API = "urn:ietf:params:scim:api:messages:2.0:"
CORE = "urn:ietf:params:scim:schemas:core:2.0:"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

NASTY_TEXTS = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\ufeff",
    "\u202e",
    "\u0130\u00df\ufb03",
    "a\u0300" * 50,
    "\U0001f468\u200d\U0001f469",
    "x" * 2000,
    "y" * 70_000,
    "'; DROP TABLE resources; --",
    '"',
    "\\",
    "%s%n",
    "{0}",
    "${jndi:x}",
    "<script>",
    "../../etc/passwd",
    "null",
    "true",
    "1e400",
    '{"value": "managed:admin"}',
    '{"value":' * 50,
    "[" * 2000,
    "bulkId:1",
    "bulkId:",
    'userName eq "x"',
    "9" * 400,
    "2026-13-45T99:99:99Z",
    "9999999-01-01T00:00:00Z",
    "0000-00-00T00:00:00Z",
    "2026-01-01T00:00:00+99:99",
]
NASTY_NUMBERS = [0, -1, 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, 1e308, -0.0, 0.1, 5e-324, float("1e300")]
NASTY_HOLDERS: list[Any] = [None, True, False, [], {}, [[]], [None], {"": ""}, {"value": {}}, [{"value": []}]]
NASTY: list[Any] = [*NASTY_HOLDERS, *NASTY_TEXTS, *NASTY_NUMBERS]

DOCUMENTS: dict[str, dict[str, Any]] = {
    "user": {
        "schemas": [CORE + "User", ENTERPRISE],
        "userName": "somebody",
        "externalId": "1",
        "name": {"givenName": "A", "familyName": "B", "formatted": "A B"},
        "emails": [{"value": "a@example.com", "type": "work", "primary": True}],
        "phoneNumbers": [{"value": "1", "type": "work"}],
        "addresses": [{"streetAddress": "x", "type": "home"}],
        "x509Certificates": [{"value": "MIIC"}],
        "photos": [{"value": "https://example.com/p.png", "type": "photo"}],
        "active": True,
        "roles": ["managed:admin"],
        "password": "x",
        "locale": "en-GB",
        ENTERPRISE: {"department": "d", "manager": {"value": "1", "$ref": "../Users/1", "displayName": "m"}},
        "meta": {"resourceType": "User", "version": 'W/"1"'},
    },
    "group": {
        "schemas": [CORE + "Group"],
        "displayName": "team",
        "externalId": "g",
        "members": [{"value": "{id}", "$ref": "../Users/{id}", "type": "User", "display": "x"}],
    },
    "patch": {
        "schemas": [API + "PatchOp"],
        "Operations": [
            {"op": "replace", "path": "name.givenName", "value": "x"},
            {"op": "add", "path": 'emails[type eq "work"].value', "value": "x@example.com"},
            {"op": "add", "value": {"displayName": "x", "members": [{"value": "{id}"}]}},
            {"op": "remove", "path": "members", "value": [{"value": "{id}"}]},
        ],
    },
    "search": {
        "schemas": [API + "SearchRequest"],
        "filter": 'userName sw "s" and emails[type eq "work" and value co "@"]',
        "attributes": ["userName"],
        "excludedAttributes": ["emails"],
        "sortBy": "userName",
        "sortOrder": "descending",
        "startIndex": 1,
        "count": 10,
    },
    "bulk": {
        "schemas": [API + "BulkRequest"],
        "failOnErrors": 5,
        "Operations": [
            {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "bulk-user"}},
            {
                "method": "POST",
                "path": "/Groups",
                "bulkId": "2",
                "data": {"displayName": "bulk-group", "members": [{"value": "bulkId:1"}]},
            },
            {
                "method": "PATCH",
                "path": "/Users/{id}",
                "data": {"Operations": [{"op": "add", "value": {"title": "x"}}]},
            },
            {"method": "DELETE", "path": "/Users/bulkId:1", "version": 'W/"1"'},
        ],
    },
}
TARGETS = {
    "user": [("POST", "/Users"), ("PUT", "/Users/{id}")],
    "group": [("POST", "/Groups"), ("PUT", "/Groups/{group}")],
    "patch": [("PATCH", "/Users/{id}"), ("PATCH", "/Groups/{group}")],
    "search": [("POST", "/.search"), ("POST", "/Users/.search"), ("POST", "/Roles/.search")],
    "bulk": [("POST", "/Bulk")],
}

ATTRIBUTES = [
    "userName", "USERNAME", "name.givenName", "emails", "emails.value", "emails[type eq \"work\"]", "members",
    "members.value", "roles", "roles.value", "active", "meta.lastModified", "meta.location", "id", "externalId",
    "groups.value", f"{ENTERPRISE}:manager", f"{ENTERPRISE}:manager.value", "password", "schemas", "x", "$ref",
    "urn:perch:scim:schemas:extension:access:1.0:User:loginAllowed", "emails[", "a.b.c", "1", "",
    "urn:", "entitlements",
]  # fmt: skip
OPERATORS = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "EQ", "xx", ""]
COMPARED = [
    '"x"',
    '"\\ud800"',
    '"\\u0000"',
    "1",
    "1e400",
    "-0",
    "true",
    "null",
    '"2026-01-01T00:00:00Z"',
    "x",
    '"',
    "9" * 500,
]
GLUE = [" and ", " or ", " ", "(", ")", " and not (", "not ", "[", "]", " and and ", "\t"]


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found.append((value, key))
        _places(item, found)
    return found


def mutated(document: Any, chance: random.Random) -> Any:
    """Return a document with a few values changed, moved, wrapped, doubled or removed."""
    changed = copy.deepcopy(document)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        places = _places(changed, [])
        if not places:
            return chance.choice(NASTY)
        holder, key = chance.choice(places)
        how = chance.randrange(7)
        if how == 0:
            del holder[key]
        elif how == 1:
            holder[key] = [holder[key], copy.deepcopy(holder[key])]
        elif how == 2:
            holder[key] = {"value": holder[key]}
        elif how == 3 and isinstance(holder, dict):
            holder[chance.choice([t for t in NASTY if isinstance(t, str)])] = holder.pop(key)
        elif how == 4 and isinstance(holder, dict):
            holder[key.swapcase()] = copy.deepcopy(holder[key])
        elif how == 5:
            holder[key] = copy.deepcopy(chance.choice(places)[0])
        else:
            holder[key] = copy.deepcopy(chance.choice(NASTY))
    return changed


def filter_text(chance: random.Random) -> str:
    """Return a filter, a nearly valid one, or nonsense."""
    parts = []
    for _ in range(chance.choice((1, 1, 2, 3, 8))):
        parts.append(" ".join([chance.choice(ATTRIBUTES), chance.choice(OPERATORS), chance.choice(COMPARED)]))
        parts.append(chance.choice(GLUE))
    return "".join(parts[:-1] if chance.random() < 0.7 else parts)


def query(chance: random.Random) -> str:
    """Return a query string of known parameters with odd values."""
    pairs = []
    for _ in range(chance.randrange(4)):
        name = chance.choice(
            [
                "filter",
                "Filter",
                "sortBy",
                "sortOrder",
                "startIndex",
                "count",
                "attributes",
                "excludedAttributes",
                "cursor",
                "x",
            ]
        )
        value: Any = (
            filter_text(chance) if name.lower() == "filter" else chance.choice([*ATTRIBUTES, *NASTY_TEXTS[:-8]])
        )
        if chance.random() < 0.2:
            value = str(chance.choice(NASTY_NUMBERS))
        pairs.append(f"{name}={quote(value[:2000].encode('utf-8', 'surrogatepass'))}")
    return "?" + "&".join(pairs) if pairs else ""


HEADERS = {
    "If-Match": ["*", 'W/"1.0"', '"', "W/", 'W/"99999999999999999999999.1"', "\xff", 'W/"1.0", W/"2"', " "],
    "If-None-Match": ["*", 'W/"1.0"', '"x', "\xe9", ",,,,"],
    "Content-Type": [
        "text/plain",
        "application/json; charset=utf-16",
        ";",
        "application/scim+json;" + "x" * 500,
        "*/*",
    ],
    "Accept": ["text/html", "*/*;q=0", "application/xml", "\xff", ","],
    "Accept-Encoding": ["gzip;q=nan", "identity;q=0"],
    "Range": ["bytes=0-1", "x"],
    "X-Request-Id": ["x" * 500, "\xff\xfe", "'\"<>"],
    "X-HTTP-Method-Override": ["DELETE"],
    "Expect": ["200-ok"],
    "Cookie": ["=;=;\xff", "session=" + "A" * 500],
    "Date": ["never"],
}
IDS = [
    "..", "../Users", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%00", "%ED%A0%80", "%FF%FE", "%", "%zz", "a%0d%0ab",
    "0" * 3000, "%F0%9F%98%80", "'", "%22", "*", "-1", "null", ".search", "..;", "a;b", "~", "\\", "1%2F2", "%20",
    "010101001010101011001010101011", "00919288221112222", "{{7*7}}", "%25s", "x/y/z",
]  # fmt: skip
seeds = st.integers(0, 2**32).map(random.Random)


def check(answer: Answer, request: Any) -> None:
    """Check that an answer is no failure of the server, and that a refusal is a complete SCIM error."""
    assert answer.status < 500 or answer.status == 501, (answer, request)
    if answer.status < 400 or answer.body is None:
        return
    assert answer.headers["Content-Type"].startswith("application/scim+json"), (answer, request)
    assert answer.body["schemas"] == [ERROR], (answer, request)
    assert answer.body["status"] == str(answer.status), (answer, request)
    assert answer.body["detail"].strip(), (answer, request)
    assert len(json.dumps(answer.body)) < 20_000, (answer, request)
