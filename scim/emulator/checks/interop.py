"""The clauses of the SCIM interop profile that bind a server, by the numbers of the draft's text."""

import ssl
from socket import create_connection
from typing import Any
from urllib.parse import urlsplit

from scim.emulator import bodies, expect
from scim.emulator.bodies import USER, Document, operation
from scim.emulator.checks.common import (
    Profile,
    attributes,
    change,
    config,
    discovered,
    patch,
    read,
    read_user,
    refused,
    schemas,
)
from scim.emulator.checks.entra import same
from scim.emulator.client import Reply
from scim.emulator.dialects import RFC
from scim.emulator.runner import CheckFailed, NotJudged, TestRun, shared

DRAFT = "draft-zollner-scim-interop-profile-02"
STEP = Profile("interop", f"SCIM interop profile ({DRAFT}, 2 November 2026)", dialects=[RFC], draft=DRAFT)
must, should, unseen = STEP.must, STEP.should, STEP.unseen
PAGE, HUGE = 100, 1_000_000
DISCOVERY = ("/ServiceProviderConfig", "/Schemas", "/ResourceTypes")
# Attributes whose values a server may limit to what it knows, or does not return.
NOT_WRITTEN = ("username", "password", "roles", "entitlements", "groups", "active", "members")
EXAMPLES: Document = {
    "locale": "en-GB", "preferredLanguage": "en-GB", "timezone": "Europe/London", "country": "GB", "binary": "QUJD",
    "emails": "ada@example.com", "phoneNumbers": "tel:+44-20-7946-0000", "boolean": True, "integer": 7, "decimal": 7.5,
    "dateTime": "2026-11-02T12:00:00Z", "reference": "https://example.com/ada",
}  # fmt: skip
UNKNOWN = "urn:example:unknown:2.0:User"


@shared
def fill(run: TestRun) -> None:
    """Create people until there are more than a page."""
    total = expect.numbers(run.get("/Users", count=1))["totalResults"]
    for number in range(PAGE + 1 - total):
        run.user(f"page{number:03}")


def expect_many(reply: Reply, most: int = HUGE) -> None:
    """Expect a page of people or more, of which there are more."""
    found = len(expect.resources(reply))
    expect.that(PAGE <= found <= most, f"{found} of more than {PAGE}")


def resource_types(run: TestRun) -> list[Document]:
    return expect.resources(discovered(run, "/ResourceTypes"))


@must("5.1", "endpoints", "the discovery endpoints exist", "200 each", "A client cannot find out what is supported.")
def endpoints(run: TestRun) -> None:
    for path in DISCOVERY:
        read(run, path)


def sample(attribute: Document, parent: str = "") -> Any:
    """Return a value for an attribute of a schema; None where it cannot be written."""
    name, kind = str(attribute.get("name")), str(attribute.get("type", "string"))
    if attribute.get("mutability") not in ("readWrite", None) or attribute.get("returned") in ("never", "request"):
        return None
    if kind == "complex":
        parts = {part["name"]: sample(part, name) for part in attribute.get("subAttributes") or ()}
        found: Any = {part: value for part, value in parts.items() if value is not None} or None
    else:
        values = attribute.get("canonicalValues") or [EXAMPLES.get(name) or EXAMPLES.get(kind) or f"{parent}Example"]
        found = EXAMPLES[parent] if name == "value" and parent in EXAMPLES else values[0]
    return [found] if attribute.get("multiValued") and found is not None else found


@must("5.1", "exact", "what /Schemas lists is stored", "201, and every attribute that was sent",
      "A client maps an attribute that the server drops.")  # fmt: skip
def exact(run: TestRun) -> str:
    listed = [item for item in attributes(run, USER) if str(item.get("name")).lower() not in NOT_WRITTEN]
    expect.that(listed, "/Schemas has no User schema")
    values = {item["name"]: value for item in listed if (value := sample(item)) is not None}
    sent = {**run.user_body("exact"), **values}
    same(sent, expect.document(run.post("/Users", sent), 201))
    return f"{len(listed)} attributes"


@must("5.1", "schemas", "each schema of a resource type is at /Schemas", "all of them",
      "A client cannot read the attributes of a type.")  # fmt: skip
def all_schemas(run: TestRun) -> None:
    named = {str(kind.get("schema")) for kind in resource_types(run)}
    named |= {str(each.get("schema")) for kind in resource_types(run) for each in kind.get("schemaExtensions") or ()}
    missing = named - set(schemas(run))
    expect.that(not missing, f"not at /Schemas: {', '.join(sorted(missing))}")


