"""Inputs for SCIM and events: each generator makes one from a source of chance."""

import json
import re
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import quote

from tests.attack import documents
from tests.attack.grammar import any_filter, any_path
from tests.attack.inputs import Input, json_body
from tests.support.hostile import HEADERS, IDS, NASTY, NASTY_NUMBERS, NASTY_TEXTS, TARGETS

KEYS = ("okta", "entra", "generic", "create", "strict", "read", "none", "wrong", "revoked", "basic")
WEIGHTS = (6, 6, 12, 4, 3, 3, 1, 1, 1, 2)
# gunicorn refuses a longer request line by itself.
LONGEST_TARGET = 8000
POLL = "{WORKSPACE}/events/poll"
HANG_UP_S = 0.5
# These headers are answered by gunicorn itself.
OURS = sorted(name for name in HEADERS if name != "Expect")


def authorization(key: str) -> tuple[tuple[str, str], ...]:
    """Return the header of a key; none and basic are special."""
    if key == "none":
        return ()
    return (("Authorization", "{BASIC}" if key == "basic" else f"Bearer {{KEY:{key}}}"),)


def some_key(chance: Random) -> tuple[tuple[str, str], ...]:
    """Return the header of one of the keys, or none, and where the request seems to come from."""
    (key,) = chance.choices(KEYS, WEIGHTS)
    return (*authorization(key), ("X-Forwarded-For", f"203.0.113.{chance.randrange(256)}"))


def odd_headers(chance: Random) -> tuple[tuple[str, str], ...]:
    """Return a few headers with odd values, most often none."""
    names = chance.sample(OURS, chance.choice((0, 0, 0, 1, 2)))
    return tuple((name, chance.choice(HEADERS[name])) for name in names)


def escaped(text: str, safe: str = "/:{}") -> str:
    """Return a text for a URL, surrogates included."""
    return quote(text.encode("utf-8", "surrogatepass"), safe=safe)


def scim(chance: Random, kind: str, method: str, path: str, body: Any = None, **more: Any) -> Input:
    """Return a request below the base URL, with a key, and a body that is spoiled as JSON text at times."""
    headers = some_key(chance) + odd_headers(chance)
    text = None if body is None else documents.body_text(body, chance)
    if text is not None and not any(name == "Content-Type" for name, _ in headers):
        headers += (("Content-Type", "application/scim+json"),)
    return Input(kind, method, ("{BASE}" + path)[:LONGEST_TARGET], headers, text, **more)


def query(chance: Random) -> str:
    """Return a query with filters of the grammar."""
    pairs = []
    for name in chance.choices(
        ("filter", "sortBy", "sortOrder", "startIndex", "count", "attributes", "excludedAttributes", "cursor", "x"),
        k=chance.choice((0, 1, 1, 2, 4)),
    ):
        if name == "filter":
            value = any_filter(chance)
        elif name in ("sortBy", "attributes", "excludedAttributes"):
            value = ",".join(any_path(chance) for _ in range(chance.choice((1, 1, 3))))
        elif name == "cursor":
            value = chance.choice(("", "{PAGE}", "{PAGE}", "{PAGE}x", "x{PAGE}", "{PAGE}.{PAGE}", ".", "e30.e30"))
        else:
            value = str(chance.choice([1, 10, 200, *NASTY_NUMBERS, *NASTY_TEXTS]))[:500]
        pairs.append(f"{name if chance.random() < 0.9 else name.upper()}={escaped(value, '/:')}")
    return re.sub(r"%7B([A-Z]+)(:1)?%7D", r"{\1\2}", "?" + "&".join(pairs)) if pairs else ""


def someone(chance: Random, kind: str = "") -> str:
    """Return the path of a user or group that exists most of the time."""
    kind = kind or chance.choice(("USER", "USER", "GROUP"))
    return f"/{kind.capitalize()}s/{{{kind}:{chance.randrange(64)}}}"


