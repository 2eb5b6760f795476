"""The `roles` attribute as the guide sets it up: a string array whose values are role slugs."""

from collections.abc import Sequence

from scim.emulator import bodies, expect
from scim.emulator.checks.update import put, read
from scim.emulator.client import Exchange
from scim.emulator.test_run import Broken, Play, Skipped, Step, made_id

STEP = Step("roles", "Map roles")
SHAPE = "Okta checks the type against its profile: a string array wants strings ('Invalid value data type')."
REFUSED = "Provisioning breaks for everybody as soon as the attribute is mapped."


def slugs(play: Play) -> list[str]:
    """Return the roles to play with: --role, else those of /Roles."""
    if not play.roles:
        play.roles = play.once("catalogue", lambda: _catalogue(play))
    if not play.roles:
        raise Skipped("no roles: /Roles lists none, and no --role SLUG was given")
    return play.roles


def _catalogue(play: Play) -> list[str]:
    exchange = play.send("GET", "/Roles", query={"startIndex": 1, "count": 2})
    found = exchange.document if exchange.status == 200 else None
    listed = found.get("Resources") if isinstance(found, dict) else None
    return [str(role["id"]) for role in listed or [] if isinstance(role, dict) and role.get("id")][:2]


def assigned(play: Play) -> Exchange:
    """Return the POST with roles as strings."""
    body = bodies.user(play.name("roles"), "Rosa", "Test-Roles", mapped={"roles": slugs(play)[:1]})
    return play.once("roles", lambda: play.send("POST", "/Users", body=body))


def _person(play: Play) -> str:
    return play.adopt("roles", made_id(assigned(play), "the POST with roles"))


def held(found: Sequence[object] | None) -> list[str]:
    """Return the slugs in an answer of either shape, sorted."""
    return sorted(str(role.get("value") if isinstance(role, dict) else role) for role in found or [])


@STEP.check(
    "POST with roles as strings", "201", REFUSED,
    "Fact: the guide's attribute is a string array; objects are another set-up.",
)  # fmt: skip
def strings(play: Play) -> None:
    expect.status(assigned(play), 201)


@STEP.check(
    "roles come back as strings", "a JSON array of strings", SHAPE, "Fact: Okta's profile says string array.",
)  # fmt: skip
def strings_back(play: Play) -> None:
    found = expect.document(assigned(play)).get("roles")
    if not isinstance(found, list) or not all(isinstance(role, str) for role in found):
        raise Broken(f"roles is {found!r}"[:100])


@STEP.check(
    "the role is assigned", "the role that was sent",
    "The person is created and cannot log in.", "RFC 7644 section 3.3.",
)  # fmt: skip
def assigned_role(play: Play) -> None:
    wanted = slugs(play)[:1]
    _person(play)
    if held(read(play, "roles").get("roles")) != wanted:
        raise Broken(f"roles is {read(play, 'roles').get('roles')!r}")


@STEP.check(
    "PUT with the combined roles of two groups", "200, all of them",
    "A person in two assigned groups gets the roles of one.", "Fact: 'Combine values across groups' sends one array.",
)  # fmt: skip
def combined(play: Play) -> None:
    wanted = slugs(play)
    _person(play)
    expect.status(put(play, "roles", roles=wanted), 200)
    if held(read(play, "roles").get("roles")) != sorted(wanted):
        raise Broken(f"roles is {read(play, 'roles').get('roles')!r}")


def _cleared(play: Play, body: bodies.Document) -> None:
    exchange = play.send("PUT", f"/Users/{_person(play)}", body=body)
    expect.status(exchange, 200)
    left = read(play, "roles").get("roles")
    if left:
        raise Broken(f"roles is {left!r}")


def _with_role(play: Play) -> bodies.Document:
    _person(play)
    expect.status(put(play, "roles", roles=slugs(play)[:1]), 200)
    return bodies.edited(read(play, "roles"), {})


KEEPS = "Somebody whose role was withdrawn in Okta keeps it."


@STEP.check("roles: [] withdraws them", "200, no roles", KEEPS, "RFC 7643 section 2.5: [] is unassigned.")
def empty(play: Play) -> None:
    _cleared(play, {**_with_role(play), "roles": []})


@STEP.check("roles: null withdraws them", "200, no roles", KEEPS, "RFC 7643 section 2.5: null is unassigned.")
def null(play: Play) -> None:
    _cleared(play, {**_with_role(play), "roles": None})


@STEP.check(
    "PUT without roles withdraws them", "200, no roles", KEEPS,
    "RFC 7644 section 3.5.1: what a PUT leaves out is cleared.",
)  # fmt: skip
def absent(play: Play) -> None:
    body = _with_role(play)
    body.pop("roles", None)
    _cleared(play, body)


@STEP.check(
    "roles as objects with primary", "200, the role assigned",
    "Set-ups with `roles.^[primary==true].value` fail.", "RFC 7643 section 2.4: value and primary.",
)  # fmt: skip
def primary(play: Play) -> None:
    _object(play, {"primary": True, "value": slugs(play)[0]})


@STEP.check(
    "roles as objects with type", "200, the role assigned",
    "Set-ups with `roles.^[type=='X'].value` fail.", "RFC 7643 section 2.4: value and type.",
)  # fmt: skip
def typed(play: Play) -> None:
    _object(play, {"type": slugs(play)[0], "value": slugs(play)[0]})


def _object(play: Play, role: bodies.Document) -> None:
    play.person("objects", active=False)
    expect.status(put(play, "objects", roles=[role]), 200)
    found = read(play, "objects").get("roles")
    if held(found) != [role["value"]]:
        raise Broken(f"roles is {found!r}")
