"""Defects planted into the model server, each with the check that is the first to find it."""

import re
from collections.abc import Callable
from typing import Any

from tests.support.model_server import ERROR, GROUP, LIST, USER, Answer, Ask, Tamper

Edit = Callable[[Any], Any]
EMPTY = (200, {"schemas": [LIST], "totalResults": 0, "startIndex": 1, "itemsPerPage": 0, "Resources": []})
ONE = (200, {"schemas": [LIST], "totalResults": 1, "startIndex": 1, "itemsPerPage": 1, "Resources": [{"id": "x"}]})


def line(ask: Ask) -> str:
    query = "&".join(f"{name}={value}" for name, value in ask.query.items())
    return f"{ask.method} {ask.path}{'?' + query if query else ''} {ask.text}"


def on(pattern: str, how: int | None | Answer | Edit, nth: int = 0, first: int = 1) -> Callable[[], Tamper]:
    """A defect of the requests whose line matches, all of them, the nth alone, or from the first on.

    They are refused with a status, answered without any effect (None), answered so, or the answer is edited.
    """

    def plant() -> Tamper:
        seen = 0

        def tamper(ask: Ask, answer: Callable[[Ask], Answer]) -> Answer:
            nonlocal seen
            seen += bool(re.match(pattern, line(ask)))
            if not re.match(pattern, line(ask)) or (nth and seen != nth) or seen < first:
                return answer(ask)
            if how is None:
                return 204, None
            if isinstance(how, int):
                return how, {"schemas": [ERROR], "status": str(how), "detail": "A planted defect."}
            if isinstance(how, tuple):
                return how
            status, document = answer(ask)
            return how((status, document)) or (status, document)

        return tamper

    return plant


def edit(pattern: str, change: Callable[[Any], object]) -> Callable[[], Tamper]:
    """A defect that changes the documents in answers."""

    def changed(came: Answer) -> None:
        change(came[1])

    return on(pattern, changed)


def rewrite(pattern: str, old: str, new: str) -> Callable[[], Tamper]:
    """A defect that understands requests otherwise."""

    def plant() -> Tamper:
        def tamper(ask: Ask, answer: Callable[[Ask], Answer]) -> Answer:
            if re.match(pattern, line(ask)):
                ask.text = re.sub(old, new, ask.text)
                ask.query = {name: re.sub(old, new, value) for name, value in ask.query.items()}
            return answer(ask)

        return tamper

    return plant


def patch_deletes() -> Tamper:
    def tamper(ask: Ask, answer: Callable[[Ask], Answer]) -> Answer:
        if ask.method == "PATCH" and '"active", "value": false' in ask.text:
            return answer(Ask("DELETE", ask.path, {}, "", ask.key))
        return answer(ask)

    return tamper


def without(urn: str, name: str) -> Callable[[], Tamper]:
    """A defect of /Schemas: an attribute is missing."""

    def change(document: Any) -> None:
        for schema in document["Resources"]:
            if schema["id"] == urn:
                schema["attributes"] = [item for item in schema["attributes"] if item["name"] != name]

    return edit("GET /Schemas", change)


def no_types(document: Any) -> None:
    for schema in document["Resources"]:
        for attribute in schema["attributes"]:
            for part in attribute.get("subAttributes", ()):
                part.pop("canonicalValues", None)


def cut(document: Any) -> None:
    document["Resources"] = document["Resources"][:50]