def dialogue(chance: Random) -> Input:
    """Return a request that Okta or Entra sent, changed."""
    step = chance.choice(documents.recorded())
    path, mark, asked = step.path.partition("?")
    if mark and chance.random() < 0.3:
        asked = documents.body_text(asked, chance)[1:-1]
    path = escaped(path) + mark + escaped(asked, "=&:/?$,;@!()'[]{}")
    method = step.method if chance.random() < 0.9 else chance.choice(("PUT", "PATCH", "POST", "DELETE", "GET"))
    body = step.body
    if body is not None:
        # Clients that send JSON as text have a text here.
        body = documents.spoiled(documents.renamed(body, chance), chance)
    elif chance.random() < 0.1:
        body = chance.choice(documents.recorded()).body
    return scim(chance, "dialogue", method, path, body)


def document(chance: Random) -> Input:
    """Return a changed resource, search or PatchOp."""
    kind = chance.choice(("user", "user", "group", "patch"))
    method, path = chance.choice(TARGETS[kind])
    if "{" in path:
        path = someone(chance, "USER" if "{id}" in path else "GROUP")
    body = documents.patch_op(chance) if kind == "patch" else documents.resource(kind, chance)
    if chance.random() < 0.7:
        body = documents.spoiled(body, chance)
    return scim(chance, "document", method, path + (query(chance) if chance.random() < 0.2 else ""), body)


def patch(chance: Random) -> Input:
    """Return a PATCH with paths of the grammar."""
    return scim(chance, "patch", "PATCH", someone(chance), documents.patch_op(chance))


def search(chance: Random) -> Input:
    """Return a search by GET or POST."""
    place = chance.choice(("/Users", "/Users", "/Groups", "/Roles", ""))
    if chance.random() < 0.6:
        return scim(chance, "search", "GET", place + query(chance))
    body = documents.spoiled(documents.search_request(chance), chance)
    return scim(chance, "search", "POST", f"{place}/.search", body)


def bulk(chance: Random) -> Input:
    """Return a Bulk request."""
    body = documents.bulk(chance)
    return scim(chance, "bulk", "POST", "/Bulk", documents.spoiled(body, chance) if chance.random() < 0.5 else body)


