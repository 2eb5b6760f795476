"""Microsoft's SCIM Validator: its 25 tests and 7 previews, as it writes them."""

from scim.emulator import bodies, expect
from scim.emulator.bodies import ENTERPRISE, USER, Document, entra_group, operation, remove_member
from scim.emulator.checks import entra
from scim.emulator.checks.common import change, patch, read
from scim.emulator.checks.entra import FULL, MANAGER, SET_ROLES, operations, person, same, with_role, word
from scim.emulator.client import Reply, look_up
from scim.emulator.dialects import ENTRA
from scim.emulator.runner import (
    CheckFailed,
    CheckStep,
    CheckWarned,
    TestRun,
    created_id,
    shared,
)

MANDATORY = "Fact: the SCIM Validator, mandatory. "
NOT_MANDATORY = "Fact: the SCIM Validator's preview, not mandatory. "
STEP = CheckStep("validator", "Microsoft's SCIM Validator", dialects=[ENTRA], mark=MANDATORY)
PREVIEW = CheckStep(
    "preview", "Microsoft's SCIM Validator, preview", dialects=[ENTRA], mark=NOT_MANDATORY, warning=True
)
test, preview = STEP.row, PREVIEW.row
TWICE = "Entra creates it again and again, or ends in a 409 in each cycle."
STALE = "Entra believes that the change has arrived; the application keeps the old values."
NO_CONNECTION = "Entra reads an error as a broken connection."
KEEPS_ACCESS = "A person who has left keeps access."
TOO_LARGE = "Large groups run into Entra's time limit."
WITH_SYNTAX = ("profileUrl", "locale", "timezone", "preferredLanguage", "country", "emails", "phoneNumbers")
UNFAIR = (
    ". Microsoft's own test is unfair here: it sends random letters to {}, and a server may check the syntax "
    "(RFC 7643 section 4.1)"
)


@shared
def created(run: TestRun) -> tuple[Document, Reply]:
    """Return the full person as it was sent, and the reply; the role is the one that the server takes."""
    sent: list[Document] = []

    def send(role: str | None) -> Reply:
        body = person(run, "validator", FULL)
        body[ENTERPRISE]["manager"] = {"value": word(run)}
        if role:
            body["roles"] = [{"primary": "True", "display": word(run), "value": role, "type": word(run)}]
        sent.append(body)
        return run.post("/Users", body)

    reply = with_role(run, send)
    return sent[-1], reply


def person_id(run: TestRun) -> str:
    return created_id(created(run)[1], "the POST of the person")


def find(run: TestRun, name: str) -> Document:
    """Expect that the look-up of a name finds the full person."""
    return expect.only(person_id(run), run.find_user(name))


@test("create_user", "create a person with all attributes", "201, and found with all values",
      "Provisioning fails for everybody.", "RFC 7644 section 3.3; the role is random.")  # fmt: skip
def create_user(run: TestRun) -> None:
    body, reply = created(run)
    strict = [name for name in WITH_SYNTAX if name in reply.detail]
    if reply.status == 400 and strict:
        raise CheckFailed(f"400 {reply.detail}{UNFAIR.format(', '.join(strict))}")
    expect.status(reply, 201)
    same(body, find(run, body["userName"]))
    if run.refused_role:
        cause = run.refused_role.partition(". ")[0].rstrip(".")
        raise CheckWarned(f"the random role is refused: {cause}. To pass, {SET_ROLES}")


test("create_user_again", "create the same person again", "409", "Two people share one account.",
     "RFC 7644 section 3.3: uniqueness.",
     person_id, lambda run: expect.status(run.post("/Users", created(run)[0]), 409),
     needs=["validator.create_user"])  # fmt: skip
test("filter_user", "look up one who exists", "exactly 1 result", TWICE, "RFC 7644 section 3.4.2.2.",
     lambda run: find(run, run.user_name("validator")), needs=["validator.create_user"])  # fmt: skip
test("filter_user_missing", "look up one who does not exist", "200, totalResults 0", NO_CONNECTION,
     "RFC 7644 section 3.4.2.", lambda run: expect.empty_list(run.find_user(run.user_name("nobody"))))  # fmt: skip
test("filter_user_case", "look up in other case", "exactly 1 result", TWICE,
     "RFC 7643 section 8.7.1: userName is not caseExact.", lambda run: find(run, run.user_name("validator").swapcase()),
     needs=["validator.filter_user"])  # fmt: skip


def write_all(run: TestRun, identifier: str, op: str, *more: Document) -> Document:
    """Send a PATCH of about 36 operations, and return what must be there afterwards."""
    expected: list[Document] = []

    def send(role: str | None) -> Reply:
        changes, written = operations(run, op, FULL, role)
        expected.append(written)
        return run.send("PATCH", f"/Users/{identifier}", body=bodies.patch(*changes, *more))

    expect.status(with_role(run, send), 200, 204)
    return expected[-1]


@test("replace_attributes", "replace all attributes, each by its path", "200 or 204, all as sent", STALE,
      "RFC 7644 section 3.5.2.3: a value path.", needs=["validator.create_user", "gallery.update_user"])  # fmt: skip