@must("5.1", "ids", "id and name of a resource type are equal", "equal", "A client does not find the type.")
def ids(run: TestRun) -> None:
    for kind in resource_types(run):
        equal = kind.get("id") and kind.get("id") == kind.get("name")
        expect.that(equal, f"id is {kind.get('id')!r}, name is {kind.get('name')!r}")


@must("5.2", "user-name", "userName ignores case in filters and in uniqueness", "1 result, and 409",
      "One person gets two accounts.")  # fmt: skip
def user_name(run: TestRun) -> None:
    name = run.user_name("case").swapcase()
    expect.only(run.user("case"), run.find_user(name))
    expect.status(run.post("/Users", {**run.user_body("case"), "userName": name}), 409)


@must("5.2", "external-id", "externalId is exact", "found as sent, not in other case",
      "A client links the wrong person.")  # fmt: skip
def external_id(run: TestRun) -> None:
    value = f"Ext-{run.tag}"
    expect.only(run.user("external", externalId=value), run.get("/Users", filter=f'externalId eq "{value}"'))
    expect.empty_list(run.get("/Users", filter=f'externalId eq "{value.swapcase()}"'))


@must("5.2", "id", "id is exact", "404 in other case", "Two ids name one resource.")
def exact_id(run: TestRun) -> None:
    identifier = run.user("exact id")
    if identifier.swapcase() == identifier:
        raise NotJudged(f"the server's ids, such as {identifier}, have no letters")
    expect.status(run.get(f"/Users/{identifier.swapcase()}"), 404)


def post_refused(run: TestRun, label: str, **values: object) -> None:
    refused(run.post("/Users", {**run.user_body(label), **values}), 400, "invalidSyntax")


def patch_refused(run: TestRun, label: str, change: Document, status: int = 400, kind: str = "invalidSyntax") -> None:
    refused(run.send("PATCH", run.user_path(label), body=bodies.patch(change)), status, kind)


LOST = ("400 invalidSyntax", "Data is lost silently.")
must("5.3", "attribute", "POST with an unknown attribute is refused", *LOST,
     lambda run: post_refused(run, "unknown", unknownThing="x"))  # fmt: skip
must("5.3", "patch", "PATCH of an unknown attribute is refused", *LOST,
     lambda run: patch_refused(run, "plain", operation("replace", "unknownThing", "x")))  # fmt: skip
must("5.3", "schema", "POST with an unknown schema is refused", *LOST,
     lambda run: post_refused(run, "foreign", schemas=[USER, UNKNOWN], **{UNKNOWN: {"x": "y"}}))  # fmt: skip


@must("5.4", "types", "each `type` has canonicalValues", "canonicalValues at each type",
      "A client cannot know which types are accepted.")  # fmt: skip
def types(run: TestRun) -> None:
    missing = [
        str(item.get("name"))
        for urn in schemas(run)
        if urn.endswith((":User", ":Group"))
        for item in attributes(run, urn)
        if item.get("multiValued") and item.get("type") == "complex"
        for part in item.get("subAttributes") or ()
        if part.get("name") == "type" and not part.get("canonicalValues")
    ]
    expect.that(not missing, f"none at {', '.join(missing)}")


@must("6.1", "unique", "each type has an endpoint of its own", "different endpoints", "A list mixes types.")
def unique_endpoints(run: TestRun) -> str:
    found = [str(kind.get("endpoint")) for kind in resource_types(run)]
    expect.that(len(set(found)) == len(found), ", ".join(found))
    return ", ".join(found)


must("6.1", "by-id", "nothing but the id names a resource", "404 for /Users/{userName}", "A URL names two resources.",
     lambda run: read_user(run, "plain"),
     lambda run: expect.status(run.get(f"/Users/{run.user_name('plain')}"), 404))  # fmt: skip


@must("6.2", "media-type", "answers are application/scim+json", "for lists, resources, errors and discovery",
      "A client cannot tell SCIM from something else.")  # fmt: skip
def media_type(run: TestRun) -> None:
    for path in ("/Users", run.user_path("plain"), f"/Users/{run.tag}-gone", *DISCOVERY):
        found = run.get(path).headers.get("Content-Type", "no Content-Type")
        expect.that(found.split(";")[0].strip().lower() == "application/scim+json", f"{path}: {found}")


must("6.3", "eq", "filter with eq", "exactly 1 result", "A client finds nobody and creates people twice.",
     lambda run: expect.only(run.user("plain"), run.find_user(run.user_name("plain"))))  # fmt: skip