def every(**values: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for item in document["Resources"]:
            item.update(values)

    return change


def where(name: str, ending: str, **values: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        if isinstance(document, dict) and str(document.get(name, "")).endswith(ending):
            document.update(values)

    return change


def holds(attribute: str, **values: Any) -> Callable[[Any], None]:
    return lambda document: document[attribute].update(values)


MEMBERS = {"members": [{"value": "x"}]}
FIRST = r'\S+ \{"schemas": \[[^\]]*\], "Operations": \[\{'
REPLACE_MANAGER = FIRST + r'"op": "replace", "path": "urn[^"]*manager", "value": \{"value": '
CONFIG = "GET /ServiceProviderConfig"
BURST = r"GET /Users\?startIndex=1&count=1 "

ENTRA: dict[str, Callable[[], Tamper]] = {
    "connection.test_connection": on(r'GET /Users\?filter=userName eq "[0-9a-f-]{36}"', 404),
    "gallery.create_user": on("POST /Users", 500),
    "gallery.update_user": on('PATCH /Users.*"title"', None),
    "gallery.disable_user": on('PATCH /Users.*"active"', None),
    "gallery.delete_user": on("DELETE /Users", None),
    "gallery.user_update_manager": on("PATCH /Users.*manager", None),
    "gallery.restore_user": edit(
        r"GET /Users\?filter",
        lambda found: found.update(Resources=[item for item in found["Resources"] if item["active"]]),
    ),
    "gallery.pod_user": on(r"POST /Users.*\.demanded@", 500),
    "gallery.create_group": on("POST /Groups", 500),
    "gallery.update_group": on('PATCH /Groups.*"displayName".*new', None),
    "gallery.delete_group": on("DELETE /Groups", None),
    "gallery.group_update_add_member": on('PATCH /Groups.*"[Aa]dd"', None),
    "gallery.group_update_remove_member": rewrite('PATCH /Groups.*"Remove"', r'"value": \[.*?\]', '"x": 0'),
    "gallery.pod_group": on("POST /Groups.*demanded", 500),
    "gallery.restore_group": on("POST /Groups.*restored", 409, nth=2),
    "gallery.schema_discoverability": without(USER, "title"),
    "gallery.scim_null_update": on('PATCH .*"value": null', 500),
    "gallery.scim_user_create": on(r"POST /Users.*\.posted@", 500),
    "gallery.scim_user_update": on("PATCH /Users.*upd-", 500),
    "gallery.scim_group_create": on("POST /Groups.*posted", 500),
    "gallery.scim_group_update": on("PATCH /Groups.*upd-", None),
    "gallery.validate_credentials": edit("POST /token .*client_secret", lambda found: found.update(expires_in=60)),
    "gallery.federated_identity": on("POST /token .*client_assertion", 400),
    "gallery.scim_user_pagination": edit(r"GET /Users\?startIndex=6", lambda found: found.update(startIndex=1)),
    "gallery.scim_group_pagination": edit(r"GET /Groups\?startIndex=6", lambda found: found.update(startIndex=1)),
    "gallery.scim_update_manager": on('PATCH /Users.*manager", "value": ""', None),
    "validator.create_user": rewrite(r"POST /Users.*\.validator@", '"nickName": ', '"x": '),
    "validator.create_user_again": on(r"POST /Users.*\.validator@", (201, {"id": "x"}), nth=2),
    "validator.filter_user": on(r"GET /Users\?filter.*\.validator@", EMPTY, nth=2),
    "validator.filter_user_missing": on(r"GET /Users\?filter=.*nobody", 404),
    "validator.filter_user_case": on(r'GET /Users\?filter=userName eq "eNTRA', EMPTY),
    "validator.replace_attributes": on('PATCH /Users.*"replace", "path": "nickName"', None),
    "validator.update_user_name": on(r'PATCH /Users.*"value": \{"userName"', 400),
    "validator.disable_user": on('PATCH /Users.*"path": "active", "value": false', None),
    "validator.add_attributes": on('PATCH /Users.*"add", "path": "nickName"', None),
    "validator.add_manager": on(f'PATCH {FIRST}"op": "add", "path": "urn[^"]*manager"', None),
    "validator.replace_manager": on(f'PATCH {REPLACE_MANAGER}"I', None),
    "validator.remove_manager": on(f'PATCH {REPLACE_MANAGER}""', None),
    "validator.delete_user": on("DELETE /Users", None, nth=2),
    "validator.create_group": on("POST /Groups.*validator", lambda came: (200, came[1])),
    "validator.create_group_again": on("POST /Groups.*validator", (201, {"id": "x"}), nth=2),
    "validator.get_group": edit(r"GET /Groups/\S+\?excluded", lambda found: found.update(MEMBERS)),
    "validator.filter_group_without_members": edit(r"GET /Groups\?excludedAttributes.*crowd", every(**MEMBERS)),
    "validator.filter_group": on(r'GET /Groups\?filter=displayName eq "Entra test .*crowd', EMPTY),
    "validator.filter_group_missing": on(r'GET /Groups\?excluded.*none"', 404),
    "validator.filter_group_case": on(r'GET /Groups\?filter=displayName eq "eNTRA', EMPTY),
    "validator.replace_group_attributes": on(r'PATCH /Groups.*"value": \{"displayName"', 400),
    "validator.update_group_external_id": on(r'PATCH /Groups(?!.*upd-).*"externalId"', None),
    "validator.add_member": on('PATCH /Groups.*"op": "add", "path": "members"', None),
    "validator.remove_member": on('PATCH /Groups.*"remove"', None),
    "validator.delete_group": on("DELETE /Groups", None, nth=3),
    "preview.several_attributes": on('PATCH /Users.*"remove"', 400),
    "preview.one_attribute": on('PATCH /Users.*"value": "Two"', None),
    "preview.delete_unknown_user": on(r"DELETE /Users/\w+-gone", None),
    "preview.delete_user_twice": on("DELETE /Users", None, nth=5),
    "preview.add_and_remove_member": on('PATCH /Groups.*"add".*"remove"', 400),
    "preview.delete_unknown_group": on(r"DELETE /Groups/\w+-gone", None),
    "preview.delete_group_twice": on("DELETE /Groups", None, nth=6),
    "limits.rate": on(BURST, 429, first=20),
}  # fmt: skip
INTEROP: dict[str, Callable[[], Tamper]] = {
    "5.1-endpoints": on("GET /ResourceTypes", 404),
    "5.1-exact": edit(r"POST /Users.*\.exact@", lambda found: found.pop("nickName")),
    "5.1-schemas": edit("GET /ResourceTypes", every(schema="urn:x")),
    "5.1-ids": edit("GET /ResourceTypes", every(id="x")),
    "5.2-user-name": on(r'GET /Users\?filter=userName eq "cLIENT', EMPTY),
    "5.2-external-id": on(r'GET /Users\?filter=externalId eq "eXT', ONE),
    "5.2-id": on("GET /Users/iD-", (200, {"id": "x"})),
    "5.3-attribute": on("POST .*unknownThing", (201, {"id": "x"})),
    "5.3-patch": on("PATCH .*unknownThing", None),
    "5.3-schema": on("POST .*urn:example:unknown", (201, {"id": "x"})),
    "5.4-types": edit("GET /Schemas", no_types),
    "6.1-unique": edit("GET /ResourceTypes", every(endpoint="/Users")),
    "6.1-by-id": on("GET /Users/Client-Test", (200, {"id": "x"})),
    "6.2-media-type": edit(r"GET /Users/\w+-gone", lambda found: found.update({"Content-Type": "application/json"})),
    "6.3-eq": on(r'GET /Users\?filter=userName eq "Client[^"]*plain@example.com"&', EMPTY),
    "6.3-and": on(r"GET /Users\?.*and active eq false", ONE),
    "6.3-unknown": on(r"GET /Users\?filter=unknownThing", EMPTY),
    "6.4-paging": rewrite(r"GET /Users\?startIndex=2&count=1 ", "2", "1"),
    "6.4-count": edit(r"GET /Users\?count=100 ", cut),
    "6.4-over": edit(r"GET /Users\?count=1000000", lambda found: found.update(Resources=found["Resources"] * 2)),
    "6.4-default": edit("GET /Users $", cut),
    "6.4-limit": edit(CONFIG, holds("filter", maxResults=0)),
    "6.5-patch": on('PATCH /Users.*"Changed"', 501),
    "6.5.1.1-path": on(f'PATCH {FIRST}"op": "replace", "value"', None),
    "6.5.2.1-simple": on('PATCH .*"op": "add", "path": "displayName"', None),
    "6.5.2.1-replace": rewrite('PATCH .*"replace", "path": "name"', "replace", "add"),
    "6.5.2.1-add": rewrite('PATCH .*"add", "path": "name"', '"add"', '"replace"'),
    "6.5.2.2-replace": rewrite('PATCH .*"replace", "path": "phoneNumbers"', "replace", "add"),
    "6.5.2.2-add": rewrite('PATCH .*"add", "path": "phoneNumbers"', '"add"', '"replace"'),
    "6.6-patch": patch_deletes,
    "6.6-delete": on("DELETE /Users", None),
    "6.6-lists": on(r"GET /Users\?filter.*\.deleted@", ONE),
    "6.6-name": on(r"POST /Users.*\.deleted@", 409, nth=2),
    "6.9.1-post": on(r"POST /Users.*\.plain@", 409, nth=2),
    "6.9.1-patch": on('PATCH /Users.*"userName"', 400),
    "7.2-basic": edit(CONFIG, lambda found: found.update(authenticationSchemes=[{"type": "httpbasic"}])),
    "4-claim": edit(CONFIG, lambda found: found.update(interopProfileConformant="yes")),
}  # fmt: skip
IPSIE: dict[str, Callable[[], Tamper]] = {
    "4.1-client": on("POST /token .*client_assertion", 400),
    "4.1-scope": edit("POST /token", lambda found: found.update(scope="scim admin")),
    "4.1-metadata": on(r"GET /\.well-known", 404),
    "4.3-rate": on(BURST, 503, first=20),
    "4.3-bulk": on("POST /Bulk", 501),
    "4.3-several": on("PATCH .*Augusta", None),
    "5.1-active": on('PATCH .*"active", "value": true', None),
    "5.2-delete": on("DELETE /Users", None, nth=2),
    "5.3-get": edit("GET /Users/", where("userName", ".known@example.com", id="x")),
    "5.4-filter-name": on(r'GET /Users\?filter=userName eq "[^"]*\.filtered@', EMPTY),
    "5.4-filter-external": on(r'GET /Users\?filter=externalId eq "filtered', EMPTY),
    "5.4-filter-email": on(r"GET /Users\?filter=emails\[value", EMPTY),
    "5.4-filter-work": on(r"GET /Users\?filter=emails\[type", 400),
    "6-write": on('PATCH .*"Updated"', None),
    "6.1.1-attributes": without(USER, "displayName"),
    "6.1.2-credentials": edit(
        "GET /Schemas", lambda found: found["Resources"][2]["attributes"].append({"name": "apiKey", "type": "string"})
    ),
    "6.1.3-post": on(r"POST /Users.*\.posted@", 500),
    "6.1.4-patch": on('PATCH .*"Patched"', 501),
    "6.1.5-list": on("GET /Users $", 500, nth=3),
    "6.1.5-page": edit(CONFIG, holds("filter", maxResults=5000)),
    "6.1.5-cursor": edit(CONFIG, holds("pagination", cursor=False)),
    "6.2.1-attributes": without(GROUP, "members"),
    "6.2.1-names": on('POST /Groups.*known"', (201, {"id": "x"}), nth=2),
    "6.2.2-post": on("POST /Groups.*empty", 400),
    "6.2.3-list": on("GET /Groups $", 500),
    "6.2.4-get": edit("GET /Groups/", where("displayName", " one", displayName="x")),
    "6.2.5-filters": on(r"GET /Groups\?filter=members", 400),
    "6.2.6-patch": on("PATCH /Groups", 413),
    "8-errors": edit(r"GET /Users\?filter=userName eq $", lambda found: found.update(detail="Traceback: x.py")),
    "8-expiry": edit("POST /token", lambda found: found.pop("expires_in")),
}  # fmt: skip
PLANTED = {
    **{name: ("entra", plant) for name, plant in ENTRA.items()},
    **{f"interop.{name}": ("interop", plant) for name, plant in INTEROP.items()},
    **{f"ipsie.{name}": ("ipsie", plant) for name, plant in IPSIE.items()},
}