def replace_attributes(run: TestRun) -> None:
    expected = write_all(run, person_id(run), "replace")
    same(expected, find(run, run.user_name("validator")))


@test("update_user_name", "replace userName without a path", "200 or 204, found under the new name", TWICE,
      "RFC 7644 section 3.5.2.3: without a path, value holds the attributes.")  # fmt: skip
def update_user_name(run: TestRun) -> None:
    name = run.user_name("named")
    patch(run, run.user_path("unnamed"), {"op": "replace", "value": {"userName": name}})
    expect.only(run.user("unnamed"), run.find_user(name))


test("disable_user", "deactivate", "200 or 204, still found, active false", KEEPS_ACCESS,
     "RFC 7643 section 4.1.1: active.",
     lambda run: change(run, run.user_path("leaver"), operation("replace", "active", False)),
     lambda run: expect.values(
         expect.only(run.user("leaver"), run.find_user(run.user_name("leaver"))), {"active": False}),
     needs=["gallery.disable_user"])  # fmt: skip


@test("add_attributes", "add all attributes, each by its path", "200 or 204, all as sent", STALE,
      "RFC 7644 section 3.5.2.1: a path may name an element that is not there.",
      needs=["validator.replace_attributes"])  # fmt: skip
def add_attributes(run: TestRun) -> None:
    body = {"schemas": [USER, ENTERPRISE], "userName": run.user_name("bare")}
    identifier = created_id(run.post("/Users", body), "the POST of userName alone")
    manager = {"value": run.user("boss")}
    expected = write_all(run, identifier, "add", operation("add", MANAGER, manager))
    expected[ENTERPRISE]["manager"] = manager
    same(expected, read(run, f"/Users/{identifier}"))


def manage(run: TestRun, op: str, boss: str) -> None:
    """Write a manager as an object, and expect its id; "" for none."""
    held = entra.write_manager(run, "managed", op, {"value": boss}) or {}
    expect.that(entra.manager_id(held) == boss, f"manager is {held!r}")


test("add_manager", "add a manager as an object", "200 or 204, the manager's id", STALE,
     "RFC 7643 section 4.3: manager is complex.", lambda run: manage(run, "add", run.user("boss")),
     needs=["gallery.user_update_manager"])  # fmt: skip
test("replace_manager", "replace the manager", "200 or 204, the other's id", STALE, "RFC 7643 section 4.3.",
     lambda run: manage(run, "replace", run.user("boss2")),
     needs=["validator.add_manager", "gallery.user_update_manager"])  # fmt: skip
test("remove_manager", 'replace the manager by {"value": ""}', "200 or 204, no manager", STALE,
     'RFC 7643 section 2.5; Entra sends "" for no value.', lambda run: manage(run, "replace", ""),
     needs=["validator.add_manager", "gallery.user_update_manager"])  # fmt: skip


def delete(run: TestRun, path: str) -> None:
    expect.status(run.send("DELETE", path), 200, 204)
    expect.status(run.get(path), 404)


test("delete_user", "delete a person", "204, then 404", "The account stays for ever.", "RFC 7644 section 3.6.",
     lambda run: delete(run, run.user_path("erased")), needs=["gallery.delete_user"])  # fmt: skip


@shared
def created_group(run: TestRun) -> tuple[Document, Reply]:
    body = entra_group(run.group_name("validator"))
    return body, run.post("/Groups", body)


def group_id(run: TestRun) -> str:
    return created_id(created_group(run)[1], "the POST of the group")


@test("create_group", "create a group", "201, and found with all values", "Groups are never provisioned.",
      "RFC 7644 section 3.3.")  # fmt: skip
def create_group(run: TestRun) -> None:
    body, reply = created_group(run)
    expect.status(reply, 201)
    same(body, expect.only(group_id(run), run.find_group(body["displayName"])))


test("create_group_again", "create the same group again", "409", "The application gets two groups of one name.",
     "RFC 7644 section 3.3: uniqueness.",
     group_id, lambda run: expect.status(run.post("/Groups", created_group(run)[0]), 409),
     needs=["validator.create_group"])  # fmt: skip


def crowd(run: TestRun) -> str:
    return run.group("crowd", [{"value": run.user("member")}])


def crowd_without_members(run: TestRun, found: Document) -> None:
    expect.values(found, {"displayName": run.group_name("crowd")})
    expect.that("members" not in found, "members is there")


@test("get_group", "read a group without members", "200, no members", TOO_LARGE,
      "RFC 7644 section 3.9: excludedAttributes.")  # fmt: skip
def get_group(run: TestRun) -> None:
    reply = run.get(f"/Groups/{crowd(run)}", excludedAttributes="members")
    crowd_without_members(run, expect.document(reply, 200))


test("filter_group_without_members", "look up a group without members", "exactly 1 result, no members", TOO_LARGE,
     "RFC 7644 section 3.9: excludedAttributes.",
     lambda run: crowd_without_members(run, expect.only(crowd(run), run.find_group(run.group_name("crowd")))),
)  # fmt: skip


