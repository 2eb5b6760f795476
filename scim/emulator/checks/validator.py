"""Microsoft's SCIM Validator: its 25 tests and 7 previews, as it writes them."""

from collections.abc import Callable

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document
from scim.emulator.checks.entra import (
    FULL,
    MANAGER,
    SET_ROLES,
    at,
    operations,
    patch,
    person,
    read,
    same,
    with_role,
    word,
)
from scim.emulator.client import Reply, look_up
from scim.emulator.dialects import ENTRA
from scim.emulator.runner import CheckFailed, CheckFunction, CheckStep, CheckWarned, TestRun, created_id

STEP = CheckStep("validator", "Microsoft's SCIM Validator", dialects=[ENTRA])
PREVIEW = CheckStep("preview", "Microsoft's SCIM Validator, preview", dialects=[ENTRA])
TWICE = "Entra creates it again and again, or ends in a 409 in each cycle."
STALE = "Entra believes that the change has arrived; the application keeps the old values."
WITH_SYNTAX = ("profileUrl", "locale", "timezone", "preferredLanguage", "country", "emails", "phoneNumbers")
UNFAIR = (
    ". Microsoft's own test is unfair here: it sends random letters to {}, and a server may check the syntax "
    "(RFC 7643 section 4.1)"
)


def test(
    name: str, title: str, expected: str, otherwise: str, source: str, *needs: str, step: CheckStep = STEP
) -> Callable[[CheckFunction], CheckFunction]:
    """Return a decorator for one test of the validator; a failed preview is a warning."""
    mark = (
        "Fact: the SCIM Validator's preview, not mandatory"
        if step is PREVIEW
        else "Fact: the SCIM Validator, mandatory"
    )
    return step.check(
        title, expected, otherwise, f"{mark}. {source}", warning=step is PREVIEW, needs=needs, name=name
    )  # fmt: skip


def _created(run: TestRun) -> tuple[Document, Reply]:
    """Return the full person as it was sent, and the reply; the role is the one that the server takes."""

    def send(role: str | None) -> Reply:
        body = person(run, "validator", FULL)
        body[bodies.ENTERPRISE]["manager"] = {"value": word(run)}
        if role:
            body["roles"] = [{"primary": "True", "display": word(run), "value": role, "type": word(run)}]
        sent.append(body)
        return run.send("POST", "/Users", body=body)

    sent: list[Document] = []
    return run.cached("validator person", lambda: (lambda reply: (sent[-1], reply))(with_role(run, send)))


def _id(run: TestRun) -> str:
    return created_id(_created(run)[1], "the POST of the person")


def _find(run: TestRun, name: str) -> Reply:
    return run.send("GET", "/Users", query=look_up("userName", name, run.dialect))


def _found(run: TestRun, name: str) -> Document:
    identifier = _id(run)
    return expect.only(_find(run, name), identifier)


@test("create_user", "create a person with all attributes", "201, and found with all values",
      "Provisioning fails for everybody.", "RFC 7644 section 3.3; the role is random.")  # fmt: skip
def create_user(run: TestRun) -> None:
    body, reply = _created(run)
    strict = [name for name in WITH_SYNTAX if name in reply.detail]
    if reply.status == 400 and strict:
        raise CheckFailed(f"400 {reply.detail}{UNFAIR.format(', '.join(strict))}")
    expect.status(reply, 201)
    same(body, _found(run, body["userName"]))
    if run.refused_role:
        raise CheckWarned(f"the random role is refused: {run.refused_role}. To pass, {SET_ROLES}")


@test("create_user_again", "create the same person again", "409", "Two people share one account.",
      "RFC 7644 section 3.3: uniqueness.", "validator.create_user")  # fmt: skip
def create_user_again(run: TestRun) -> None:
    _id(run)
    expect.status(run.send("POST", "/Users", body=_created(run)[0]), 409)


@test("filter_user", "look up one who exists", "exactly 1 result", TWICE, "RFC 7644 section 3.4.2.2.",
      "validator.create_user")  # fmt: skip
def filter_user(run: TestRun) -> None:
    _found(run, run.user_name("validator"))


@test("filter_user_missing", "look up one who does not exist", "200, totalResults 0",
      "Entra reads an error as a broken connection.", "RFC 7644 section 3.4.2.")  # fmt: skip
def filter_user_missing(run: TestRun) -> None:
    expect.empty_list(_find(run, run.user_name("nobody")))


