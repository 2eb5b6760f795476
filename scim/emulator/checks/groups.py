"""Groups are pushed, written, renamed and unlinked, by PUT (custom app) or PATCH (OIN app)."""

from collections.abc import Mapping, Sequence
from typing import Any

from scim.emulator import bodies, expect
from scim.emulator.checks.update import CUSTOM, OIN
from scim.emulator.client import Exchange, look_up
from scim.emulator.test_run import Broken, Play, Step, made_id

STEP = Step("groups", "Push groups")
ERROR_STATE = "The push mapping goes into the error state; changes of the group do not arrive until it is pushed anew."
LOST = "Members in Okta and at the server differ, and nobody is told."


def created(play: Play) -> Exchange:
    """Return the POST of an empty group."""
    body = bodies.group(play.group_name("push"))
    return play.once("push", lambda: play.send("POST", "/Groups", body=body))


def group_id(play: Play) -> str:
    """Return the id of the pushed group."""
    return made_id(created(play), "the POST of the group")


def people(play: Play) -> list[dict[str, str]]:
    """Return three people as Okta writes members; the first is active."""
    active = bodies.member(play.person("update"), play.name("update"))
    others = [(play.person(what, active=False), play.name(what)) for what in ("member2", "member3")]
    return [active, *(bodies.member(identifier, name) for identifier, name in others)]


def members(play: Play, group: str) -> list[str]:
    """Return the sorted ids of a group's members as the server has them now."""
    found = expect.document(expect.status(play.send("GET", f"/Groups/{group}"), 200))
    return sorted(str(member.get("value")) for member in found.get("members") or [])


def hold(play: Play, group: str, wanted: Sequence[Mapping[str, str]]) -> str:
    """Expect exactly these members."""
    found, ids = members(play, group), sorted(member["value"] for member in wanted)
    if found != ids:
        missing = len(set(ids) - set(found))
        raise Broken(f"{len(found)} members; {missing} missing, {len(set(found) - set(ids))} too many")
    return f"{len(found)} members"


def put(play: Play, name: str, wanted: Sequence[Mapping[str, str]] | None) -> Exchange:
    """Write the pushed group as a custom app does."""
    return play.send("PUT", f"/Groups/{group_id(play)}", body=bodies.group(play.group_name(name), wanted))


def patch(play: Play, *operations: Mapping[str, Any]) -> Exchange:
    """Patch the pushed group as an OIN app does; its answer is 200 or 204."""
    exchange = play.send("PATCH", f"/Groups/{group_id(play)}", body=bodies.patch(*operations))
    return expect.status(exchange, 200, 204)


@STEP.check(
    "no group before", "200, totalResults 0, Resources: []", ERROR_STATE, "RFC 7644 section 3.4.2: an empty list.",
)  # fmt: skip
def lookup_before(play: Play) -> None:
    expect.nobody(play.send("GET", "/Groups", query=look_up("displayName", play.group_name("push"))))


@STEP.check(
    "POST without members", "201 with the group and an id as text", ERROR_STATE,
    "RFC 7644 section 3.3; RFC 7643 section 3.1: id is a string.",
)  # fmt: skip
def create(play: Play) -> None:
    found = expect.schema(expect.status(created(play), 201), bodies.GROUP)
    expect.same(found, {"displayName": play.group_name("push")})
    if not isinstance(found.get("id"), str) or not found["id"]:
        raise Broken(f"id is {found.get('id')!r}")


@STEP.check(
    "the look-up finds the group", "exactly 1 result",
    "Okta pushes the group a second time.", "RFC 7644 section 3.4.2.2: displayName eq.",
)  # fmt: skip
def lookup(play: Play) -> None:
    group = group_id(play)
    expect.only(play.send("GET", "/Groups", query=look_up("displayName", play.group_name("push"))), group)


@STEP.check(
    "PUT with its own name", "200, never 409",
    ERROR_STATE + " Okta writes the name again right after the POST.",
    "RFC 7644 section 3.5.1: a resource does not conflict with itself.", CUSTOM,
)  # fmt: skip
def put_own_name(play: Play) -> None:
    expect.status(put(play, "push", []), 200)


@STEP.check(
    "PUT with members", "200, all of them in the group", LOST,
    "RFC 7643 section 4.2: a member's type is optional; RFC 7644 section 3.5.1.", CUSTOM,
)  # fmt: skip
def put_members(play: Play) -> str:
    expect.status(put(play, "push", people(play)), 200)
    return hold(play, group_id(play), people(play))


@STEP.check(
    "PUT with fewer members", "200, the others are out", "Somebody who left the group keeps what it gives.",
    "RFC 7644 section 3.5.1: PUT replaces.", CUSTOM,
)  # fmt: skip
def put_fewer(play: Play) -> str:
    expect.status(put(play, "push", people(play)), 200)
    expect.status(put(play, "push", people(play)[:1]), 200)
    return hold(play, group_id(play), people(play)[:1])


@STEP.check(
    "members: null is no error", "200, nobody left", ERROR_STATE, "RFC 7643 section 2.5: null is unassigned.", CUSTOM,
)  # fmt: skip
def put_null(play: Play) -> str:
    expect.status(put(play, "push", None), 200)
    return hold(play, group_id(play), [])


