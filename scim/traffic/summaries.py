"""Summaries of requests in plain words: rules over method, path, body and kind of client."""

import json
import re
from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl, unquote

from schemas.fields import TEXT_BOOLEANS
from schemas.tolerances import Tolerance
from scim.service.fuse import BLEW
from storage.traffic import TrafficEntry

BASE = re.compile(r"^/[^/?]+/scim/v2(?=[/?]|$)")
NAMES = {"okta": "Okta", "entra": "Entra"}
# What the User-Agent of a provider contains; Entra's is not documented, so none at all will do.
AGENTS = {"okta": re.compile("okta", re.I), "entra": re.compile("^$|microsoft|azure|entra", re.I)}
GUID = re.compile(r'"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"', re.I)
# Possessive quantifiers and a bounded look-ahead: anybody may send a filter, so matching must take linear time.
LOOK_UP = re.compile(r"\s*+(?:urn:[\w:.-]+:)?(\w++)(?=[\w.\[\] \"]{0,200}\seq\s)", re.I)
PLAIN = {
    ("GET", "serviceproviderconfig"): "asks what this server can do",
    ("GET", "schemas"): "reads the schemas",
    ("GET", "resourcetypes"): "reads the resource types",
    ("GET", "me"): "asks for /Me, which Perch does not have",
    ("POST", ".search"): "searches users and groups",
    ("GET", ""): "searches users and groups",
}
KINDS = {"users": "user", "groups": "group", "roles": "role"}
LOOKUPS = {
    "username": "looks the user up",
    "externalid": "looks the {kind} up by externalId",
    "displayname": "looks the {kind} up by name",
    "id": "looks the {kind} up by id",
    "emails": "looks the {kind} up by e-mail",
}


def below_base(path: str) -> str:
    """Return the part of a path and its query below the base URL: `/Users?count=1`."""
    return BASE.sub("", path, count=1) or "/"


def what_lacks(path: str) -> str:
    """Return what a request without a known key lacks: a valid key, or a base URL; without one no key is checked."""
    return "without a valid key" if BASE.match(path) else "with a wrong base URL"


def meaning(name: str) -> str:
    """Return the description of a tolerance with the section of its RFC; its name when this version has none."""
    return Tolerance[name].value if name in Tolerance.__members__ else name


def short_reason(reason: str) -> str:
    """Return why a request failed as lists show it: a refusal of the safety fuse in one short sentence."""
    before, blown, _ = reason.partition(BLEW)
    return f"{before}Refused by the safety fuse." if blown else reason


def of_entry(entry: TrafficEntry) -> str:
    """Return the summary of an entry, a sentence without its full stop."""
    try:
        body = json.loads(entry.request or "null")
    except (ValueError, RecursionError):
        body = None
    return in_words(entry.method, entry.path, body, _provider(entry), entry.tolerances, entry.keyName, entry.name)


def _provider(entry: TrafficEntry) -> str | None:
    """Return the kind of an entry's key where its User-Agent agrees, None without a valid key."""
    agent = AGENTS.get(entry.idp or "")
    if entry.key is None or agent is None:
        return None if entry.key is None else entry.idp
    return entry.idp if agent.search(entry.headers.get("User-Agent", "")) else "generic"


def in_words(
    method: str, path: str, body: Any, idp: str | None, tolerances: Collection[str] = (), key: str | None = None,
    name: str = "",
) -> str:  # fmt: skip
    """Return the summary of a request.

    `idp` is the kind of its key, None without a valid key; `key` the name of the key, `name` of the user or group.
    """
    nameless = "The client" if idp is not None else f"Somebody {what_lacks(path)}"
    who = NAMES.get(idp or "", f"The key '{key}'" if key else nameless)
    summary = _summary(method, path, body, idp, tolerances)
    if name:
        summary = re.sub(r"\bthe (user|group)\b", lambda found: name, summary)
    return f"{who} {summary}"


def _summary(method: str, path: str, body: Any, idp: str | None, tolerances: Collection[str]) -> str:
    place, _, query = below_base(path).partition("?")
    segments = [unquote(segment) for segment in place.split("/") if segment]
    endpoint = segments[0].lower() if segments else ""
    fields = {name.lower(): item for name, item in body.items()} if isinstance(body, dict) else {}
    if method == "POST" and endpoint == "bulk":
        count = len(_list(fields.get("operations")))
        return f"sends {count} operation{'' if count == 1 else 's'} at once" if fields else "sends operations at once"
    if (method, endpoint) in PLAIN:
        return PLAIN[method, endpoint]
    if endpoint not in KINDS:
        return "asks for something that is not here"
    kind = KINDS[endpoint]
    if method == "POST" and segments[1:] == [".search"]:
        return f"searches {kind}s"
    if method == "GET" and len(segments) == 1:
        asked = {name.lower(): value for name, value in parse_qsl(query)}
        return _listing(kind, asked, idp)
    return _writing(method, kind, fields, idp, tolerances)