@test("filter_user_case", "look up in other case", "exactly 1 result", TWICE,
      "RFC 7643 section 8.7.1: userName is not caseExact.", "validator.filter_user")  # fmt: skip
def filter_user_case(run: TestRun) -> None:
    _found(run, run.user_name("validator").swapcase())


def _write_all(run: TestRun, identifier: str, op: str, *more: Document) -> Document:
    """Send a PATCH of about 36 operations, and return what must be there afterwards."""

    def send(role: str | None) -> Reply:
        changes, written = operations(run, op, FULL, role)
        expected.append(written)
        return run.send("PATCH", f"/Users/{identifier}", body=bodies.patch(*changes, *more))

    expected: list[Document] = []
    expect.status(with_role(run, send), 200, 204)
    return expected[-1]


@test("replace_attributes", "replace all attributes, each by its path", "200 or 204, all as sent", STALE,
      "RFC 7644 section 3.5.2.3: a value path.", "validator.create_user", "gallery.update_user")  # fmt: skip
def replace_attributes(run: TestRun) -> None:
    expected = _write_all(run, _id(run), "replace")
    same(expected, _found(run, run.user_name("validator")))


@test("update_user_name", "replace userName without a path", "200 or 204, found under the new name", TWICE,
      "RFC 7644 section 3.5.2.3: without a path, value holds the attributes.")  # fmt: skip
def update_user_name(run: TestRun) -> None:
    identifier, name = run.user("unnamed"), run.user_name("named")
    patch(run, f"/Users/{identifier}", {"op": "replace", "value": {"userName": name}})
    expect.only(_find(run, name), identifier)


@test("disable_user", "deactivate", "200 or 204, still found, active false", "A person who has left keeps access.",
      "RFC 7643 section 4.1.1: active.", "gallery.disable_user")  # fmt: skip
def disable_user(run: TestRun) -> None:
    identifier = run.user("leaver")
    patch(run, f"/Users/{identifier}", {"op": "replace", "path": "active", "value": False})
    expect.values(read(run, f"/Users/{identifier}"), {"active": False})
    expect.values(expect.only(_find(run, run.user_name("leaver")), identifier), {"active": False})


@test("add_attributes", "add all attributes, each by its path", "200 or 204, all as sent", STALE,
      "RFC 7644 section 3.5.2.1: a path may name an element that is not there.",
      "validator.replace_attributes")  # fmt: skip
def add_attributes(run: TestRun) -> None:
    body = {"schemas": [bodies.USER, bodies.ENTERPRISE], "userName": run.user_name("bare")}
    identifier = created_id(run.send("POST", "/Users", body=body), "the POST of userName alone")
    boss = run.user("boss")
    expected = _write_all(run, identifier, "add", {"op": "add", "path": MANAGER, "value": {"value": boss}})
    expected[bodies.ENTERPRISE]["manager"] = {"value": boss}
    same(expected, read(run, f"/Users/{identifier}"))


def _write_manager(run: TestRun, op: str, boss: str) -> None:
    identifier = run.user("managed")
    patch(run, f"/Users/{identifier}", {"op": op, "path": MANAGER, "value": {"value": boss}})
    held = at(read(run, f"/Users/{identifier}"), MANAGER) or {}
    found = held.get("value") if isinstance(held, dict) else held
    if (found or "") != boss:
        raise CheckFailed(f"manager is {held!r}")


@test("add_manager", "add a manager as an object", "200 or 204, the manager's id", STALE,
      "RFC 7643 section 4.3: manager is complex.", "gallery.user_update_manager")  # fmt: skip
def add_manager(run: TestRun) -> None:
    _write_manager(run, "add", run.user("boss"))


@test("replace_manager", "replace the manager", "200 or 204, the other's id", STALE, "RFC 7643 section 4.3.",
      "validator.add_manager", "gallery.user_update_manager")  # fmt: skip
def replace_manager(run: TestRun) -> None:
    _write_manager(run, "replace", run.user("boss2"))


@test("remove_manager", 'replace the manager by {"value": ""}', "200 or 204, no manager", STALE,
      'RFC 7643 section 2.5; Entra sends "" for no value.', "validator.add_manager",
      "gallery.user_update_manager")  # fmt: skip
def remove_manager(run: TestRun) -> None:
    _write_manager(run, "replace", "")


def _delete(run: TestRun, path: str) -> None:
    expect.status(run.send("DELETE", path), 200, 204)
    expect.status(run.get(path), 404)


@test("delete_user", "delete a person", "204, then 404", "The account stays for ever.", "RFC 7644 section 3.6.",
      "gallery.delete_user")  # fmt: skip
