"""Entitlement discovery: resource types, schemas, and the endpoint of the roles."""

from scim.emulator import expect
from scim.emulator.client import Exchange
from scim.emulator.test_run import Broken, Play, Skipped, Step

STEP = Step("discovery", "Discover entitlements")
KINDS = ("urn:okta:scim:schemas:core:1.0:Role", "urn:okta:scim:schemas:core:1.0:Entitlement")
NONE_FOUND = "Entitlement management shows no roles to give."


def endpoints(play: Play) -> list[str]:
    """Return the endpoints of roles and entitlements that the server names."""
    exchange = play.once("resource types", lambda: play.send("GET", "/ResourceTypes"))
    if exchange.status == 404:
        raise Skipped("the server has no /ResourceTypes; Okta needs it with entitlement management only")
    types = expect.resources(exchange)
    found = [str(kind.get("endpoint")) for kind in types if kind.get("schema") in KINDS]
    if not found:
        raise Skipped("the server offers no roles or entitlements for discovery")
    return found


def first(play: Play) -> Exchange:
    """Return the first page of the first endpoint, of one resource."""
    endpoint = "/" + endpoints(play)[0].lstrip("/")
    query = {"count": 1, "startIndex": 1}
    return play.once("first entitlement", lambda: play.send("GET", endpoint, query=query))


@STEP.check(
    "resource types are listed", "200, Resources: [...]", NONE_FOUND, "RFC 7644 section 4: /ResourceTypes.",
)  # fmt: skip
def resource_types(play: Play) -> str:
    return ", ".join(endpoints(play))


@STEP.check("schemas are listed", "200, Resources: [...]", NONE_FOUND, "RFC 7644 section 4: /Schemas.")
def schemas(play: Play) -> None:
    endpoints(play)
    expect.resources(play.send("GET", "/Schemas"))


@STEP.check(
    "the roles are listed", "200, ListResponse with numbers, Resources not empty", NONE_FOUND,
    "Fact: Okta's entitlement suite wants at least one.",
)  # fmt: skip
def listed(play: Play) -> None:
    exchange = first(play)
    expect.schema(exchange, expect.LIST_RESPONSE)
    found = expect.numbers(exchange)
    if not expect.resources(exchange):
        if found["totalResults"] == 0:
            raise Skipped("the catalogue is empty")
        raise Broken("Resources is empty")


@STEP.check(
    "itemsPerPage is the page's true size", "1 for count=1",
    "Okta skips roles or asks for ever.", "Fact: Okta's entitlement suite; RFC 7644 section 3.4.2.4.",
)  # fmt: skip
def page_size(play: Play) -> None:
    found = expect.document(first(play))
    if found.get("totalResults") == 0:
        raise Skipped("the catalogue is empty")
    expect.same(found, {"itemsPerPage": 1})


@STEP.check(
    "a role has id and displayName", "both as text", NONE_FOUND, "Fact: Okta shows displayName and sends back the id.",
)  # fmt: skip
def role(play: Play) -> None:
    found = expect.resources(first(play))
    if not found:
        raise Skipped("the catalogue is empty")
    for name in ("id", "displayName"):
        if not isinstance(found[0].get(name), str) or not found[0][name]:
            raise Broken(f"{name} is {found[0].get(name)!r}")
