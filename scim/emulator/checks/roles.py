"""Roles: the attribute `roles`, an array of slugs in Okta, and the discovery of entitlements."""

from collections.abc import Sequence

from scim.emulator import bodies, expect
from scim.emulator.checks.common import discovered, listed_roles, read_user
from scim.emulator.checks.users import put
from scim.emulator.client import Reply
from scim.emulator.runner import CheckSkipped, CheckStep, TestRun, created_id, shared

ROLES = CheckStep("roles", "Map roles")
DISCOVERY = CheckStep("discovery", "Discover entitlements")
WRONG_TYPE = "Okta refuses other types than its profile's: a string array needs strings ('Invalid value data type')."
REFUSED = "Provisioning breaks for everybody as soon as the attribute is mapped."
KEPT = "A person keeps a role that was withdrawn in Okta."


def slugs(run: TestRun) -> Sequence[str]:
    """Return the roles to test with: those of --role, else the first two of /Roles."""
    run.roles = run.roles or listed_roles(run, 2)
    if not run.roles:
        raise CheckSkipped("needs a role: /Roles lists none; give one with --role SLUG")
    return run.roles


@shared
def assigned(run: TestRun) -> Reply:
    body = bodies.user(run.user_name("roles"), "Rosa", "Test-Roles", mapped={"roles": slugs(run)[:1]})
    return run.post("/Users", body)


def assigned_id(run: TestRun) -> str:
    identifier = created_id(assigned(run), "the POST with roles")
    run.label_user("roles", identifier)
    return identifier


def expect_roles(run: TestRun, label: str, expected: Sequence[str]) -> None:
    """Expect a user's stored roles, as strings or as objects."""
    found = read_user(run, label).get("roles")
    held = [str(role.get("value") if isinstance(role, dict) else role) for role in found or []]
    expect.that(sorted(held) == sorted(expected), f"roles is {found!r}")


row, check = ROLES.row, ROLES.check
row("strings", "POST with roles as strings", "201", REFUSED,
    "Fact: the attribute is a string array in Okta; objects need another mapping.",
    lambda run: expect.status(assigned(run), 201))  # fmt: skip


@check("roles come back as strings", "a JSON array of strings", WRONG_TYPE,
       "Fact: the attribute is a string array in Okta.")  # fmt: skip
def strings_back(run: TestRun) -> None:
    found = expect.document(assigned(run)).get("roles")
    are_strings = isinstance(found, list) and all(isinstance(role, str) for role in found)
    expect.that(are_strings, f"roles is {found!r}"[:100])


row("assigned_role", "the role is assigned", "the role that was sent", "The person is created but cannot log in.",
    "RFC 7644 section 3.3.", assigned_id, lambda run: expect_roles(run, "roles", slugs(run)[:1]))  # fmt: skip


@check("PUT with the combined roles of two groups", "200, all of them are assigned",
       "A person in two assigned groups gets the roles of one only.",
       "Fact: 'Combine values across groups' sends one array.")  # fmt: skip
def combined(run: TestRun) -> None:
    roles = slugs(run)
    assigned_id(run)
    expect.status(put(run, "roles", roles=roles), 200)
    expect_roles(run, "roles", roles)


def withdraw(run: TestRun, **roles: object) -> None:
    """Assign a role, write the user with other `roles` or without any, and expect that there are none."""
    identifier = assigned_id(run)
    expect.status(put(run, "roles", roles=slugs(run)[:1]), 200)
    body = bodies.edited_user(read_user(run, "roles"), {})
    if not roles:
        body.pop("roles", None)
    expect.status(run.send("PUT", f"/Users/{identifier}", body={**body, **roles}), 200)
    expect_roles(run, "roles", [])


row("empty", "roles: [] withdraws all roles", "200, no roles", KEPT, "RFC 7643 section 2.5: [] is unassigned.",
    lambda run: withdraw(run, roles=[]))  # fmt: skip
row("null", "roles: null withdraws all roles", "200, no roles", KEPT, "RFC 7643 section 2.5: null is unassigned.",
    lambda run: withdraw(run, roles=None))  # fmt: skip
row("absent", "PUT without roles withdraws all roles", "200, no roles", KEPT,
    "RFC 7644 section 3.5.1: an attribute that a PUT leaves out is cleared.", withdraw)  # fmt: skip


def assign_object(run: TestRun, **role: object) -> None:
    slug = slugs(run)[0]
    run.user("objects", active=False)
    expect.status(put(run, "objects", roles=[{**role, "value": slug}]), 200)
    expect_roles(run, "objects", [slug])


row("primary", "roles as objects with primary", "200, the role is assigned",
    "Mappings such as `roles.^[primary==true].value` fail.", "RFC 7643 section 2.4: value and primary.",
    lambda run: assign_object(run, primary=True))  # fmt: skip
row("typed", "roles as objects with type", "200, the role is assigned",
    "Mappings such as `roles.^[type=='X'].value` fail.", "RFC 7643 section 2.4: value and type.",
    lambda run: assign_object(run, type=slugs(run)[0]))  # fmt: skip

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


row, check = DISCOVERY.row, DISCOVERY.check
row("resource_types", "resource types are listed", "200, Resources: [...]", NONE_FOUND,
    "RFC 7644 section 4: /ResourceTypes.", lambda run: ", ".join(endpoints(run)))  # fmt: skip
row("schemas", "schemas are listed", "200, Resources: [...]", NONE_FOUND, "RFC 7644 section 4: /Schemas.",
    endpoints, lambda run: expect.resources(run.get("/Schemas")))  # fmt: skip


@check("the roles are listed", "200, ListResponse with numbers and a role", NONE_FOUND,
       "Fact: Okta's entitlement suite expects at least one.")  # fmt: skip
def listed(run: TestRun) -> None:
    reply = first_page(run)
    expect.schema(reply, expect.LIST_RESPONSE)
    total = expect.numbers(reply)["totalResults"]
    if not expect.resources(reply):
        skip_if_empty(total)
        expect.that(False, "Resources is empty")


@check("itemsPerPage is the size of the page", "1 for count=1", "Okta skips roles or requests pages endlessly.",
       "Fact: Okta's entitlement suite; RFC 7644 section 3.4.2.4.")  # fmt: skip
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