def _listing(kind: str, asked: dict[str, str], idp: str | None) -> str:
    if filter_text := asked.get("filter"):
        return _look_up(kind, filter_text, idp)
    start, count = asked.get("startindex", "1"), asked.get("count")
    if kind == "role":
        return "discovers the roles"
    if "cursor" in asked and asked["cursor"]:
        return f"imports {kind}s, a further page"
    if start != "1":
        return f"imports {kind}s, from number {start} on"
    if idp == "okta" and kind == "user" and count in ("1", "2"):
        return "tests the connection"
    if idp == "okta" and kind == "group":
        return "lists the groups: a connection test or the start of an import"
    return f"imports {kind}s, the first page" if count else f"lists the {kind}s"


def _look_up(kind: str, text: str, idp: str | None) -> str:
    if idp == "entra" and kind == "user" and re.match(r"\s*username\s+eq\s", text, re.I) and GUID.search(text):
        return "tests the connection"
    if kind == "group" and re.search(r"\bmembers(\.value)?(\s+eq\b|\[)", text, re.I):
        return "asks whether the group has a member"
    found = LOOK_UP.match(text)
    words = LOOKUPS.get(found[1].lower() if found else "")
    if words is None:
        return f"searches {kind}s"
    pushing = " before pushing" if idp in NAMES else ""
    return words.format(kind=kind) + pushing


def _writing(method: str, kind: str, fields: dict[str, Any], idp: str | None, tolerances: Collection[str]) -> str:
    if method == "GET":
        return f"reads the {kind}" + (" before changing it" if idp == "okta" and kind != "role" else "")
    if method == "DELETE":
        return f"deletes the {kind}" + (", which was unlinked" if idp == "okta" and kind == "group" else "")
    if method == "PATCH":
        return _patching(kind, _list(fields.get("operations")))
    if method not in ("POST", "PUT"):
        return f"asks for {method}, which SCIM does not have"
    return _whole(method, kind, fields, tolerances)


def _whole(method: str, kind: str, fields: dict[str, Any], tolerances: Collection[str]) -> str:
    members = len(_list(fields.get("members")))
    with_members = f" with {_counted(members)}" if members else ""
    if method == "POST" and "REACTIVATED" in tolerances:
        return "creates the user, who is here deactivated, which re-activates it"
    inactive = kind == "user" and _truth(fields.get("active")) is False
    if method == "POST":
        return f"creates the {kind}" + (", deactivated" if inactive else with_members)
    if inactive:
        return "deactivates the user"
    if kind == "group":
        # A body that is too large, or of a request that is recorded briefly, is not known.
        return "replaces the group" + (with_members or (", without members" if fields else ""))
    return "updates the user with the whole profile" + (" and its roles" if fields.get("roles") else "")


def _patching(kind: str, operations: list[Any]) -> str:
    deeds = list(dict.fromkeys(deed for operation in operations for deed in _deeds(kind, operation)))
    return " and ".join(deeds[:3] or [f"changes the {kind}"]) + (" and more" if len(deeds) > 3 else "")


def _deeds(kind: str, operation: Any) -> list[str]:
    """Return the effects of a PATCH operation: one, or without a path one for each key of its value."""
    fields = {name.lower(): item for name, item in operation.items()} if isinstance(operation, dict) else {}
    op, value, path = str(fields.get("op", "")).lower(), fields.get("value"), fields.get("path")
    if isinstance(path, str) and path:
        return [_deed(kind, op, path, value)]
    pairs = value.items() if isinstance(value, dict) else ()
    return [_deed(kind, op, name, item) for name, item in pairs if name.lower() not in ("id", "schemas")]


def _deed(kind: str, op: str, path: str, value: Any) -> str:
    name = re.split(r"[.\[]", path.rpartition(":")[2] if path.lower().startswith("urn:") else path)[0]
    if kind == "user" and name.lower() == "active" and _truth(value) is not None:
        return "re-activates the user" if _truth(value) else "deactivates the user"
    if kind == "group" and name.lower() == "displayname":
        return "renames the group"
    if kind == "group" and name.lower() == "members":
        return _member_deed(op, path, value)
    if name.lower() == "roles":
        return f"{'takes roles from' if op == 'remove' else 'changes the roles of'} the {kind}"
    return f"{'clears' if op == 'remove' else 'changes'} {name} of the {kind}"


def _member_deed(op: str, path: str, value: Any) -> str:
    count = len(value) if isinstance(value, list) else 1
    if op == "add":
        return f"adds {_counted(count)} to the group"
    if op == "replace":
        return f"replaces the group's members by {count}" if value else "empties the group"
    if "[" not in path and not value:
        return "empties the group"
    return f"removes {_counted(count)} from the group"


def _counted(members: int) -> str:
    return f"{members} member" + ("" if members == 1 else "s")


def _truth(value: Any) -> bool | None:
    return TEXT_BOOLEANS.get(str(value).lower())


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
