"""Entitlement discovery: resource types, schemas, and the endpoint of the roles."""

from scim.emulator import expect
from scim.emulator.checks.common import discovered
from scim.emulator.client import Reply
from scim.emulator.runner import CheckSkipped, CheckStep, TestRun, shared

STEP = CheckStep("discovery", "Discover entitlements")
row, check = STEP.row, STEP.check
SCHEMAS = ("urn:okta:scim:schemas:core:1.0:Role", "urn:okta:scim:schemas:core:1.0:Entitlement")
NONE_FOUND = "Entitlement management shows no roles to assign."


def endpoints(run: TestRun) -> list[str]:
    """Return the endpoints of roles and entitlements that the server names."""
    reply = discovered(run, "/ResourceTypes")
    if reply.status == 404:
        raise CheckSkipped("the server has no /ResourceTypes, which only entitlement management needs")
    found = [str(item.get("endpoint")) for item in expect.resources(reply) if item.get("schema") in SCHEMAS]
    if not found:
        raise CheckSkipped("the server offers no roles or entitlements for discovery")
    return found


@shared
def first_page(run: TestRun) -> Reply:
    """Return the first page of the first endpoint, of one resource."""
    return run.get("/" + endpoints(run)[0].lstrip("/"), count=1, startIndex=1)


def skip_if_empty(count: object) -> None:
    if count == 0:
        raise CheckSkipped("the server lists no roles")


row("resource_types", "resource types are listed", "200, Resources: [...]", NONE_FOUND,
    "RFC 7644 section 4: /ResourceTypes.", lambda run: ", ".join(endpoints(run)))  # fmt: skip
row("schemas", "schemas are listed", "200, Resources: [...]", NONE_FOUND, "RFC 7644 section 4: /Schemas.",
    lambda run: expect.resources(run.get("/Schemas")), before=endpoints)  # fmt: skip


@check("the roles are listed", "200, ListResponse with numbers and a role", NONE_FOUND,
       "Fact: Okta's entitlement suite expects at least one.")  # fmt: skip
def listed(run: TestRun) -> None:
    reply = first_page(run)
    expect.schema(reply, expect.LIST_RESPONSE)
    total = expect.numbers(reply)["totalResults"]
    if not expect.resources(reply):
        skip_if_empty(total)
        expect.that(False, "Resources is empty")


@check("itemsPerPage is the size of the page", "1 for count=1",
       "Okta skips roles or requests pages endlessly.", "Fact: Okta's entitlement suite; RFC 7644 section 3.4.2.4.",
)  # fmt: skip
def page_size(run: TestRun) -> None:
    found = expect.document(first_page(run))
    skip_if_empty(found.get("totalResults"))
    expect.values(found, {"itemsPerPage": 1})


@check("a role has id and displayName", "both as text", NONE_FOUND,
       "Fact: Okta shows displayName and sends back the id.")  # fmt: skip
def role(run: TestRun) -> None:
    found = expect.resources(first_page(run))
    skip_if_empty(len(found))
    for name in ("id", "displayName"):
        expect.that(isinstance(found[0].get(name), str) and found[0][name], f"{name} is {found[0].get(name)!r}")