def path(chance: Random) -> Input:
    """Return a request with an odd path or method."""
    places = ("/Users", "/Groups", "/Roles", "/Schemas", "/ResourceTypes", "/ServiceProviderConfig", "/Me", "/Bulk", "")
    place = chance.choice((*places, someone(chance)))
    if chance.random() < 0.6:
        place += "/" + chance.choice(IDS)
    method = chance.choice(("GET", "GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "DELETE", "PUT", "POST"))
    if method == "DELETE" and place.count("/") > 2:
        method = "GET"
    return scim(chance, "path", method, place + query(chance))


def delete(chance: Random) -> Input:
    """Return a deletion."""
    return scim(chance, "delete", "DELETE", someone(chance))


def follow(chance: Random) -> Input:
    """Return a request for events."""
    after = chance.choice(("latest", "oldest", "{CURSOR}", "", "x", "%00", "\u0661", "9" * 40, *NASTY_TEXTS[:10]))
    pairs = {"after": after, "limit": str(chance.choice((1, 10, 1000, *NASTY_NUMBERS[:5]))), "wait": "0", "x": "1"}
    if chance.random() < 0.05:
        pairs["wait"] = "2"
    chosen = chance.sample(sorted(pairs), chance.randrange(1, 5))
    asked = "&".join(f"{name}={escaped(pairs[name])}" for name in chosen)
    target = f"{{WORKSPACE}}{chance.choice(('/events', '/events', '/events/', '/jwks.json', '/events/x'))}?{asked}"
    return Input("events", "GET", target, some_key(chance), patience=HANG_UP_S if "wait" in chosen else 0.0)


def poll(chance: Random) -> Input:
    """Return a poll for security event tokens (RFC 8936)."""
    jtis = ["{CURSOR}", "x", "", *NASTY[:8]]
    body: Any = {
        "maxEvents": chance.choice((0, 1, 10, 2000, *NASTY_NUMBERS[:6])), "returnImmediately": True,
        "ack": [chance.choice(jtis) for _ in range(chance.choice((0, 1, 3, 300)))],
        "setErrs": {"x": {"err": "invalid_key", "description": chance.choice(NASTY_TEXTS)}},
    }  # fmt: skip
    body = documents.spoiled(body, chance)
    headers = (*some_key(chance), ("Content-Type", "application/json"))
    return Input("events", "POST", POLL, headers, documents.body_text(body, chance), patience=HANG_UP_S)


def unwelcome(chance: Random) -> Input:
    """Return a change of a person or group that must stay as they are, which has to be refused."""
    target = chance.choice(("/Users/{CANARY:%d}", "/Groups/{TEAM:%d}")) % chance.randrange(64)
    make: Callable[[Random, str], Input] = chance.choice((without_right, without_right, stale, duplicate, half_wrong))
    return make(chance, target)


STEAL = {"op": "replace", "path": "displayName", "value": "stolen"}
THEFT = {
    "PUT": {"userName": "stolen", "displayName": "stolen", "active": False},
    "PATCH": {"Operations": [{"op": "replace", "value": {"displayName": "stolen", "active": False}}]},
    "POST": {"Operations": [{"method": "DELETE", "path": "/Users/{CANARY:5}"}]},
    "DELETE": None,
}


def without_right(chance: Random, target: str) -> Input:
    """Return a change without a key, or with one that does not allow it."""
    key = chance.choice(("read", "read", "none", "wrong", "revoked"))
    method = chance.choice(sorted(THEFT))
    tricks = ((), (("X-HTTP-Method-Override", "POST"),), (("X-Forwarded-Proto", "https"), ("X-Original-URL", "/")))
    headers = authorization(key) + chance.choice(tricks)
    headers += (("X-Forwarded-For", f"198.51.100.{chance.randrange(256)}"),)
    body = THEFT[method]
    text = None if body is None else json_body(body)
    place = "/Bulk" if method == "POST" else target
    return Input("unwelcome", method, "{BASE}" + place, headers, text, forbidden=True)


def stale(chance: Random, target: str) -> Input:
    """Return a change whose condition is not met (RFC 7644 section 3.14)."""
    method = chance.choice(("PUT", "PATCH", "DELETE"))
    condition = ("If-Match", chance.choice(('W/"0.0"', '"x"', 'W/"999999.999999"', 'W/"0.1", W/"0.2"')))
    headers = (*authorization(chance.choice(("okta", "entra", "generic"))), condition)
    body = THEFT[method]
    return Input(
        "unwelcome", method, "{BASE}" + target, headers, None if body is None else json_body(body), forbidden=True
    )


def duplicate(chance: Random, target: str) -> Input:
    """Return a POST of a user whose name is taken."""
    name = f"canary{chance.randrange(20)}@perch.example"
    body = {"userName": chance.choice((name, name.upper())), "displayName": "stolen", "roles": ["managed:admin"]}
    return Input("unwelcome", "POST", "{BASE}/Users", authorization("okta"), json_body(body), forbidden=True)


def half_wrong(chance: Random, target: str) -> Input:
    """Return a change that begins well and ends with an error; none of it may stay."""
    method, change = chance.choice((patch_that_ends_badly, write_that_ends_badly))(chance, target)
    headers = authorization(chance.choice(("okta", "entra", "generic")))
    if chance.random() < 0.4:
        inside = [{"method": method, "path": target, "data": change}]
        return Input("unwelcome", "POST", "{BASE}/Bulk", headers, json_body({"Operations": inside}))
    text = json.dumps(change)
    if chance.random() < 0.2:
        text = json.dumps(THEFT[method])[: -chance.randrange(1, 9)]
    return Input("unwelcome", method, "{BASE}" + target, headers, text, forbidden=True)


def patch_that_ends_badly(chance: Random, target: str) -> tuple[str, Any]:
    """Return a PatchOp whose last operation is wrong."""
    bad = ({"op": "replace", "path": "nope[", "value": 1}, {"op": "jump"}, {"op": "remove", "path": "id"})
    return "PATCH", {"Operations": [STEAL, chance.choice(bad)]}


def write_that_ends_badly(chance: Random, target: str) -> tuple[str, Any]:
    """Return a change that is known to be wrong only after a part of it was written: it names what does not exist."""
    wrong = {"members": [{"value": "gone"}]} if "TEAM" in target else {"roles": [{"value": "gone:role"}]}
    if chance.random() < 0.5:
        return "PUT", {"userName": "stolen", "displayName": "stolen", **wrong}
    return "PATCH", {"Operations": [STEAL, {"op": "add", "value": wrong}]}