def delete_user(run: TestRun) -> None:
    _delete(run, f"/Users/{run.user('erased')}")


def _group(run: TestRun) -> tuple[Document, Reply]:
    body = bodies.entra_group(run.group_name("validator"))
    return run.cached("validator group", lambda: (body, run.send("POST", "/Groups", body=body)))


def _group_id(run: TestRun) -> str:
    return created_id(_group(run)[1], "the POST of the group")


@test("create_group", "create a group", "201, and found with all values", "Groups are never provisioned.",
      "RFC 7644 section 3.3.")  # fmt: skip
def create_group(run: TestRun) -> None:
    body, reply = _group(run)
    expect.status(reply, 201)
    identifier = _group_id(run)
    same(body, expect.only(run.find_group(body["displayName"]), identifier))


@test("create_group_again", "create the same group again", "409", "The application gets two groups of one name.",
      "RFC 7644 section 3.3: uniqueness.", "validator.create_group")  # fmt: skip
def create_group_again(run: TestRun) -> None:
    _group_id(run)
    expect.status(run.send("POST", "/Groups", body=_group(run)[0]), 409)


def _crowd(run: TestRun) -> str:
    return run.group("crowd", [{"value": run.user("member")}])


def _without_members(found: Document, name: str) -> None:
    expect.values(found, {"displayName": name})
    if "members" in found:
        raise CheckFailed("members is there")


@test("get_group", "read a group without members", "200, no members",
      "Large groups run into Entra's time limit.", "RFC 7644 section 3.9: excludedAttributes.")  # fmt: skip
def get_group(run: TestRun) -> None:
    reply = run.get(f"/Groups/{_crowd(run)}", excludedAttributes="members")
    _without_members(expect.document(reply, 200), run.group_name("crowd"))


@test("filter_group_without_members", "look up a group without members", "exactly 1 result, no members",
      "Large groups run into Entra's time limit.", "RFC 7644 section 3.9: excludedAttributes.")  # fmt: skip
def filter_group_without_members(run: TestRun) -> None:
    name, group = run.group_name("crowd"), _crowd(run)
    _without_members(expect.only(run.find_group(name), group), name)


def _find_plainly(run: TestRun, name: str) -> Reply:
    return run.send("GET", "/Groups", query={"filter": look_up("displayName", name)["filter"]})


@test("filter_group", "look up a group with members", "exactly 1 result", TWICE, "RFC 7644 section 3.4.2.2.")
def filter_group(run: TestRun) -> None:
    group = _crowd(run)
    expect.only(_find_plainly(run, run.group_name("crowd")), group)


@test("filter_group_missing", "look up a group that does not exist", "200, totalResults 0",
      "Entra reads an error as a broken connection.", "RFC 7644 section 3.4.2.")  # fmt: skip
def filter_group_missing(run: TestRun) -> None:
    expect.empty_list(run.find_group(run.group_name("none")))


@test("filter_group_case", "look up a group in other case", "exactly 1 result", TWICE,
      "RFC 7643 section 8.7.1: displayName is not caseExact.", "validator.filter_group")  # fmt: skip
def filter_group_case(run: TestRun) -> None:
    group = _crowd(run)
    expect.only(_find_plainly(run, run.group_name("crowd").swapcase()), group)


@test("replace_group_attributes", "replace displayName without a path", "200 or 204, the new name", STALE,
      "RFC 7644 section 3.5.2.3: without a path, value holds the attributes.", "gallery.update_group")  # fmt: skip
def replace_group_attributes(run: TestRun) -> None:
    path, name = f"/Groups/{run.group('unnamed')}", run.group_name("named")
    patch(run, path, {"op": "replace", "value": {"displayName": name}})
    expect.values(read(run, path), {"displayName": name})


@test("update_group_external_id", "replace externalId of a group", "200 or 204, as sent", STALE,
      "RFC 7643 section 3.1: externalId.", "gallery.update_group")  # fmt: skip
def update_group_external_id(run: TestRun) -> None:
    path, value = f"/Groups/{run.group('linked')}", word(run)
    patch(run, path, {"op": "replace", "path": "externalId", "value": value})
    expect.values(read(run, path), {"externalId": value})


def _expect_members(run: TestRun, label: str, *members: str) -> None:
    found = [str(member.get("value")) for member in read(run, f"/Groups/{run.group(label)}").get("members") or []]
    if sorted(found) != sorted(members):
        raise CheckFailed(f"{len(found)} members, not {len(members)}")


