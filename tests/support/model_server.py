"""A SCIM server in memory that Microsoft's tests and the profiles accept; `tamper` plants a defect.

With `strict` it refuses what the interop profile wants refused; without, it takes all that Entra sends.
"""

import copy
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs

from werkzeug.wrappers import Request, Response

from scim.emulator.client import ScimClient
from scim.emulator.oauth import OAuthClient
from scim.emulator.wsgi_adapter import wsgi_session

Document = dict[str, Any]
ORIGIN, KEY = "http://model.example", "a-key-of-tests"
BASE = f"{ORIGIN}/scim"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
LIMIT = 100
NAME = ("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")
ADDRESS = ("formatted", "streetAddress", "locality", "region", "postalCode", "country")
KINDS = {"emails": ["work", "home"], "phoneNumbers": ["work", "mobile", "fax"], "addresses": ["work", "home"]}
SIMPLE = ("displayName", "nickName", "title", "userType", "preferredLanguage", "locale", "timezone", "externalId")
VALUE_PATH = re.compile(r"(\w+)\[(.*)\](?:\.(\w+))?")
COMPARISON = re.compile(r'([\w.:]+) eq (".*"|true|false)')
IGNORE_CASE = ("username", "displayname", "emails.value")


def attribute(name: str, kind: str = "string", parts: Iterable[Document] = (), **more: Any) -> Document:
    found = {"name": name, "type": kind, "multiValued": False, "required": False, "mutability": "readWrite", **more}
    return {**found, "subAttributes": list(parts)} if parts else found


def several(name: str, parts: Iterable[str], kinds: list[str]) -> Document:
    inner = [*map(attribute, parts), attribute("type", canonicalValues=kinds), attribute("primary", "boolean")]
    return attribute(name, "complex", inner, multiValued=True)


SCHEMAS = {
    USER: [
        attribute("userName", required=True),
        attribute("name", "complex", map(attribute, NAME)),
        *map(attribute, SIMPLE),
        attribute("profileUrl", "reference"),
        attribute("active", "boolean"),
        *(several(name, ADDRESS if name == "addresses" else ["value"], kinds) for name, kinds in KINDS.items()),
    ],
    GROUP: [
        attribute("displayName", required=True),
        attribute("externalId"),
        attribute(
            "members", "complex", [attribute("value"), attribute("type", canonicalValues=["User"])], multiValued=True
        ),
    ],
    ENTERPRISE: [
        *map(attribute, ("employeeNumber", "department", "costCenter", "organization", "division")),
        attribute("manager", "complex", [attribute("value")]),
    ],
}
CONFIG: Document = {
    "patch": {"supported": True},
    "bulk": {"supported": True},
    "filter": {"supported": True, "maxResults": LIMIT},
    "pagination": {"cursor": True, "index": True},
    "authenticationSchemes": [{"type": "oauthbearertoken"}],
}


class Refusal(Exception):
    def __init__(self, status: int, detail: str, scim_type: str = "") -> None:
        self.status, self.detail, self.scim_type = status, detail, scim_type


