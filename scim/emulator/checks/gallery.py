"""The 25 tests of Microsoft for applications in Entra's gallery, as the requests of provisioning cycles."""

from collections.abc import Callable

from scim.emulator import expect
from scim.emulator.bodies import ENTERPRISE, GROUP, USER
from scim.emulator.checks.entra import (
    MANAGER,
    at,
    attributes,
    flattened,
    patch,
    person,
    read,
    same,
)
from scim.emulator.dialects import ENTRA
from scim.emulator.runner import CheckFailed, CheckFunction, CheckSkipped, CheckStep, TestRun

STEP = CheckStep("gallery", "Entra App Gallery: Microsoft's 25 tests", dialects=[ENTRA])
QUARANTINE = "Each cycle tries again and fails; after many failures Entra puts the whole job into quarantine."
STALE = "Entra believes that the change has arrived; the application keeps the old values."
NOT_IN_GALLERY = "The application does not come into the gallery."
TWICE = "Entra creates the account a second time, or ends in a 409 in each cycle."
NEED_GROUP_SCHEMA = (8, 9, 11, 12, 13, 19, 20)


def group_schema(run: TestRun) -> None:
    """Expect a Group schema, without which the tests of groups fail and are not skipped."""
    if not attributes(run, GROUP):
        raise CheckFailed("/Schemas has no Group schema")


def test(
    number: int, name: str, expected: str, otherwise: str, source: str, *needs: str, optional: bool = False
) -> Callable[[CheckFunction], CheckFunction]:
    """Return a decorator for the test with Microsoft's number and name; a failed optional one is a warning."""
    kind = "optional" if optional else "mandatory"
    return STEP.check(
        f"{number} {name} ({kind})", expected, otherwise, f"Fact: gallery test {number}, {kind}. {source}",
        warning=optional, needs=[f"gallery.{need}" for need in needs], name=name.removesuffix("_Test").lower(),
        before=group_schema if number in NEED_GROUP_SCHEMA else None,
    )  # fmt: skip


def _provision(run: TestRun, label: str) -> None:
    body = person(run, label)
    identifier = run.flows.assign(body)
    run.label_user(label, identifier)
    same(body, expect.only(run.find_user(body["userName"]), identifier))


@test(1, "Create_User_Test", "created, and found by userName with all values", QUARANTINE, "RFC 7644 section 3.3.")
def create_user(run: TestRun) -> None:
    _provision(run, "created")


@test(2, "Update_User_Test", "title, names and department as sent", STALE, "RFC 7644 section 3.5.2.3.")
def update_user(run: TestRun) -> None:
    name = {"givenName": "Augusta", "familyName": "King"}
    values = {"title": "Countess", "name": name, ENTERPRISE: {"department": "Mathematics"}}
    run.flows.update(run.user("updated"), values)
    same(values, read(run, f"/Users/{run.user('updated')}"))


@test(
    3, "Disable_User_Test", "active false", "A person who has left keeps access.",
    'RFC 7643 section 4.1.1: active; Entra writes "False" as text.',
)  # fmt: skip
def disable_user(run: TestRun) -> None:
    run.flows.set_active(run.user("disabled"), False)
    expect.values(read(run, f"/Users/{run.user('disabled')}"), {"active": False})


@test(
    4, "Delete_User_Test", "404, or the look-up finds nobody", "The account stays for ever.", "RFC 7644 section 3.6.",
    optional=True,
)  # fmt: skip
def delete_user(run: TestRun) -> None:
    identifier = run.user("deleted")
    expect.status(run.send("DELETE", f"/Users/{identifier}"), 200, 204)
    if run.get(f"/Users/{identifier}").status != 404:
        expect.empty_list(run.find_user(run.user_name("deleted")))


def expect_manager(run: TestRun, label: str, op: str, value: str | None) -> None:
    change = {"op": op, "path": MANAGER} | ({} if value is None else {"value": value})
    patch(run, f"/Users/{run.user(label)}", change)
    held = at(read(run, f"/Users/{run.user(label)}"), MANAGER)
    found = held.get("value") if isinstance(held, dict) else held
    if (found or "") != (value or ""):
        raise CheckFailed(f"manager is {held!r} after {op} of {value!r}")


def mapped_manager(run: TestRun) -> None:
    reply = run.cached("schemas", lambda: run.get("/Schemas"))
    if reply.status == 200 and "manager" not in flattened(run, USER):
        raise CheckSkipped("manager is not mapped, since /Schemas does not have it")