def find_crowd(run: TestRun, name: str) -> Document:
    """Expect that a look-up without further parameters finds the group."""
    return expect.only(crowd(run), run.get("/Groups", filter=look_up("displayName", name)["filter"]))


test("filter_group", "look up a group with members", "exactly 1 result", TWICE, "RFC 7644 section 3.4.2.2.",
     lambda run: find_crowd(run, run.group_name("crowd")))  # fmt: skip
test("filter_group_missing", "look up a group that does not exist", "200, totalResults 0", NO_CONNECTION,
     "RFC 7644 section 3.4.2.", lambda run: expect.empty_list(run.find_group(run.group_name("none"))))  # fmt: skip
test("filter_group_case", "look up a group in other case", "exactly 1 result", TWICE,
     "RFC 7643 section 8.7.1: displayName is not caseExact.",
     lambda run: find_crowd(run, run.group_name("crowd").swapcase()), needs=["validator.filter_group"])  # fmt: skip


test("replace_group_attributes", "replace displayName without a path", "200 or 204, the new name", STALE,
     "RFC 7644 section 3.5.2.3: without a path, value holds the attributes.",
     lambda run: change(run, run.group_path("unnamed"),
                        {"op": "replace", "value": {"displayName": run.group_name("named")}}),
     needs=["gallery.update_group"])  # fmt: skip
test("update_group_external_id", "replace externalId of a group", "200 or 204, as sent", STALE,
     "RFC 7643 section 3.1: externalId.",
     lambda run: change(run, run.group_path("linked"), operation("replace", "externalId", word(run))),
     needs=["gallery.update_group"])  # fmt: skip


def change_members(run: TestRun, path: str, changes: list[Document], *members: str) -> None:
    """Patch a group, and expect its members."""
    patch(run, path, *changes)
    expect.members(read(run, path), members)


test("add_member", "add a member", "200 or 204, a member", "Members do not arrive.", "RFC 7644 section 3.5.2.1.",
     lambda run: change_members(run, run.group_path("joined"), [bodies.add_members([{"value": run.user("member")}])],
                                run.user("member")),
     needs=["gallery.group_update_add_member"])  # fmt: skip


@test("remove_member", "remove a member", "200 or 204, no member", "A person who has left the group keeps its access.",
      "RFC 7644 section 3.5.2.2: a value path.", needs=["validator.add_member"])  # fmt: skip
def leave(run: TestRun) -> None:
    member = run.user("member")
    change_members(run, run.group_path("left", [{"value": member}]), [remove_member(member)])


test("delete_group", "delete a group", "204, then 404", "The group stays for ever.", "RFC 7644 section 3.6.",
     lambda run: delete(run, run.group_path("erased")), needs=["gallery.delete_group"])  # fmt: skip


REMOVE_TITLE = {"op": "remove", "path": "title"}
REMOVE_LANGUAGE = {"op": "remove", "path": "preferredLanguage"}
preview("several_attributes", "remove, add and replace different attributes in one PATCH", "200 or 204, all three",
        STALE, "RFC 7644 section 3.5.2.",
        lambda run: change(run, run.user_path("several", preferredLanguage="en-GB"), REMOVE_LANGUAGE,
                           operation("add", "externalId", word(run)), operation("replace", "displayName", word(run))),
        needs=["gallery.update_user"])  # fmt: skip
preview("one_attribute", "remove, add and replace one attribute in one PATCH", "200 or 204, the last value", STALE,
        "RFC 7644 section 3.5.2: operations in order.",
        lambda run: change(run, run.user_path("one", title="Zero"), REMOVE_TITLE,
                           operation("add", "title", "One"), operation("replace", "title", "Two")),
        needs=["preview.several_attributes"])  # fmt: skip


def delete_unknown(run: TestRun, endpoint: str) -> None:
    expect.status(run.send("DELETE", f"{endpoint}/{run.tag}-gone"), 404)


def delete_twice(run: TestRun, path: str) -> None:
    run.send("DELETE", path)
    expect.status(run.send("DELETE", path), 404)


GONE = ("404", "The task stays open.", "RFC 7644 section 3.6.")
preview("delete_unknown_user", "delete an unknown person", *GONE, lambda run: delete_unknown(run, "/Users"))
preview("delete_user_twice", "delete a person twice", *GONE, lambda run: delete_twice(run, run.user_path("twice")),
        needs=["preview.delete_unknown_user"])  # fmt: skip


@preview("add_and_remove_member", "add and remove one member in one PATCH", "200 or 204, no member",
         "Members do not arrive.", "RFC 7644 section 3.5.2: operations in order.",
         needs=["validator.remove_member"])  # fmt: skip
def add_and_remove_member(run: TestRun) -> None:
    member = run.user("member")
    change_members(run, run.group_path("both"), [bodies.add_members([{"value": member}]), remove_member(member)])


preview("delete_unknown_group", "delete an unknown group", *GONE, lambda run: delete_unknown(run, "/Groups"))
preview("delete_group_twice", "delete a group twice", *GONE, lambda run: delete_twice(run, run.group_path("twice")),
        needs=["preview.delete_unknown_group"])  # fmt: skip