class Ask:
    """A request as defects see and change it."""

    def __init__(self, method: str, path: str, query: dict[str, str], text: str, key: str = "") -> None:
        self.method, self.path, self.query, self.text, self.key = method, path, query, text, key

    @property
    def body(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError:
            raise Refusal(400, "The body is not JSON.", "invalidSyntax") from None


# A defect gets the request and the function that answers it, and returns status, document and headers.
Answer = tuple[int, Any]
Tamper = Callable[[Ask, Callable[[Ask], Answer]], Answer]


class ModelServer:
    def __init__(self, strict: bool = False, tamper: Tamper | None = None) -> None:
        self.strict, self.tamper = strict, tamper
        self.stored: dict[str, dict[str, Document]] = {"Users": {}, "Groups": {}}
        self.count = 0

    def client(self, dialect: str) -> ScimClient:
        return ScimClient(BASE, KEY, wsgi_session(self, ORIGIN), dialect)

    def oauth(self) -> OAuthClient:
        return OAuthClient(f"{ORIGIN}/token", "c", "s", "signed", wsgi_session(self, ORIGIN))

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        query, text = dict(request.args.items()), request.get_data(as_text=True)
        ask = Ask(
            request.method, request.path.removeprefix("/scim"), query, text, request.headers.get("Authorization", "")
        )
        status, document = self.tamper(ask, self.answer) if self.tamper else self.answer(ask)
        kind = "application/scim+json"
        if isinstance(document, str):
            kind = "text/html"
        elif isinstance(document, dict):
            kind = document.pop("Content-Type", kind)
        content = b"" if document is None else json.dumps(document).encode()
        return Response(content, status, content_type=kind)(environ, start_response)

    def answer(self, ask: Ask) -> Answer:
        try:
            return self.dispatch(ask)
        except Refusal as refusal:
            body = {"schemas": [ERROR], "status": str(refusal.status), "detail": refusal.detail}
            return refusal.status, body | ({"scimType": refusal.scim_type} if refusal.scim_type else {})

    def dispatch(self, ask: Ask) -> Answer:
        if ask.path == "/token":
            return self.token({name: values[0] for name, values in parse_qs(ask.text).items()})
        if ask.path == "/.well-known/oauth-authorization-server/scim":
            return 200, {"token_endpoint": f"{ORIGIN}/token"}
        if ask.key not in (f"Bearer {KEY}", "Bearer token"):
            raise Refusal(401, "The key is wrong.")
        kind, _, identifier = ask.path.strip("/").partition("/")
        if kind == "Bulk":
            done = [
                self.dispatch(Ask(o["method"], o["path"], {}, json.dumps(o["data"]), ask.key))
                for o in ask.body["Operations"]
            ]
            return 200, {"Operations": [{"status": str(status)} for status, _ in done]}
        if kind in ("ServiceProviderConfig", "Schemas", "ResourceTypes"):
            return 200, self.discovery(kind)
        if kind not in self.stored:
            raise Refusal(404, "There is nothing here.")
        if not identifier:
            return self.list(kind, ask.query) if ask.method == "GET" else (201, self.create(kind, ask.body))
        return self.one(kind, identifier, ask)

    def token(self, form: Document) -> Answer:
        if form.get("client_secret") != "s" and form.get("client_assertion") != "signed":
            return 401, {"error": "invalid_client"}
        return 200, {"access_token": "token", "token_type": "Bearer", "expires_in": 3600, "scope": "scim"}

    def discovery(self, kind: str) -> Document:
        if kind == "ServiceProviderConfig":
            return copy.deepcopy(CONFIG | {"interopProfileConformant": self.strict})
        if kind == "Schemas":
            found = [{"id": urn, "attributes": attributes} for urn, attributes in SCHEMAS.items()]
        else:
            kinds: Any = (("User", USER, [{"schema": ENTERPRISE}]), ("Group", GROUP, []))
            found = [
                {"id": name, "name": name, "endpoint": f"/{name}s", "schema": urn, "schemaExtensions": more}
                for name, urn, more in kinds
            ]
        return copy.deepcopy(page(found, len(found), 1))

    def one(self, kind: str, identifier: str, ask: Ask) -> Answer:
        held = self.stored[kind].get(identifier)
        if held is None:
            raise Refusal(404, "There is no such resource.")
        if ask.method == "GET":
            return 200, shown(held, ask.query)
        if ask.method == "DELETE":
            del self.stored[kind][identifier]
            return 204, None
        changed = json.loads(json.dumps(held))
        for operation in ask.body["Operations"]:
            Change(self, kind, changed).apply(operation)
        self.check(kind, changed, identifier)
        self.stored[kind][identifier] = changed
        return 200, shown(changed, {})

    def create(self, kind: str, body: Document) -> Document:
        self.known(kind, body)
        self.check(kind, body, "")
        self.count += 1
        identifier = f"Id-{self.count:05}"
        defaults: Document = {"active": True} if kind == "Users" else {}
        held = {
            **defaults,
            **{name: value for name, value in body.items() if value not in (None, "", [])},
            "id": identifier,
        }
        self.stored[kind][identifier] = truth(held)
        return shown(held, {})

    def names(self, kind: str) -> set[str]:
        core = USER if kind == "Users" else GROUP
        return {"id", "schemas", "meta", core, ENTERPRISE} | {item["name"] for item in SCHEMAS[core]}

    def known(self, kind: str, names: Iterable[str]) -> None:
        unknown = set(names) - self.names(kind)
        if self.strict and unknown:
            raise Refusal(400, f"Unknown: {', '.join(unknown)}", "invalidSyntax")

    def check(self, kind: str, body: Document, identifier: str) -> None:
        name = "userName" if kind == "Users" else "displayName"
        if not body.get(name):
            raise Refusal(400, f"{name} is required.", "invalidValue")
        for other in self.stored[kind].values():
            if other["id"] != identifier and other[name].casefold() == body[name].casefold():
                raise Refusal(409, f"{name} is taken.", "uniqueness")

    def list(self, kind: str, query: dict[str, str]) -> Answer:
        found = [
            item
            for item in self.stored[kind].values()
            if "filter" not in query or self.matches(kind, item, query["filter"])
        ]
        start, count = int(query.get("startIndex", 1)), min(int(query.get("count", LIMIT)), LIMIT)
        return 200, page([shown(item, query) for item in found[start - 1 : start - 1 + count]], len(found), start)

    def matches(self, kind: str, item: Any, text: str, prefix: str = "") -> bool:
        parts = re.split(r" and (?![^\[]*\])", text)
        if len(parts) > 1:
            return all(self.matches(kind, item, part, prefix) for part in parts)
        inner = VALUE_PATH.fullmatch(text)
        if inner:
            return any(self.matches(kind, each, inner[2], f"{inner[1]}.") for each in item.get(inner[1]) or ())
        compared = COMPARISON.fullmatch(text)
        if compared is None:
            raise Refusal(400, "The filter is not understood.", "invalidFilter")
        path, wanted = compared[1], json.loads(compared[2])
        if not prefix and path.split(".")[0] not in self.names(kind):
            raise Refusal(400, f"Unknown: {path}", "invalidFilter")
        return any(same(f"{prefix}{path}", found, wanted) for found in values(item, path))


def page(found: list[Document], total: int, start: int) -> Document:
    return {
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(found),
        "Resources": found,
    }


def shown(held: Document, query: dict[str, str]) -> Document:
    return {
        name: value for name, value in json.loads(json.dumps(held)).items() if name != query.get("excludedAttributes")
    }


def truth(value: Any) -> Any:
    """The text of booleans becomes boolean, everywhere."""
    if isinstance(value, dict):
        return {name: truth(item) for name, item in value.items()}
    return (
        [truth(item) for item in value]
        if isinstance(value, list)
        else {"True": True, "False": False}.get(value, value)
        if isinstance(value, str)
        else value
    )


def values(item: Any, path: str) -> Iterator[Any]:
    head, _, rest = path.partition(".")
    found = item.get(head) if isinstance(item, dict) else None
    for each in found if isinstance(found, list) else [found]:
        yield from values(each, rest) if rest else [each]


def same(path: str, found: Any, wanted: Any) -> bool:
    if path.lower() in IGNORE_CASE and isinstance(found, str):
        return found.casefold() == str(wanted).casefold()
    return bool(found == truth(wanted)) or (found is True and wanted is True)


class Change:
    """One PATCH operation on one document."""

    def __init__(self, server: ModelServer, kind: str, document: Document) -> None:
        self.server, self.kind, self.document = server, kind, document

    def apply(self, operation: Document) -> None:
        op, path, value = operation["op"].lower(), operation.get("path"), truth(operation.get("value"))
        if path is None and self.server.strict:
            raise Refusal(400, "path is required.", "invalidSyntax")
        for name, given in value.items() if path is None else [(path, value)]:
            self.write(op, name, given)

    def write(self, op: str, path: str, value: Any) -> None:
        holder = self.document
        if path.startswith("urn:"):
            urn, _, path = path.rpartition(":")
            holder = holder.setdefault(urn, {})
        else:
            self.server.known(self.kind, [re.split(r"[.\[]", path)[0]])
        typed = VALUE_PATH.fullmatch(path)
        if typed:
            self.write_elements(op, holder, typed, value)
            return
        *parents, name = path.split(".")
        for parent in parents:
            holder = holder.setdefault(parent, {})
        self.put(op, holder, name, value)

    def write_elements(self, op: str, holder: Document, typed: re.Match[str], value: Any) -> None:
        items = holder.setdefault(typed[1], [])
        found = [item for item in items if self.server.matches(self.kind, item, typed[2], f"{typed[1]}.")]
        if op == "remove":
            holder[typed[1]] = [item for item in items if item not in found]
            return
        if not found:
            name, wanted = re.match(r"(\w+) eq (.*)", typed[2]).groups()  # type: ignore[union-attr]
            found = [{name: truth(json.loads(wanted))}]
            items.extend(found)
        for item in found:
            if typed[3]:
                self.put(op, item, typed[3], value)
            else:
                item.update(value)

    def put(self, op: str, holder: Document, name: str, value: Any) -> None:
        if name == "manager" and op != "remove":
            value = {"value": value} if isinstance(value, str) else value
            value = value if value and value.get("value") else None
        old = holder.get(name)
        if op == "remove" and isinstance(value, list) and isinstance(old, list):
            gone = {item["value"] for item in value}
            holder[name] = [item for item in old if item["value"] not in gone]
        elif op == "remove" or value in (None, ""):
            holder.pop(name, None)
        elif op == "add" and isinstance(old, list):
            holder[name] = [*old, *(item for item in value if item not in old)]
        elif isinstance(old, dict) and isinstance(value, dict) and (op == "add" or not self.server.strict):
            old.update(value)
        else:
            holder[name] = value
