"""The `roles` attribute, mapped in Okta as an array of strings whose values are role slugs."""

from scim.emulator import bodies, expect
from scim.emulator.checks.update import put, read
from scim.emulator.client import Reply
from scim.emulator.runner import CheckFailed, CheckSkipped, CheckStep, TestRun, created_id

STEP = CheckStep("roles", "Map roles")
WRONG_TYPE = "Okta refuses other types than its profile's: a string array needs strings ('Invalid value data type')."
REFUSED = "Provisioning breaks for everybody as soon as the attribute is mapped."
KEPT = "A person keeps a role that was withdrawn in Okta."


def slugs(run: TestRun) -> list[str]:
    """Return the roles to test with: those of --role, else the first two of /Roles."""
    if not run.roles:
        run.roles = run.cached("catalogue", lambda: _catalogue(run))
    if not run.roles:
        raise CheckSkipped("needs a role: /Roles lists none; give one with --role SLUG")
    return run.roles


def _catalogue(run: TestRun) -> list[str]:
    reply = run.get("/Roles", startIndex=1, count=2)
    listed = expect.value_at(reply.document, "Resources") if reply.status == 200 else None
    return [str(role["id"]) for role in listed or [] if isinstance(role, dict) and role.get("id")][:2]


def assigned(run: TestRun) -> Reply:
    """Return the reply to the POST of a user with a role as a string."""
    body = bodies.user(run.user_name("roles"), "Rosa", "Test-Roles", mapped={"roles": slugs(run)[:1]})
    return run.cached("roles", lambda: run.send("POST", "/Users", body=body))


def _assigned_id(run: TestRun) -> str:
    identifier = created_id(assigned(run), "the POST with roles")
    run.label_user("roles", identifier)
    return identifier


def _expect_roles(run: TestRun, label: str, expected: list[str]) -> None:
    """Expect a user's stored roles, as strings or as objects."""
    found = read(run, label).get("roles")
    held = [str(role.get("value") if isinstance(role, dict) else role) for role in found or []]
    if sorted(held) != sorted(expected):
        raise CheckFailed(f"roles is {found!r}")


@STEP.check(
    "POST with roles as strings", "201", REFUSED,
    "Fact: the attribute is a string array in Okta; objects need another mapping.",
)  # fmt: skip
def strings(run: TestRun) -> None:
    expect.status(assigned(run), 201)


@STEP.check(
    "roles come back as strings", "a JSON array of strings", WRONG_TYPE,
    "Fact: the attribute is a string array in Okta.",
)  # fmt: skip
def strings_back(run: TestRun) -> None:
    found = expect.document(assigned(run)).get("roles")
    if not isinstance(found, list) or not all(isinstance(role, str) for role in found):
        raise CheckFailed(f"roles is {found!r}"[:100])


@STEP.check(
    "the role is assigned", "the role that was sent",
    "The person is created but cannot log in.", "RFC 7644 section 3.3.",
)  # fmt: skip
def assigned_role(run: TestRun) -> None:
    _assigned_id(run)
    _expect_roles(run, "roles", slugs(run)[:1])


@STEP.check(
    "PUT with the combined roles of two groups", "200, all of them are assigned",
    "A person in two assigned groups gets the roles of one only.",
    "Fact: 'Combine values across groups' sends one array.",
)  # fmt: skip
def combined(run: TestRun) -> None:
    roles = slugs(run)
    _assigned_id(run)
    expect.status(put(run, "roles", roles=roles), 200)
    _expect_roles(run, "roles", roles)


def _with_role(run: TestRun) -> bodies.Document:
    _assigned_id(run)
    expect.status(put(run, "roles", roles=slugs(run)[:1]), 200)
    return bodies.edited_user(read(run, "roles"), {})


def _expect_withdrawn(run: TestRun, body: bodies.Document) -> None:
    expect.status(run.send("PUT", f"/Users/{_assigned_id(run)}", body=body), 200)
    _expect_roles(run, "roles", [])


@STEP.check("roles: [] withdraws all roles", "200, no roles", KEPT, "RFC 7643 section 2.5: [] is unassigned.")
def empty(run: TestRun) -> None:
    _expect_withdrawn(run, {**_with_role(run), "roles": []})


@STEP.check("roles: null withdraws all roles", "200, no roles", KEPT, "RFC 7643 section 2.5: null is unassigned.")
def null(run: TestRun) -> None:
    _expect_withdrawn(run, {**_with_role(run), "roles": None})


@STEP.check(
    "PUT without roles withdraws all roles", "200, no roles", KEPT,
    "RFC 7644 section 3.5.1: an attribute that a PUT leaves out is cleared.",
)  # fmt: skip
def absent(run: TestRun) -> None:
    body = _with_role(run)
    body.pop("roles", None)
    _expect_withdrawn(run, body)


@STEP.check(
    "roles as objects with primary", "200, the role is assigned",
    "Mappings such as `roles.^[primary==true].value` fail.", "RFC 7643 section 2.4: value and primary.",
)  # fmt: skip
def primary(run: TestRun) -> None:
    _assign_object(run, {"primary": True, "value": slugs(run)[0]})


@STEP.check(
    "roles as objects with type", "200, the role is assigned",
    "Mappings such as `roles.^[type=='X'].value` fail.", "RFC 7643 section 2.4: value and type.",
)  # fmt: skip
def typed(run: TestRun) -> None:
    _assign_object(run, {"type": slugs(run)[0], "value": slugs(run)[0]})


def _assign_object(run: TestRun, role: bodies.Document) -> None:
    run.user("objects", active=False)
    expect.status(put(run, "objects", roles=[role]), 200)
    _expect_roles(run, "objects", [role["value"]])