@STEP.check(
    "PUT with another name renames", "200, the new name", ERROR_STATE, "RFC 7644 section 3.5.1.", CUSTOM,
)  # fmt: skip
def put_rename(play: Play) -> None:
    expect.status(put(play, "renamed", []), 200)
    _expect_name(play, "renamed")


def _expect_name(play: Play, name: str) -> None:
    found = expect.document(expect.status(play.send("GET", f"/Groups/{group_id(play)}"), 200))
    expect.same(found, {"displayName": play.group_name(name)})


@STEP.check(
    "PATCH with id and name renames", "200 or 204, the new name, the same id", ERROR_STATE,
    "RFC 7644 section 3.5.2.3; RFC 7643 section 3.1: id is readOnly, in a value it is ignored.", OIN,
)  # fmt: skip
def patch_rename(play: Play) -> None:
    patch(play, bodies.named(group_id(play), play.group_name("renamed")))
    _expect_name(play, "renamed")


@STEP.check(
    "PATCH add members", "200 or 204, both in the group", LOST, "RFC 7644 section 3.5.2.1.", OIN,
)  # fmt: skip
def patch_add(play: Play) -> str:
    patch(play, {"op": "replace", "path": "members", "value": []})
    patch(play, bodies.with_members(people(play)[:2]))
    return hold(play, group_id(play), people(play)[:2])


@STEP.check(
    "PATCH add keeps those that are in", "200 or 204, three members", LOST,
    "RFC 7644 section 3.5.2.1: add to a multi-valued attribute adds.", OIN,
)  # fmt: skip
def patch_add_more(play: Play) -> str:
    patch(play, {"op": "replace", "path": "members", "value": people(play)[:2]})
    patch(play, bodies.named(group_id(play), play.group_name("renamed")), bodies.with_members(people(play)[2:]))
    return hold(play, group_id(play), people(play))


@STEP.check(
    "PATCH remove members[value eq id]", "200 or 204, this one is out",
    "Somebody who left the group keeps what it gives.", "RFC 7644 section 3.5.2.2: a value path.", OIN,
)  # fmt: skip
def patch_remove(play: Play) -> str:
    patch(play, {"op": "replace", "path": "members", "value": people(play)})
    patch(play, bodies.without_member(people(play)[0]["value"]))
    return hold(play, group_id(play), people(play)[1:])


@STEP.check(
    "PATCH replace members", "200 or 204, exactly these", LOST, "RFC 7644 section 3.5.2.3.", OIN,
)  # fmt: skip
def patch_replace(play: Play) -> str:
    patch(play, {"op": "replace", "path": "members", "value": people(play)})
    patch(play, {"op": "replace", "path": "members", "value": people(play)[1:2]})
    return hold(play, group_id(play), people(play)[1:2])


@STEP.check(
    "PATCH replace members without a path", "200 or 204, exactly these", LOST,
    "RFC 7644 section 3.5.2.3: without a path, value holds the attributes.", OIN,
)  # fmt: skip
def patch_replace_pathless(play: Play) -> str:
    patch(play, {"op": "replace", "value": {"id": group_id(play), "members": people(play)[:1]}})
    return hold(play, group_id(play), people(play)[:1])


@STEP.check(
    "a renamed group's old name is free", "201",
    ERROR_STATE + " The name stays taken by a group that no longer has it.",
    "RFC 7644 section 3.3: 409 is for a conflict with an existing resource only.",
)  # fmt: skip
def old_name(play: Play) -> None:
    group_id(play)
    if play.app == "custom":
        expect.status(put(play, "renamed", []), 200)
    else:
        patch(play, bodies.named(group_id(play), play.group_name("renamed")))
    expect.status(play.send("POST", "/Groups", body=bodies.group(play.group_name("push"))), 201)


def unlinked(play: Play) -> Exchange:
    """Return the DELETE of a group with a member."""
    group = play.group("unlink", people(play)[:1])
    return play.once("unlink", lambda: play.send("DELETE", f"/Groups/{group}"))


@STEP.check("unlinking deletes the group", "204", "The group stays at the server for ever.", "RFC 7644 section 3.6.")
def unlink(play: Play) -> None:
    expect.status(unlinked(play), 204)


@STEP.check(
    "the deleted group is gone", "404 as a SCIM error", "Okta cannot push a group of that name again.",
    "RFC 7644 section 3.6: a deleted resource is 404.",
)  # fmt: skip
def unlink_gone(play: Play) -> None:
    unlinked(play)
    expect.error(play.send("GET", f"/Groups/{play.group('unlink')}"), 404)


@STEP.check(
    "the people stay", "200, not deactivated",
    "Unlinking a group takes the accounts of all its members away.",
    "Fact; RFC 7643 section 4.2: members are references.",
)  # fmt: skip
def unlink_people(play: Play) -> None:
    unlinked(play)
    found = expect.document(expect.status(play.send("GET", f"/Users/{people(play)[0]['value']}"), 200))
    if found.get("active") is False:
        raise Broken("active is False")