@must("6.3", "and", "filter with and", "exactly 1 result, then none", "A client finds nobody or too many.")
def filter_and(run: TestRun) -> None:
    named = f'userName eq "{run.user_name("plain")}"'
    expect.only(run.user("plain"), run.get("/Users", filter=f"{named} and active eq true"))
    expect.empty_list(run.get("/Users", filter=f"{named} and active eq false"))


must("6.3", "unknown", "an unknown attribute in a filter is refused", "400 invalidFilter",
     "A mistyped filter finds nobody or everybody.",
     lambda run: refused(run.get("/Users", filter='unknownThing eq "x"'), 400, "invalidFilter"))  # fmt: skip
unseen("6.3", "other-methods", "no filter on other methods than GET", "it binds clients only")


@must("6.4", "paging", "lists are paged by index or cursor", "a second page with others", "Large lists cannot be read.")
def paging(run: TestRun) -> str:
    run.user("plain"), run.user("case")
    first = expect.resources(run.get("/Users", startIndex=1, count=1))
    second = expect.resources(run.get("/Users", startIndex=2, count=1))
    if len(first) == len(second) == 1 and first[0].get("id") != second[0].get("id"):
        return "by index"
    reply = expect.document(run.get("/Users", cursor="", count=1), 200)
    following = expect.resources(run.get("/Users", cursor=reply.get("nextCursor"), count=1))
    differ = reply.get("nextCursor") and following != reply.get("Resources")
    expect.that(differ, "the second page is the first")
    return "by cursor"


must("6.4", "count", "count=100 is honoured", "100 of more than 100", "People are missing in what a client reads.",
     fill, lambda run: expect_many(run.get("/Users", count=PAGE), PAGE))  # fmt: skip


def max_results(run: TestRun) -> int:
    found = expect.value_at(config(run), "filter.maxResults")
    return found if type(found) is int else 0


@must("6.4", "over", "a count over the server's limit gets fewer", "200, at most filter.maxResults",
      "A client cannot ask without knowing the limit.")  # fmt: skip
def over(run: TestRun) -> None:
    reply = run.get("/Users", count=HUGE)
    found, limit = len(expect.resources(reply)), max_results(run)
    expect.that(not limit or found <= limit, f"{found} results, maxResults is {limit}")
    if expect.numbers(reply)["totalResults"] <= max(limit, found):
        raise NotJudged(f"the server has not more people than its limit of {limit or 'unknown size'}")


should("6.4", "default", "100 or more by default", "100 or more of more than 100", "A client reads many small pages.",
       fill, lambda run: expect_many(run.get("/Users")))  # fmt: skip


@should("6.4", "limit", "there is a limit", "filter.maxResults over 0", "One request may read everything.")
def limit(run: TestRun) -> str:
    expect.that(max_results(run) > 0, f"filter.maxResults is {expect.value_at(config(run), 'filter.maxResults')!r}")
    return str(max_results(run))


must("6.5", "patch", "PATCH is supported", "patch.supported true, and 200 or 204", "A client cannot update.",
     lambda run: change(run, run.user_path("plain"), operation("replace", "displayName", "Changed")),
     lambda run: expect.values(config(run), {"patch.supported": True}))  # fmt: skip
must("6.5.1.1", "path", "an operation without a path is refused", "400 invalidSyntax", "Servers read it differently.",
     lambda run: patch_refused(run, "plain", {"op": "replace", "value": {"displayName": "x"}}))  # fmt: skip


@must("6.5.2.1", "simple", "add and replace are the same for a simple attribute", "the last value", "A change is lost.")
def simple(run: TestRun) -> None:
    for op in ("add", "replace", "add"):
        change(run, run.user_path("simple"), operation(op, "displayName", f"by {op}"))


KING = {"familyName": "King"}
must("6.5.2.1", "replace", "replace of a complex attribute replaces all of it", "givenName is gone",
     "A value that was removed stays.",
     lambda run: change(run, run.user_path("named"), operation("replace", "name", KING),
                        expected={"name.familyName": "King", "name.givenName": None}))  # fmt: skip
must("6.5.2.1", "add", "add to a complex attribute merges", "givenName stays", "A value is lost.",
     lambda run: change(run, run.user_path("merged"), operation("add", "name", KING),
                        expected={"name.familyName": "King", "name.givenName": "Ada"}))  # fmt: skip