def _change(op: str, *members: str) -> Document:
    return {"op": op, "path": "members", "value": [{"value": member} for member in members]}


@test("add_member", "add a member", "200 or 204, a member", "Members do not arrive.", "RFC 7644 section 3.5.2.1.",
      "gallery.group_update_add_member")  # fmt: skip
def add_member(run: TestRun) -> None:
    patch(run, f"/Groups/{run.group('joined')}", _change("add", run.user("member")))
    _expect_members(run, "joined", run.user("member"))


@test("remove_member", "remove a member", "200 or 204, no member", "A person who has left the group keeps its access.",
      "RFC 7644 section 3.5.2.2: a value path.", "validator.add_member")  # fmt: skip
def remove_member(run: TestRun) -> None:
    member = run.user("member")
    group = run.group("left", [{"value": member}])
    patch(run, f"/Groups/{group}", bodies.remove_member(member))
    _expect_members(run, "left")


@test("delete_group", "delete a group", "204, then 404", "The group stays for ever.", "RFC 7644 section 3.6.",
      "gallery.delete_group")  # fmt: skip
def delete_group(run: TestRun) -> None:
    _delete(run, f"/Groups/{run.group('erased')}")


@test("several_attributes", "remove, add and replace different attributes in one PATCH", "200 or 204, all three",
      STALE, "RFC 7644 section 3.5.2.", "gallery.update_user", step=PREVIEW)  # fmt: skip
def several_attributes(run: TestRun) -> None:
    path = f"/Users/{run.user('several', preferredLanguage='en-GB')}"
    changes = {"op": "remove", "path": "preferredLanguage"}, {"op": "add", "path": "externalId", "value": word(run)}
    replaced = {"op": "replace", "path": "displayName", "value": word(run)}
    patch(run, path, *changes, replaced)
    written = {"externalId": changes[1]["value"], "displayName": replaced["value"]}
    expect.values(read(run, path), {"preferredLanguage": None, **written})


@test("one_attribute", "remove, add and replace one attribute in one PATCH", "200 or 204, the last value",
      STALE, "RFC 7644 section 3.5.2: operations in order.", "preview.several_attributes", step=PREVIEW)  # fmt: skip
def one_attribute(run: TestRun) -> None:
    path = f"/Users/{run.user('one', title='Zero')}"
    adds = ({"op": op, "path": "title", "value": value} for op, value in (("add", "One"), ("replace", "Two")))
    patch(run, path, {"op": "remove", "path": "title"}, *adds)
    expect.values(read(run, path), {"title": "Two"})


@test("delete_unknown_user", "delete an unknown person", "404", "The task stays open.", "RFC 7644 section 3.6.",
      step=PREVIEW)  # fmt: skip
def delete_unknown_user(run: TestRun) -> None:
    expect.status(run.send("DELETE", f"/Users/{run.tag}-gone"), 404)


@test("delete_user_twice", "delete a person twice", "404", "The task stays open.", "RFC 7644 section 3.6.",
      "preview.delete_unknown_user", step=PREVIEW)  # fmt: skip
def delete_user_twice(run: TestRun) -> None:
    run.send("DELETE", f"/Users/{run.user('twice')}")
    expect.status(run.send("DELETE", f"/Users/{run.user('twice')}"), 404)


@test("add_and_remove_member", "add and remove one member in one PATCH", "200 or 204, no member",
      "Members do not arrive.", "RFC 7644 section 3.5.2: operations in order.", "validator.remove_member",
      step=PREVIEW)  # fmt: skip
def add_and_remove_member(run: TestRun) -> None:
    member = run.user("member")
    patch(run, f"/Groups/{run.group('both')}", _change("add", member), bodies.remove_member(member))
    _expect_members(run, "both")


@test("delete_unknown_group", "delete an unknown group", "404", "The task stays open.", "RFC 7644 section 3.6.",
      step=PREVIEW)  # fmt: skip
def delete_unknown_group(run: TestRun) -> None:
    expect.status(run.send("DELETE", f"/Groups/{run.tag}-gone"), 404)


@test("delete_group_twice", "delete a group twice", "404", "The task stays open.", "RFC 7644 section 3.6.",
      "preview.delete_unknown_group", step=PREVIEW)  # fmt: skip
def delete_group_twice(run: TestRun) -> None:
    run.send("DELETE", f"/Groups/{run.group('twice')}")
    expect.status(run.send("DELETE", f"/Groups/{run.group('twice')}"), 404)
