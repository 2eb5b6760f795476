"""Groups are pushed, written, renamed and unlinked, by PUT (custom app) or PATCH (OIN app)."""

from collections.abc import Mapping, Sequence

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document, add_members, remove_member, rename_group, replace_members
from scim.emulator.checks import common
from scim.emulator.client import Reply
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.runner import CheckFailed, CheckStep, TestRun, created_id, shared

STEP = CheckStep("groups", "Push groups")
row, check = STEP.row, STEP.check
ERROR_STATE = "The push mapping goes into the error state; changes of the group do not arrive until it is pushed again."
OUT_OF_STEP = "The members in Okta and at the server differ, and Okta shows no error."
KEEPS_ACCESS = "A person who has left the group keeps its access."
Members = Sequence[Mapping[str, str]]


@shared
def created(run: TestRun) -> Reply:
    return run.post("/Groups", bodies.group(run.group_name("push")))


def group_id(run: TestRun) -> str:
    return created_id(created(run), "the POST of the group")


def people(run: TestRun) -> list[dict[str, str]]:
    """Return three people as Okta writes members; the first one is active."""
    active = bodies.member(run.user("update"), run.user_name("update"))
    others = [(run.user(label, active=False), run.user_name(label)) for label in ("member2", "member3")]
    return [active, *(bodies.member(identifier, name) for identifier, name in others)]


def stored(run: TestRun) -> Document:
    return common.read(run, f"/Groups/{group_id(run)}")


def expect_members(run: TestRun, expected: Members) -> str:
    """Expect exactly these members in the pushed group."""
    found = [str(member.get("value")) for member in stored(run).get("members") or []]
    ids = [member["value"] for member in expected]
    if sorted(found) != sorted(ids):
        missing, surplus = len(set(ids) - set(found)), len(set(found) - set(ids))
        raise CheckFailed(f"{len(found)} members; {missing} missing, {surplus} too many")
    return f"{len(found)} members"


def expect_renamed(run: TestRun) -> None:
    expect.values(stored(run), {"displayName": run.group_name("renamed")})


def put(run: TestRun, label: str, members: Members | None = ()) -> Reply:
    """Write the pushed group as a custom app does and expect 200."""
    body = bodies.group(run.group_name(label), members)
    return expect.status(run.send("PUT", f"/Groups/{group_id(run)}", body=body), 200)


def put_each(run: TestRun, *lists: Members | None) -> str:
    """Write one list of members after the other, and expect the last of them."""
    for members in lists:
        put(run, "push", members)
    return expect_members(run, lists[-1] or [])


def patch(run: TestRun, *operations: Document) -> Reply:
    """Patch the pushed group as an OIN app does and expect 200 or 204."""
    return common.patch(run, f"/Groups/{group_id(run)}", *operations)


def renaming(run: TestRun) -> Document:
    return rename_group(group_id(run), run.group_name("renamed"))


def patch_members(run: TestRun, *operations: Document, expected: Members) -> str:
    """Patch the pushed group, and expect its members."""
    patch(run, *operations)
    return expect_members(run, expected)


def start_with(run: TestRun, members: Members) -> None:
    patch(run, replace_members(members))


row("lookup_before", "the look-up finds no group before", "200, totalResults 0, Resources: []", ERROR_STATE,
    "RFC 7644 section 3.4.2: an empty list.",
    lambda run: expect.empty_list(run.find_group(run.group_name("push"))))  # fmt: skip


row("create", "POST without members", "201 with the group and an id as text", ERROR_STATE,
    "RFC 7644 section 3.3; RFC 7643 section 3.1: id is a string.",
    lambda run: expect.schema(expect.status(created(run), 201), bodies.GROUP),
    lambda run: expect.text_id(expect.values(created(run), {"displayName": run.group_name("push")})))  # fmt: skip
row("lookup", "the look-up finds the group", "exactly 1 result",
    "Okta pushes the group a second time.", "RFC 7644 section 3.4.2.2: displayName eq.",
    lambda run: expect.only(group_id(run), run.find_group(run.group_name("push"))))  # fmt: skip
row("put_own_name", "PUT with the group's own name", "200, never 409",
    ERROR_STATE + " Okta writes the name again right after the POST.",
    "RFC 7644 section 3.5.1: a resource does not conflict with itself.", lambda run: put(run, "push"),
    dialect=CUSTOM)  # fmt: skip
row("put_members", "PUT with members", "200, all of them are in the group", OUT_OF_STEP,
    "RFC 7643 section 4.2: a member's type is optional; RFC 7644 section 3.5.1.",
    lambda run: put_each(run, people(run)), dialect=CUSTOM)  # fmt: skip
