"""Groups are pushed, written, renamed and unlinked, by PUT (custom app) or PATCH (OIN app)."""

from collections.abc import Mapping, Sequence
from typing import Any

from scim.emulator import bodies, expect
from scim.emulator.client import Reply
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.runner import CheckFailed, CheckStep, TestRun, created_id

STEP = CheckStep("groups", "Push groups")
ERROR_STATE = "The push mapping goes into the error state; changes of the group do not arrive until it is pushed again."
OUT_OF_STEP = "The members in Okta and at the server differ, and Okta shows no error."
KEEPS_ACCESS = "A person who has left the group keeps its access."


def created(run: TestRun) -> Reply:
    """Return the reply to the POST of an empty group."""
    body = bodies.group(run.group_name("push"))
    return run.cached("push", lambda: run.send("POST", "/Groups", body=body))


def group_id(run: TestRun) -> str:
    """Return the id of the pushed group."""
    return created_id(created(run), "the POST of the group")


def people(run: TestRun) -> list[dict[str, str]]:
    """Return three people as Okta writes members; the first one is active."""
    active = bodies.member(run.user("update"), run.user_name("update"))
    others = [(run.user(label, active=False), run.user_name(label)) for label in ("member2", "member3")]
    return [active, *(bodies.member(identifier, name) for identifier, name in others)]


def expect_members(run: TestRun, expected: Sequence[Mapping[str, str]]) -> str:
    """Expect exactly these members in the pushed group."""
    stored = expect.document(run.get(f"/Groups/{group_id(run)}"), 200)
    found = [str(member.get("value")) for member in stored.get("members") or []]
    ids = [member["value"] for member in expected]
    if sorted(found) != sorted(ids):
        missing, surplus = len(set(ids) - set(found)), len(set(found) - set(ids))
        raise CheckFailed(f"{len(found)} members; {missing} missing, {surplus} too many")
    return f"{len(found)} members"


def put(run: TestRun, label: str, members: Sequence[Mapping[str, str]] | None) -> Reply:
    """Write the pushed group as a custom app does and expect 200."""
    body = bodies.group(run.group_name(label), members)
    return expect.status(run.send("PUT", f"/Groups/{group_id(run)}", body=body), 200)


def patch(run: TestRun, *operations: Mapping[str, Any]) -> Reply:
    """Patch the pushed group as an OIN app does and expect 200 or 204."""
    reply = run.send("PATCH", f"/Groups/{group_id(run)}", body=bodies.patch(*operations))
    return expect.status(reply, 200, 204)


@STEP.check(
    "the look-up finds no group before", "200, totalResults 0, Resources: []", ERROR_STATE,
    "RFC 7644 section 3.4.2: an empty list.",
)  # fmt: skip
def lookup_before(run: TestRun) -> None:
    expect.empty_list(run.find_group(run.group_name("push")))


@STEP.check(
    "POST without members", "201 with the group and an id as text", ERROR_STATE,
    "RFC 7644 section 3.3; RFC 7643 section 3.1: id is a string.",
)  # fmt: skip
def create(run: TestRun) -> None:
    found = expect.schema(expect.status(created(run), 201), bodies.GROUP)
    expect.values(found, {"displayName": run.group_name("push")})
    expect.text_id(found)


@STEP.check(
    "the look-up finds the group", "exactly 1 result",
    "Okta pushes the group a second time.", "RFC 7644 section 3.4.2.2: displayName eq.",
)  # fmt: skip
def lookup(run: TestRun) -> None:
    group = group_id(run)
    expect.only(run.find_group(run.group_name("push")), group)


@STEP.check(
    "PUT with the group's own name", "200, never 409",
    ERROR_STATE + " Okta writes the name again right after the POST.",
    "RFC 7644 section 3.5.1: a resource does not conflict with itself.", [CUSTOM],
)  # fmt: skip
def put_own_name(run: TestRun) -> None:
    put(run, "push", [])


@STEP.check(
    "PUT with members", "200, all of them are in the group", OUT_OF_STEP,
    "RFC 7643 section 4.2: a member's type is optional; RFC 7644 section 3.5.1.", [CUSTOM],
)  # fmt: skip
def put_members(run: TestRun) -> str:
    put(run, "push", people(run))
    return expect_members(run, people(run))


@STEP.check(
    "PUT with fewer members", "200, the others are removed", KEEPS_ACCESS,
    "RFC 7644 section 3.5.1: PUT replaces.", [CUSTOM],
)  # fmt: skip
def put_fewer(run: TestRun) -> str:
    put(run, "push", people(run))
    put(run, "push", people(run)[:1])
    return expect_members(run, people(run)[:1])


@STEP.check(
    "members: null is accepted", "200, no members", ERROR_STATE, "RFC 7643 section 2.5: null is unassigned.", [CUSTOM],
)  # fmt: skip
def put_null(run: TestRun) -> str:
    put(run, "push", None)
    return expect_members(run, [])