def change_phones(run: TestRun, label: str, op: str, *expected: str) -> None:
    """Patch the telephone numbers of a person who has number 1 with number 2, and expect some of them."""
    path = run.user_path(label, phoneNumbers=[{"value": "tel:+44-20-7946-0001", "type": "work"}])
    patch(run, path, operation(op, "phoneNumbers", [{"value": "tel:+44-20-7946-0002", "type": "mobile"}]))
    found = [str(phone.get("value"))[-1] for phone in read(run, path).get("phoneNumbers") or ()]
    expect.that(sorted(found) == sorted(expected), f"{len(found)} phoneNumbers")


must("6.5.2.2", "replace", "replace of a collection replaces it", "only the new value",
     "A value that was removed stays.", lambda run: change_phones(run, "phones", "replace", "2"))  # fmt: skip
must("6.5.2.2", "add", "add to a collection appends", "both values", "A value is lost.",
     lambda run: change_phones(run, "more phones", "add", "1", "2"))  # fmt: skip


@must("6.5.2.2", "element", "a filtered path without a sub-attribute", "400 invalidPath, or success", "")
def element(run: TestRun) -> None:
    changed = operation("replace", 'emails[type eq "work"]', {"value": "a@example.com", "type": "work"})
    reply = run.send("PATCH", run.user_path("element"), body=bodies.patch(changed))
    raise NotJudged(f"a server may take or refuse it; this one answers {reply.status}")


must("6.6", "patch", "PATCH never deletes", "200 after active false", "A deactivated person is lost.",
     lambda run: change(run, run.user_path("kept"), operation("replace", "active", False)))  # fmt: skip


@shared
def deleted(run: TestRun) -> Reply:
    return run.send("DELETE", run.user_path("deleted"))


def delete(run: TestRun) -> None:
    expect.status(deleted(run), 204)


must("6.6", "delete", "DELETE deletes", "204, then 404", "The account stays, deactivated at best.", delete,
     lambda run: expect.status(run.get(run.user_path("deleted")), 404))  # fmt: skip
must("6.6", "lists", "a deleted person is in no list", "totalResults 0", "A client takes the person for existing.",
     delete, lambda run: expect.empty_list(run.find_user(run.user_name("deleted"))))  # fmt: skip
must("6.6", "name", "the name of a deleted person is free", "201", "The person can never come back.", delete,
     lambda run: expect.status(run.post("/Users", run.user_body("deleted")), 201))  # fmt: skip
unseen("6.7", "conditions", "conditional headers", "a server may ignore or refuse them")
unseen("6.8", "bulk", "Bulk", "it is optional")


must("6.9.1", "post", "POST of a taken userName is refused", "409 uniqueness", "A client cannot tell why it failed.",
     lambda run: run.user("plain"),
     lambda run: refused(run.post("/Users", run.user_body("plain")), 409, "uniqueness"))  # fmt: skip
must("6.9.1", "patch", "PATCH to a taken userName is refused", "409 uniqueness", "Two people share one account.",
     lambda run: run.user("plain"),
     lambda run: patch_refused(
         run, "other", operation("replace", "userName", run.user_name("plain")), 409, "uniqueness"))  # fmt: skip


@must("7.1", "tls", "TLS 1.3", "a connection with TLS 1.3", "A client that takes nothing less cannot connect.")
def tls(run: TestRun) -> str:
    url = urlsplit(run.client.base)
    if url.scheme != "https":
        raise NotJudged("the base URL is not https")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only the version is asked
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        with create_connection((url.hostname or "", url.port or 443), 10) as plain:
            return context.wrap_socket(plain, server_hostname=url.hostname).version() or ""
    except OSError as error:
        raise CheckFailed(str(error)) from None


@should("7.2", "basic", "no HTTP Basic", "no authentication scheme httpbasic", "Passwords travel with each request.")
def basic(run: TestRun) -> None:
    kinds = [str(item.get("type")) for item in config(run).get("authenticationSchemes") or () if isinstance(item, dict)]
    expect.that("httpbasic" not in kinds, ", ".join(kinds))


@must("4", "claim", "interopProfileConformant is true only where it is", "true, or false or absent",
      "A client relies on what is not there.")  # fmt: skip
def claim(run: TestRun) -> str:
    value = config(run).get("interopProfileConformant")
    failed = [name for name in run.failed if name.startswith("interop.")]
    right = value in (True, False, None) and not (value and failed)
    expect.that(right, f"{value!r}" + (f", though {', '.join(failed)} failed" if failed else ""))
    return "claimed" if value else "not claimed"
