"""A small SCIM server in memory for tests of the emulator, with defects that can be planted.

Without a defect it passes every check. `BrokenServer({"string numbers"})` has one; `DEFECTS` names all of them.
"""

import json
import random
import re
import time
from collections.abc import Iterable
from typing import Any

from werkzeug.wrappers import Request, Response

from scim.emulator.client import ScimClient
from scim.emulator.wsgi_adapter import wsgi_session
from tests.support.defects import DEFECTS

Document = dict[str, Any]
ORIGIN = "http://server.example"
KEY = "a-key-of-tests"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ROLE = "urn:okta:scim:schemas:core:1.0:Role"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
ROLES = ("managed:inbox_agent", "managed:admin")
FILTER = re.compile(r'(\w+) eq "(.*)"')


def okta_client(server: "BrokenServer") -> ScimClient:
    """Return a client of the server with its key."""
    return ScimClient(ORIGIN, KEY, wsgi_session(server, ORIGIN))


class ErrorResponse(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail


class BrokenServer:
    """A WSGI application with some of the defects; its base URL has no path."""

    def __init__(self, defects: Iterable[str] = (), people: int = 0) -> None:
        self.defects = frozenset(defects)
        assert self.defects <= DEFECTS, self.defects - DEFECTS
        self.stored: dict[str, dict[str, Document]] = {"Users": {}, "Groups": {}}
        self.former_names: set[str] = set()
        self.clock = 0
        self.slept = False
        for number in range(people):
            self._create("Users", self._person(number))

    def _person(self, number: int) -> Document:
        name = f"person{number}@example.com"
        emails = [{"value": name, "primary": True}]
        return {"userName": name, "name": {"givenName": "Some", "familyName": f"Body{number}"}, "emails": emails}

    def has(self, defect: str) -> bool:
        assert defect in DEFECTS, defect
        return defect in self.defects

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        return self._respond(request)(environ, start_response)

    def _respond(self, request: Request) -> Response:
        try:
            self._authenticate(request.headers.get("Authorization"))
            return self._dispatch(request)
        except ErrorResponse as error:
            return self._error(error)

    def _authenticate(self, sent: str | None) -> None:
        wrong_allowed = self.has("wrong key 200") or (sent is None and self.has("no key 200"))
        right = sent == f"Bearer {KEY}" or (sent == KEY and not self.has("bare key refused"))
        if not right and not wrong_allowed:
            raise ErrorResponse(403 if self.has("wrong key 403") else 401, "The key is wrong.")

    def _error(self, error: ErrorResponse) -> Response:
        status = error.status
        if status == 404 and self.has("404 as 500"):
            status = 500
        if self.has("html errors"):
            return Response("<h1>Something went wrong</h1>", status, content_type="text/html")
        body: Document = {"schemas": [ERROR], "status": str(status), "detail": error.detail}
        if self.has("numeric error status"):
            body["status"] = status
        if self.has("no detail"):
            del body["detail"]
        if self.has("no error schema"):
            del body["schemas"]
        return self._json(body, status)

    def _json(self, body: Document, status: int = 200) -> Response:
        kind = "text/html" if self.has("html media type") else "application/scim+json"
        return Response(json.dumps(body), status, content_type=kind)

    def _dispatch(self, request: Request) -> Response:
        kind, _, identifier = request.path.strip("/").partition("/")
        if kind in ("ResourceTypes", "Schemas", "Roles") and request.method == "GET":
            return self._discovery(kind, request)
        if kind not in self.stored or (kind == "Groups" and self.has("groups 404")):
            raise ErrorResponse(404, "There is nothing here.")
        if kind == "Groups" and not identifier and self.has("slow groups") and not self.slept:
            self.slept = True
            time.sleep(0.65)
        if not identifier:
            return self._list(kind, request) if request.method == "GET" else self._create(kind, self._body(request))
        if identifier.isdigit() and (self.has("digits 400") or self.has("digits 500")):
            raise ErrorResponse(400 if self.has("digits 400") else 500, "The number is too large.")
        held = self._get(kind, identifier)
        if request.method == "GET":
            if self.has("deactivated 404") and held.get("active") is False:
                raise ErrorResponse(404, "Not found.")
            return self._json(self._shown(kind, held))
        handler = {"PUT": self._put, "PATCH": self._patch, "DELETE": self._delete}[request.method]
        return handler(kind, held, request)

    def _body(self, request: Request) -> Document:
        if request.mimetype == "application/json" and self.has("json type refused"):
            raise ErrorResponse(415, "Send application/scim+json.")
        try:
            body = json.loads(request.get_data())
        except ValueError:
            raise ErrorResponse(500 if self.has("bad JSON 500") else 400, "The body is not JSON.") from None
        if self.has("nulls refused") and any(value is None for value in body.values()):
            raise ErrorResponse(400, "null is not allowed.")
        if self.has("password refused") and "password" in body:
            raise ErrorResponse(400, "password cannot be set.")
        return {
            name: value for name, value in body.items() if value not in (None, "", []) or name in ("members", "roles")
        }

    def _get(self, kind: str, identifier: str) -> Document:
        for held in self.stored[kind].values():
            if str(held["id"]) == identifier:
                return held
        raise ErrorResponse(404, "There is no such resource.")

    def _list(self, kind: str, request: Request) -> Response:
        if kind == "Users" and "filter" not in request.args and self.has("users 400"):
            raise ErrorResponse(400, "Give a filter.")
        found = list(self.stored[kind].values())
        text = request.args.get("filter")
        if text is not None:
            found = self._filtered(found, text)
        elif self.has("deactivated hidden"):
            found = [item for item in found if item.get("active", True)]
        if self.has("shuffled pages"):
            random.shuffle(found)
        if self.has("last modified first"):
            found.sort(key=lambda item: -item["modified"])
        start = max(int(request.args.get("startIndex", 1)), 1)
        count = int(request.args.get("count", 100))
        if start > len(found) > 0 and self.has("beyond the end 400"):
            raise ErrorResponse(400, "There is no such page.")
        return self._page(kind, found, start, count)

    def _page(self, kind: str, found: list[Document], start: int, count: int) -> Response:
        begin = 0 if self.has("second page repeats") and start > 1 else start - 1
        size = min(count, 50) if self.has("pages of 50") else 10**9 if self.has("list too long") else count
        page = found[begin : begin + size]
        total = len(page) if self.has("total of the page") else len(found)
        shown = [self._shown(kind, item) for item in page]
        if self.has("group members hidden in lists"):
            shown = [{name: value for name, value in item.items() if name != "members"} for item in shown]
        return self._json(self._list_response(shown, total, start, count))

    def _list_response(self, shown: list[Document], total: int, start: int, count: int) -> Document:
        size = count if self.has("itemsPerPage as asked") else len(shown)
        numbers: Document = {"totalResults": total, "startIndex": start, "itemsPerPage": size}
        if self.has("string numbers"):
            numbers = {name: str(value) for name, value in numbers.items()}
        body = {"schemas": [] if self.has("no ListResponse schema") else [LIST], **numbers, "Resources": shown}
        if self.has("no numbers"):
            del body["startIndex"], body["itemsPerPage"]
        if not shown and self.has("no Resources on empty"):
            del body["Resources"]
        if not shown and self.has("Resources null"):
            body["Resources"] = None
        return body

    def _filtered(self, found: list[Document], text: str) -> list[Document]:
        matched = FILTER.fullmatch(text)
        if self.has("filter ignored"):
            return found
        if matched is None:
            if self.has("bad filter accepted"):
                return found
            raise ErrorResponse(400, "The filter is not understood.")
        attribute, wanted = matched[1], json.loads(f'"{matched[2]}"')
        if attribute == "displayName" and self.has("groups not found by name"):
            return []
        if self.has("deactivated not found"):
            found = [item for item in found if item.get("active", True)]
        if self.has("look-up by beginning"):
            return [item for item in found if item.get(attribute, "").lower().startswith(wanted.lower())]
        if self.has("case-sensitive look-up"):
            return [item for item in found if item.get(attribute) == wanted]
        return [item for item in found if item.get(attribute, "").lower() == wanted.lower()]

    def _discovery(self, kind: str, request: Request) -> Response:
        if kind == "Schemas" and self.has("schemas 404"):
            raise ErrorResponse(404, "There are no schemas.")
        if kind == "ResourceTypes":
            if self.has("resource types without Resources"):
                return self._json({"schemas": [LIST], "totalResults": 1})
            shown = [{"name": "Role", "endpoint": "/Roles", "schema": ROLE}]
        else:
            named = {} if self.has("role without displayName") else {"displayName": "A role"}
            shown = [{"id": slug, **named} for slug in ROLES]
        total, count = len(shown), int(request.args.get("count", 100))
        page = [] if kind == "Roles" and count == 1 and self.has("entitlements empty") else shown[:count]
        body = self._list_response(page, total, 1, count)
        if self.has("entitlement page size"):
            body["itemsPerPage"] = total
        return self._json(body)

    def _create(self, kind: str, body: Document) -> Response:
        name = self._name(kind, body)
        holder = self._holder(kind, name)
        if holder is None and self.has("old name taken") and name in self.former_names:
            raise ErrorResponse(409, f"{name} is taken.")
        if holder is not None:
            if kind == "Users" and holder["active"] is False and not self.has("deactivation is final"):
                holder.update(self._checked(kind, body), active=True)
                return self._json(self._shown(kind, holder), 201)
            if self.has("duplicate 200"):
                return self._json(self._shown(kind, holder))
            if not self.has("duplicate accepted"):
                raise ErrorResponse(409, f"{name} is taken.")
        self.clock += 1
        identifier: Any = self.clock if self.has("numeric id") else f"id-{self.clock:05}"
        held = {"active": True, **self._checked(kind, body)} if kind == "Users" else self._checked(kind, body)
        self.stored[kind][str(identifier)] = {**held, "id": identifier, "modified": self.clock}
        if self.has("201 without body"):
            return Response(status=201)
        status = 200 if self.has("200 for created") else 201
        return self._json(self._shown(kind, self.stored[kind][str(identifier)]), status)

    def _name(self, kind: str, body: Document) -> str:
        name = body.get("userName" if kind == "Users" else "displayName")
        if not name and not self.has("no userName accepted"):
            raise ErrorResponse(400, "userName is required.")
        return str(name)

    def _holder(self, kind: str, name: str) -> Document | None:
        attribute = "userName" if kind == "Users" else "displayName"
        for held in self.stored[kind].values():
            taken = str(held.get(attribute))
            if taken == name or (taken.lower() == name.lower() and not self.has("case-variant duplicates")):
                return held
        return None

    def _checked(self, kind: str, body: Document) -> Document:
        """Return a body as it is stored."""
        found = {name: value for name, value in body.items() if name not in ("id", "meta", "groups", "modified")}
        if not self.has("password returned"):
            found.pop("password", None)
        for defect, name in (("externalId lost", "externalId"), ("emails lost", "emails")):
            if self.has(defect):
                found.pop(name, None)
        if self.has("userName lower-cased") and "userName" in found:
            found["userName"] = found["userName"].lower()
        if "roles" in found:
            found["roles"] = self._roles(found["roles"] or [])
        for member in found.get("members") or []:
            if self.has("member without type refused") and "type" not in member:
                raise ErrorResponse(400, "A member needs a type.")
        return found

    def _roles(self, sent: list[Any]) -> list[str]:
        if self.has("roles refused") and any(isinstance(role, str) for role in sent):
            raise ErrorResponse(400, "roles must be objects.")
        if self.has("role objects refused") and any(not isinstance(role, str) for role in sent):
            raise ErrorResponse(400, "roles must be strings.")
        if self.has("roles without effect"):
            return []
        found = [role if isinstance(role, str) else role["value"] for role in sent]
        return found[:1] if self.has("only first role") else found

    def _shown(self, kind: str, held: Document) -> Document:
        found = {name: value for name, value in held.items() if name != "modified" and value != []}
        found["schemas"] = [USER if kind == "Users" else GROUP]
        found["meta"] = {"resourceType": kind[:-1]}
        if self.has("roles as objects") and "roles" in found:
            found["roles"] = [{"value": role} for role in found["roles"]]
        if kind == "Groups":
            found.setdefault("members", [])
            if self.has("member list empty"):
                found["members"] = []
        return found

    def _put(self, kind: str, held: Document, request: Request) -> Response:
        sent = json.loads(request.get_data())
        body = self._body(request)
        holder = self._holder(kind, self._name(kind, body))
        self._check_put(kind, held, sent, holder)
        if self.has("PUT without effect"):
            return self._json(self._shown(kind, {**held, **self._checked(kind, body)}))
        kept = self._checked(kind, body)
        if kind == "Users":
            kept["active"] = self._active(held, sent)
            self._keep_roles(kept, held, sent)
            if self.has("PUT userName without effect"):
                kept["userName"] = held["userName"]
            if self.has("deactivation blanks") and kept["active"] is False:
                kept = {"userName": kept["userName"], "active": False}
        elif self.has("members merged on PUT"):
            kept["members"] = [*held.get("members", []), *(kept.get("members") or [])]
        self._replace(kind, held, kept)
        return self._json(self._shown(kind, held))

    def _check_put(self, kind: str, held: Document, sent: Document, holder: Document | None) -> None:
        if self.has("PUT refused"):
            raise ErrorResponse(405, "Use PATCH.")
        if self.has("PUT refuses readOnly") and sent.get("meta"):
            raise ErrorResponse(400, "meta is readOnly.")
        if kind == "Groups" and self.has("own name refused") and holder is held:
            raise ErrorResponse(409, "The name is taken.")
        if holder not in (None, held) and not self.has("PUT duplicate accepted"):
            raise ErrorResponse(409, "The name is taken.")
        if self.has("members null refused") and "members" in sent and sent["members"] is None:
            raise ErrorResponse(400, "members must be an array.")
        self._check_activation(held, sent.get("active"))

    def _check_activation(self, held: Document, wanted: Any) -> None:
        refuses = self.has("reactivation refused") or self.has("deactivation is final")
        if refuses and held.get("active") is False and wanted is True:
            raise ErrorResponse(409, "The user exists and is deactivated.")

    def _active(self, held: Document, sent: Document) -> bool:
        if "active" not in sent:
            if self.has("PUT without active deactivates"):
                return False
            return True if self.has("PUT without active activates") else bool(held["active"])
        return bool(held["active"]) if self.has("PUT of active without effect") else bool(sent["active"])

    def _keep_roles(self, kept: Document, held: Document, sent: Document) -> None:
        left = "roles" not in sent and self.has("roles kept when absent")
        null = "roles" in sent and sent["roles"] is None and self.has("roles kept on null")
        empty = sent.get("roles") == [] and self.has("roles kept on []")
        if left or null or empty:
            kept["roles"] = held.get("roles", [])

    def _replace(self, kind: str, held: Document, kept: Document) -> None:
        attribute = "userName" if kind == "Users" else "displayName"
        if held.get(attribute) != kept.get(attribute):
            self.former_names.add(str(held.get(attribute)))
        identifier = held["id"]
        self.clock += 1
        held.clear()
        held.update(kept, id=identifier, modified=self.clock)

    def _patch(self, kind: str, held: Document, request: Request) -> Response:
        if self.has("PATCH refused"):
            raise ErrorResponse(501, "PATCH is not supported.")
        changed = json.loads(json.dumps(held))
        for operation in self._body(request)["Operations"]:
            self._operate(kind, changed, operation)
        if not self.has("PATCH without effect"):
            self._replace(kind, held, {name: value for name, value in changed.items() if name != "id"})
        if self.has("PATCH answers nothing"):
            return Response(status=202)
        return self._json(self._shown(kind, held)) if kind == "Users" else Response(status=204)

    def _operate(self, kind: str, held: Document, operation: Document) -> None:
        path: str | None = operation.get("path")
        value: Any = operation.get("value")
        if path is None:
            self._operate_without_path(kind, held, value)
        elif operation["op"] == "remove":
            removed = re.fullmatch(r'members\[value eq "(.*)"\]', path)
            assert removed, path
            left = [member for member in held.get("members") or [] if member["value"] != removed[1]]
            held["members"] = [] if self.has("PATCH remove empties") else left
        elif operation["op"] == "add" and not self.has("PATCH add replaces"):
            held["members"] = [*(held.get("members") or []), *value]
        else:
            held["members"] = value

    def _operate_without_path(self, kind: str, held: Document, value: Any) -> None:
        if self.has("PATCH needs a path"):
            raise ErrorResponse(400, "path is required.")
        if "id" in value and self.has("PATCH id refused"):
            raise ErrorResponse(400, "id is readOnly.")
        self._check_activation(held, value.get("active"))
        taken = {name: it for name, it in value.items() if name not in ("id", "active")}
        if "active" in value and not self.has("PATCH of active without effect"):
            taken["active"] = value["active"]
        held.update(self._checked(kind, taken))

    def _delete(self, kind: str, held: Document, request: Request) -> Response:
        if kind == "Users" and self.has("people cannot be deleted"):
            raise ErrorResponse(405, "Okta never deletes people.")
        if self.has("delete 500"):
            raise ErrorResponse(500, "Something went wrong.")
        if kind == "Groups" and self.has("group deletes people"):
            for member in held.get("members") or []:
                self.stored["Users"].pop(str(member["value"]), None)
        if not self.has("delete without effect"):
            self.stored[kind].pop(str(held["id"]))
        return Response(status=204)