@STEP.check(
    "PUT with another name renames", "200, the new name", ERROR_STATE, "RFC 7644 section 3.5.1.", [CUSTOM],
)  # fmt: skip
def put_rename(run: TestRun) -> None:
    put(run, "renamed", [])
    _expect_renamed(run)


def _expect_renamed(run: TestRun) -> None:
    found = expect.document(run.get(f"/Groups/{group_id(run)}"), 200)
    expect.values(found, {"displayName": run.group_name("renamed")})


@STEP.check(
    "PATCH with id and name renames", "200 or 204, the new name, the same id", ERROR_STATE,
    "RFC 7644 section 3.5.2.3; RFC 7643 section 3.1: id is readOnly and ignored in a value.", [OIN],
)  # fmt: skip
def patch_rename(run: TestRun) -> None:
    patch(run, bodies.rename_group(group_id(run), run.group_name("renamed")))
    _expect_renamed(run)


@STEP.check(
    "PATCH add adds members", "200 or 204, both are in the group", OUT_OF_STEP, "RFC 7644 section 3.5.2.1.", [OIN],
)  # fmt: skip
def patch_add(run: TestRun) -> str:
    patch(run, bodies.replace_members([]))
    patch(run, bodies.add_members(people(run)[:2]))
    return expect_members(run, people(run)[:2])


@STEP.check(
    "PATCH add keeps the other members", "200 or 204, three members", OUT_OF_STEP,
    "RFC 7644 section 3.5.2.1: add to a multi-valued attribute adds.", [OIN],
)  # fmt: skip
def patch_add_more(run: TestRun) -> str:
    patch(run, bodies.replace_members(people(run)[:2]))
    patch(run, bodies.rename_group(group_id(run), run.group_name("renamed")), bodies.add_members(people(run)[2:]))
    return expect_members(run, people(run))


@STEP.check(
    "PATCH remove members[value eq id]", "200 or 204, this member is removed", KEEPS_ACCESS,
    "RFC 7644 section 3.5.2.2: a value path.", [OIN],
)  # fmt: skip
def patch_remove(run: TestRun) -> str:
    patch(run, bodies.replace_members(people(run)))
    patch(run, bodies.remove_member(people(run)[0]["value"]))
    return expect_members(run, people(run)[1:])


@STEP.check(
    "PATCH replace members", "200 or 204, exactly these", OUT_OF_STEP, "RFC 7644 section 3.5.2.3.", [OIN],
)  # fmt: skip
def patch_replace(run: TestRun) -> str:
    patch(run, bodies.replace_members(people(run)))
    patch(run, bodies.replace_members(people(run)[1:2]))
    return expect_members(run, people(run)[1:2])


@STEP.check(
    "PATCH replace members without a path", "200 or 204, exactly these", OUT_OF_STEP,
    "RFC 7644 section 3.5.2.3: without a path, value holds the attributes.", [OIN],
)  # fmt: skip
def patch_replace_pathless(run: TestRun) -> str:
    patch(run, {"op": "replace", "value": {"id": group_id(run), "members": people(run)[:1]}})
    return expect_members(run, people(run)[:1])


@STEP.check(
    "the old name of a renamed group is free", "201",
    ERROR_STATE + " The name stays reserved for a group that no longer has it.",
    "RFC 7644 section 3.3: 409 is for a conflict with an existing resource only.",
)  # fmt: skip
def old_name(run: TestRun) -> None:
    group = group_id(run)
    if run.dialect == CUSTOM:
        put(run, "renamed", [])
    else:
        patch(run, bodies.rename_group(group, run.group_name("renamed")))
    expect.status(run.send("POST", "/Groups", body=bodies.group(run.group_name("push"))), 201)


def unlinked(run: TestRun) -> Reply:
    """Return the reply to the DELETE of a group with a member."""
    group = run.group("unlink", people(run)[:1])
    return run.cached("unlink", lambda: run.send("DELETE", f"/Groups/{group}"))


@STEP.check("unlinking deletes the group", "204", "The group stays at the server.", "RFC 7644 section 3.6.")
def unlink(run: TestRun) -> None:
    expect.status(unlinked(run), 204)


@STEP.check(
    "the deleted group is gone", "404 as a SCIM error", "Okta cannot push a group of that name again.",
    "RFC 7644 section 3.6: a deleted resource is 404.",
)  # fmt: skip
def unlink_gone(run: TestRun) -> None:
    unlinked(run)
    expect.error(run.get(f"/Groups/{run.group('unlink')}"), 404)


@STEP.check(
    "the members stay active", "200, not deactivated",
    "Unlinking a group locks all its members out.", "RFC 7643 section 4.2: members are references.",
)  # fmt: skip
def unlink_people(run: TestRun) -> None:
    unlinked(run)
    found = expect.document(run.get(f"/Users/{people(run)[0]['value']}"), 200)
    if found.get("active") is False:
        raise CheckFailed("active is False")