row("put_fewer", "PUT with fewer members", "200, the others are removed", KEEPS_ACCESS,
    "RFC 7644 section 3.5.1: PUT replaces.", lambda run: put_each(run, people(run), people(run)[:1]),
    dialect=CUSTOM)  # fmt: skip
row("put_null", "members: null is accepted", "200, no members", ERROR_STATE,
    "RFC 7643 section 2.5: null is unassigned.", lambda run: put_each(run, None), dialect=CUSTOM)  # fmt: skip
row("put_rename", "PUT with another name renames", "200, the new name", ERROR_STATE, "RFC 7644 section 3.5.1.",
    lambda run: put(run, "renamed"), expect_renamed, dialect=CUSTOM)  # fmt: skip
row("patch_rename", "PATCH with id and name renames", "200 or 204, the new name, the same id", ERROR_STATE,
    "RFC 7644 section 3.5.2.3; RFC 7643 section 3.1: id is readOnly and ignored in a value.",
    lambda run: patch(run, renaming(run)), expect_renamed, dialect=OIN)  # fmt: skip
row("patch_add", "PATCH add adds members", "200 or 204, both are in the group", OUT_OF_STEP,
    "RFC 7644 section 3.5.2.1.", lambda run: start_with(run, []),
    lambda run: patch_members(run, add_members(people(run)[:2]), expected=people(run)[:2]), dialect=OIN)  # fmt: skip
row("patch_add_more", "PATCH add keeps the other members", "200 or 204, three members", OUT_OF_STEP,
    "RFC 7644 section 3.5.2.1: add to a multi-valued attribute adds.", lambda run: start_with(run, people(run)[:2]),
    lambda run: patch_members(run, renaming(run), add_members(people(run)[2:]), expected=people(run)),
    dialect=OIN)  # fmt: skip
row("patch_remove", "PATCH remove members[value eq id]", "200 or 204, this member is removed", KEEPS_ACCESS,
    "RFC 7644 section 3.5.2.2: a value path.", lambda run: start_with(run, people(run)),
    lambda run: patch_members(run, remove_member(people(run)[0]["value"]), expected=people(run)[1:]),
    dialect=OIN)  # fmt: skip
row("patch_replace", "PATCH replace members", "200 or 204, exactly these", OUT_OF_STEP, "RFC 7644 section 3.5.2.3.",
    lambda run: start_with(run, people(run)),
    lambda run: patch_members(run, replace_members(people(run)[1:2]), expected=people(run)[1:2]),
    dialect=OIN)  # fmt: skip


row("patch_replace_pathless", "PATCH replace members without a path", "200 or 204, exactly these", OUT_OF_STEP,
    "RFC 7644 section 3.5.2.3: without a path, value holds the attributes.",
    lambda run: patch_members(
        run, {"op": "replace", "value": {"id": group_id(run), "members": people(run)[:1]}}, expected=people(run)[:1]),
    dialect=OIN)  # fmt: skip


@check("the old name of a renamed group is free", "201",
       ERROR_STATE + " The name stays reserved for a group that no longer has it.",
       "RFC 7644 section 3.3: 409 is for a conflict with an existing resource only.", before=group_id)  # fmt: skip
def old_name(run: TestRun) -> None:
    if run.dialect == CUSTOM:
        put(run, "renamed")
    else:
        patch(run, renaming(run))
    expect.status(run.post("/Groups", bodies.group(run.group_name("push"))), 201)


@shared
def unlinked(run: TestRun) -> Reply:
    return run.send("DELETE", run.group_path("unlink", people(run)[:1]))


row("unlink", "unlinking deletes the group", "204", "The group stays at the server.", "RFC 7644 section 3.6.",
    lambda run: expect.status(unlinked(run), 204))  # fmt: skip
row("unlink_gone", "the deleted group is gone", "404 as a SCIM error", "Okta cannot push a group of that name again.",
    "RFC 7644 section 3.6: a deleted resource is 404.",
    unlinked, lambda run: expect.error(run.get(run.group_path("unlink")), 404))  # fmt: skip


@check("the members stay active", "200, not deactivated", "Unlinking a group locks all its members out.",
       "RFC 7643 section 4.2: members are references.", before=unlinked)  # fmt: skip
def unlink_people(run: TestRun) -> None:
    found = common.read(run, f"/Users/{people(run)[0]['value']}")
    expect.that(found.get("active") is not False, "active is False")