@test(
    5, "User_Update_Manager_Test", "manager set, changed, removed", STALE,
    "RFC 7643 section 4.3: manager.value is the id of a user.",
)  # fmt: skip
def user_update_manager(run: TestRun) -> None:
    mapped_manager(run)
    for op, boss in (("Add", run.user("boss")), ("Replace", run.user("boss2")), ("Remove", None)):
        expect_manager(run, "managed", op, boss)


@test(
    6, "Restore_User_Test", "once, and active again", TWICE,
    "Fact: the look-up finds people who are not active, too.", "disable_user",
)  # fmt: skip
def restore_user(run: TestRun) -> None:
    identifier = run.user("restored")
    run.flows.set_active(identifier, False)
    run.label_user("restored again", run.flows.assign(run.user_body("restored")))
    found = expect.resources(run.find_user(run.user_name("restored")))
    if [user.get("active") for user in found] != [True]:
        raise CheckFailed(f"{len(found)} found, active is {[user.get('active') for user in found]!r}")


@test(7, "POD_User_Test", "as test 1, one person at once", QUARANTINE, "RFC 7644 section 3.3.", "create_user")
def pod_user(run: TestRun) -> None:
    _provision(run, "demanded")


def _push(run: TestRun, label: str) -> str:
    group = run.flows.push_group(run.group_name(label))
    expect.only(run.find_group(run.group_name(label)), group)
    return group


@test(8, "Create_Group_Test", "created, and found by displayName", QUARANTINE, "RFC 7643 section 4.2; /Schemas.")
def create_group(run: TestRun) -> None:
    _push(run, "created")


@test(9, "Update_Group_Test", "found under the new name only", STALE, "RFC 7644 section 3.5.2.3.", "create_group")
def update_group(run: TestRun) -> None:
    group = _push(run, "old")
    run.flows.write_group(group, run.group_name("new"), [], [])
    expect.only(run.find_group(run.group_name("new")), group)
    expect.empty_list(run.find_group(run.group_name("old")))


@test(
    10, "Delete_Group_Test", "the look-up finds none", "The group stays for ever.", "RFC 7644 section 3.6.",
    optional=True,
)  # fmt: skip
def delete_group(run: TestRun) -> None:
    run.flows.unlink_group(run.group("deleted"))
    expect.empty_list(run.find_group(run.group_name("deleted")))


def _expect_members(run: TestRun, group: str, expected: list[str]) -> str:
    found = [str(member.get("value")) for member in read(run, f"/Groups/{group}").get("members") or []]
    if sorted(found) != sorted(expected):
        raise CheckFailed(f"{len(found)} members, not {len(expected)}")
    return f"members: {len(found)}"


@test(
    11, "Group_Update_Add_Member_Test", "the person is a member", "Members do not arrive.", "RFC 7644 section 3.5.2.1.",
    "create_group",
)  # fmt: skip
def group_update_add_member(run: TestRun) -> str:
    group, ada = run.cached("group of members", lambda: _push(run, "members")), run.user("member")
    run.flows.write_group(group, run.group_name("members"), [{"value": ada}], [])
    return _expect_members(run, group, [ada])


@test(
    12, "Group_Update_Remove_Member_Test", "that person is removed, others stay",
    "A person who has left the group keeps its access, or all others lose it.",
    "Fact: Entra sends Remove with a list of values, which removes just those.", "group_update_add_member",
)  # fmt: skip
def group_update_remove_member(run: TestRun) -> str:
    group = run.cached("group of members", lambda: _push(run, "members"))
    ada, grace = run.user("member"), run.user("member2")
    run.flows.write_group(group, run.group_name("members"), [{"value": ada}, {"value": grace}], [])
    run.flows.write_group(group, run.group_name("members"), [{"value": grace}], [ada, grace])
    return _expect_members(run, group, [grace])


@test(13, "POD_Group_Test", "as test 8, with a member", QUARANTINE, "RFC 7643 section 4.2.", "group_update_add_member")
def pod_group(run: TestRun) -> str:
    group, ada = _push(run, "demanded"), run.user("member")
    run.flows.write_group(group, run.group_name("demanded"), [{"value": ada}], [])
    return _expect_members(run, group, [ada])


@test(
    14, "Restore_Group_Test", "found after it was deleted and pushed again", TWICE, "RFC 7644 section 3.6.",
    "create_group", "delete_group", optional=True,
)  # fmt: skip
def restore_group(run: TestRun) -> None:
    run.flows.unlink_group(_push(run, "restored"))
    _push(run, "restored")
