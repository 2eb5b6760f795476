"""Entitlement discovery: resource types, schemas, and the endpoint of the roles."""

from scim.emulator import expect
from scim.emulator.bodies import Document
from scim.emulator.client import Reply
from scim.emulator.runner import CheckFailed, CheckSkipped, CheckStep, TestRun

STEP = CheckStep("discovery", "Discover entitlements")
SCHEMAS = ("urn:okta:scim:schemas:core:1.0:Role", "urn:okta:scim:schemas:core:1.0:Entitlement")
NONE_FOUND = "Entitlement management shows no roles to assign."


def endpoints(run: TestRun) -> list[str]:
    """Return the endpoints of roles and entitlements that the server names."""
    reply = run.cached("resource types", lambda: run.get("/ResourceTypes"))
    if reply.status == 404:
        raise CheckSkipped("the server has no /ResourceTypes, which only entitlement management needs")
    found = [str(item.get("endpoint")) for item in expect.resources(reply) if item.get("schema") in SCHEMAS]
    if not found:
        raise CheckSkipped("the server offers no roles or entitlements for discovery")
    return found


def first_page(run: TestRun) -> Reply:
    """Return the first page of the first endpoint, of one resource."""
    endpoint = "/" + endpoints(run)[0].lstrip("/")
    return run.cached("first entitlement", lambda: run.get(endpoint, count=1, startIndex=1))


def _not_empty(found: Document) -> Document:
    if found.get("totalResults") == 0:
        raise CheckSkipped("the server lists no roles")
    return found


@STEP.check(
    "resource types are listed", "200, Resources: [...]", NONE_FOUND, "RFC 7644 section 4: /ResourceTypes.",
)  # fmt: skip
def resource_types(run: TestRun) -> str:
    return ", ".join(endpoints(run))


@STEP.check("schemas are listed", "200, Resources: [...]", NONE_FOUND, "RFC 7644 section 4: /Schemas.")
def schemas(run: TestRun) -> None:
    endpoints(run)
    expect.resources(run.get("/Schemas"))


@STEP.check(
    "the roles are listed", "200, ListResponse with numbers and a role", NONE_FOUND,
    "Fact: Okta's entitlement suite expects at least one.",
)  # fmt: skip
def listed(run: TestRun) -> None:
    reply = first_page(run)
    expect.schema(reply, expect.LIST_RESPONSE)
    found = expect.numbers(reply)
    if not expect.resources(reply):
        _not_empty(found)
        raise CheckFailed("Resources is empty")


@STEP.check(
    "itemsPerPage is the size of the page", "1 for count=1",
    "Okta skips roles or requests pages endlessly.", "Fact: Okta's entitlement suite; RFC 7644 section 3.4.2.4.",
)  # fmt: skip
def page_size(run: TestRun) -> None:
    expect.values(_not_empty(expect.document(first_page(run))), {"itemsPerPage": 1})


@STEP.check(
    "a role has id and displayName", "both as text", NONE_FOUND, "Fact: Okta shows displayName and sends back the id.",
)  # fmt: skip
def role(run: TestRun) -> None:
    found = expect.resources(first_page(run))
    if not found:
        raise CheckSkipped("the server lists no roles")
    for name in ("id", "displayName"):
        if not isinstance(found[0].get(name), str) or not found[0][name]:
            raise CheckFailed(f"{name} is {found[0].get(name)!r}")
