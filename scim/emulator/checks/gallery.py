"""Entra: Test Connection, the 25 tests of its gallery, of which 1 to 14 play cycles, and its rate of requests."""

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from string import ascii_letters
from typing import Any

from scim.emulator import bodies, expect
from scim.emulator.bodies import ENTERPRISE, GROUP, USER, Document
from scim.emulator.checks import entra
from scim.emulator.checks.common import attributes, discovered, oauth_client, patch, read, read_user
from scim.emulator.checks.entra import GROUP_TARGETS, TARGETS, at, flattened, person, same, word
from scim.emulator.client import Reply
from scim.emulator.dialects import ENTRA
from scim.emulator.oauth import access_token, cause
from scim.emulator.runner import (
    AnyCheck,
    CheckFailed,
    CheckFunction,
    CheckSkipped,
    CheckStep,
    CheckWarned,
    TestRun,
    shared,
)

CONNECTION = CheckStep("connection", "Entra: Test Connection", dialects=[ENTRA])
LIMITS = CheckStep("limits", "Entra: rate of requests", dialects=[ENTRA])
STEP = CheckStep("gallery", "Entra App Gallery: Microsoft's 25 tests", dialects=[ENTRA])
QUARANTINE = "Each cycle tries again and fails; after many failures Entra puts the whole job into quarantine."
STALE = "Entra believes that the change has arrived; the application keeps the old values."
NOT_IN_GALLERY = "The application does not come into the gallery."
TWICE = "Entra creates the account a second time, or ends in a 409 in each cycle."
NEED_GROUP_SCHEMA = (8, 9, 11, 12, 13, 19, 20)
NEVER_CLEARED = ("username", "active", "externalid", "manager", "id")
WRITABLE = ("string", "integer", "dateTime", "boolean")
# Values of these have a syntax that "upd-" and eight characters need not have.
WITH_SYNTAX = ("emails", "phonenumbers", "preferredlanguage", 'addresses[type eq "work"].country')
REQUESTS, SECONDS = 100, 4
MANY, PAGE, MAX_PAGES = 11, 5, 10
UNFAIR_COMMON = (
    ". Microsoft's own test is unfair here: externalId is a common attribute, which no schema has to list (RFC 7643 "
    "section 3.1); list it all the same, or take it out of the mapping for the test"
)
UNFAIR = (
    ". Microsoft's own test is unfair here: it writes text like upd-aBcDeFgH to e-mail addresses, telephone numbers, "
    "languages and countries, and the server may check their syntax (RFC 7643 section 4.1.2); without them it succeeds"
)


def group_schema(run: TestRun) -> None:
    """Expect a Group schema, without which the tests of groups fail and are not skipped."""
    expect.that(attributes(run, GROUP), "/Schemas has no Group schema")


def test(
    number: int,
    name: str,
    expected: str,
    otherwise: str,
    source: str,
    *functions: CheckFunction,
    needs: Sequence[str] = (),
    optional: bool = False,
) -> Callable[[AnyCheck], AnyCheck]:
    """Add the test with Microsoft's number and name, or return a decorator; a failed optional one is a warning."""
    kind = "optional" if optional else "mandatory"
    return STEP.row(
        name.removesuffix("_Test").lower(), f"{number} {name} ({kind})", expected, otherwise,
        f"Fact: gallery test {number}, {kind}. {source}", *functions, warning=optional,
        needs=[f"gallery.{need}" for need in needs], before=group_schema if number in NEED_GROUP_SCHEMA else None,
    )  # fmt: skip


def provision(run: TestRun, label: str) -> None:
    body = person(run, label)
    identifier = run.flows.assign(body)
    run.label_user(label, identifier)
    same(body, expect.only(identifier, run.find_user(body["userName"])))


test(1, "Create_User_Test", "created, and found by userName with all values", QUARANTINE, "RFC 7644 section 3.3.",
     lambda run: provision(run, "created"))  # fmt: skip


@test(2, "Update_User_Test", "title, names and department as sent", STALE, "RFC 7644 section 3.5.2.3.")
def update_user(run: TestRun) -> None:
    name = {"givenName": "Augusta", "familyName": "King"}
    values = {"title": "Countess", "name": name, ENTERPRISE: {"department": "Mathematics"}}
    run.flows.update(run.user("updated"), values)
    same(values, read_user(run, "updated"))


test(3, "Disable_User_Test", "active false", "A person who has left keeps access.",
     'RFC 7643 section 4.1.1: active; Entra writes "False" as text.',
     lambda run: run.flows.set_active(run.user("disabled"), False),
     lambda run: expect.values(read_user(run, "disabled"), {"active": False}))  # fmt: skip


@test(4, "Delete_User_Test", "404, or the look-up finds nobody", "The account stays for ever.", "RFC 7644 section 3.6.",
      optional=True)  # fmt: skip
def delete_user(run: TestRun) -> None:
    path = run.user_path("deleted")
    expect.status(run.send("DELETE", path), 200, 204)
    if run.get(path).status != 404:
        expect.empty_list(run.find_user(run.user_name("deleted")))


def expect_manager(run: TestRun, label: str, op: str, value: str | None) -> None:
    held = entra.write_manager(run, label, op, value)
    expect.that(entra.manager_id(held) == (value or ""), f"manager is {held!r} after {op} of {value!r}")


def mapped_manager(run: TestRun) -> None:
    if discovered(run, "/Schemas").status == 200 and "manager" not in flattened(run, USER):
        raise CheckSkipped("manager is not mapped, since /Schemas does not have it")


@test(5, "User_Update_Manager_Test", "manager set, changed, removed", STALE,
      "RFC 7643 section 4.3: manager.value is the id of a user.")  # fmt: skip
def user_update_manager(run: TestRun) -> None:
    mapped_manager(run)
    for op, boss in (("Add", run.user("boss")), ("Replace", run.user("boss2")), ("Remove", None)):
        expect_manager(run, "managed", op, boss)


@test(6, "Restore_User_Test", "once, and active again", TWICE,
      "Fact: the look-up finds people who are not active, too.", needs=["disable_user"])  # fmt: skip
def restore_user(run: TestRun) -> None:
    run.flows.set_active(run.user("restored"), False)
    run.label_user("restored again", run.flows.assign(run.user_body("restored")))
    found = [user.get("active") for user in expect.resources(run.find_user(run.user_name("restored")))]
    expect.that(found == [True], f"{len(found)} found, active is {found!r}")


test(7, "POD_User_Test", "as test 1, one person at once", QUARANTINE, "RFC 7644 section 3.3.",
     lambda run: provision(run, "demanded"), needs=["create_user"])  # fmt: skip


def push(run: TestRun, label: str) -> str:
    """Push a group, expect that the look-up finds it, and return its id."""
    group = run.flows.push_group(run.group_name(label))
    expect.only(group, run.find_group(run.group_name(label)))
    return group


@shared
def group_of_members(run: TestRun) -> str:
    return push(run, "members")


def write_members(run: TestRun, group: str, label: str, members: list[str], before: list[str]) -> str:
    """Write the members of a group, and expect them."""
    run.flows.write_group(group, run.group_name(label), [{"value": member} for member in members], before)
    return expect.members(read(run, f"/Groups/{group}"), members)


@test(8, "Create_Group_Test", "created, and found by displayName", QUARANTINE, "RFC 7643 section 4.2; /Schemas.")
def create_group(run: TestRun) -> None:
    push(run, "created")


@test(9, "Update_Group_Test", "found under the new name only", STALE, "RFC 7644 section 3.5.2.3.",
      needs=["create_group"])  # fmt: skip
def update_group(run: TestRun) -> None:
    group = push(run, "old")
    run.flows.write_group(group, run.group_name("new"), [], [])
    expect.only(group, run.find_group(run.group_name("new")))
    expect.empty_list(run.find_group(run.group_name("old")))


test(10, "Delete_Group_Test", "the look-up finds none", "The group stays for ever.", "RFC 7644 section 3.6.",
     lambda run: run.flows.unlink_group(run.group("deleted")),
     lambda run: expect.empty_list(run.find_group(run.group_name("deleted"))), optional=True)  # fmt: skip
test(11, "Group_Update_Add_Member_Test", "the person is a member", "Members do not arrive.",
     "RFC 7644 section 3.5.2.1.",
     lambda run: write_members(run, group_of_members(run), "members", [run.user("member")], []),
     needs=["create_group"])  # fmt: skip


@test(12, "Group_Update_Remove_Member_Test", "that person is removed, others stay",
      "A person who has left the group keeps its access, or all others lose it.",
      "Fact: Entra sends Remove with a list of values, which removes just those.",
      needs=["group_update_add_member"])  # fmt: skip
def group_update_remove_member(run: TestRun) -> str:
    group = group_of_members(run)
    ada, grace = run.user("member"), run.user("member2")
    run.flows.write_group(group, run.group_name("members"), [{"value": ada}, {"value": grace}], [])
    return write_members(run, group, "members", [grace], [ada, grace])


test(13, "POD_Group_Test", "as test 8, with a member", QUARANTINE, "RFC 7643 section 4.2.",
     lambda run: write_members(run, push(run, "demanded"), "demanded", [run.user("member")], []),
     needs=["group_update_add_member"])  # fmt: skip


@test(14, "Restore_Group_Test", "found after it was deleted and pushed again", TWICE, "RFC 7644 section 3.6.",
      needs=["create_group", "delete_group"], optional=True)  # fmt: skip
def restore_group(run: TestRun) -> None:
    run.flows.unlink_group(push(run, "restored"))
    push(run, "restored")


@test(15, "Schema_Discoverability_Test", "every target of the mapping is in /Schemas", NOT_IN_GALLERY,
      "Complex attributes with several values need canonicalValues at `type`: work; mobile and fax at phoneNumbers.",
)  # fmt: skip
def schema_discoverability(run: TestRun) -> str:
    people, groups = flattened(run, USER), flattened(run, GROUP)
    missing = [target for target in TARGETS if target.lower() not in people]
    missing += [f"group {target}" for target in GROUP_TARGETS if target.lower() not in groups]
    came = f"not in /Schemas: {', '.join(missing)}"
    if missing and all(name.endswith("externalId") for name in missing):
        raise CheckWarned(came + UNFAIR_COMMON)
    expect.that(not missing, came)
    return f"{len(TARGETS) + len(GROUP_TARGETS)} targets"


def known_attributes(run: TestRun, core: str) -> dict[str, Document]:
    """Return the flattened schema; an empty one where /Schemas, which is test 15, cannot be read."""
    try:
        return flattened(run, core)
    except CheckFailed:
        return {}


@test(16, "SCIM_Null_Update_Test", '"" and then null clear every optional attribute',
      "A value that was emptied in Entra stays at the application.",
      'RFC 7643 section 2.5: null is unassigned; Entra sends "" for it.',
      needs=["create_user", "update_user"])  # fmt: skip
def scim_null_update(run: TestRun) -> None:
    known = known_attributes(run, USER)
    wanted = [target for target in TARGETS if target.lower() not in NEVER_CLEARED]
    wanted = [target for target in wanted if not known.get(target.lower(), {}).get("required")]
    path = run.user_path("emptied", **person(run, "emptied"))
    for empty in ("", None):
        patch(run, path, *(bodies.operation("replace", target, empty) for target in wanted))
        found = read(run, path)
        checked = wanted if empty == "" else [target for target in wanted if "[" not in target]
        left = {target: at(found, target) for target in checked if at(found, target) not in (None, "")}
        words = ", ".join(f"{name} is {value!r}" for name, value in left.items())
        expect.that(not left, f"after {empty!r}: {words}")


def create(run: TestRun, path: str, body: Document, name: str) -> None:
    found = expect.document(run.post(path, body), 200, 201)
    expect.text_id(found)
    expect.values(found, {name: body[name]})


test(17, "SCIM_User_Create_Test", "200 or 201, an id, userName as sent", QUARANTINE, "RFC 7644 section 3.3.",
     lambda run: create(run, "/Users", person(run, "posted"), "userName"), needs=["create_user"])  # fmt: skip


def new_value(run: TestRun, kind: str) -> Any:
    values = {"integer": run.random.randint(1, 99999), "boolean": True, "dateTime": datetime.now(UTC).isoformat()}
    return values.get(kind) or "upd-" + word(run, 8, ascii_letters)


def replace(run: TestRun, path: str, values: Document) -> Reply:
    changes = [bodies.operation("replace", target, value) for target, value in values.items()]
    return run.send("PATCH", path, body=bodies.patch(*changes))


def update_all(run: TestRun, path: str, core: str, targets: tuple[str, ...]) -> str:
    """Write a new value to every eligible target in one PATCH, and expect all of them."""
    known = {target: leaf for target in targets if (leaf := known_attributes(run, core).get(target.lower()))}
    values = {
        target: new_value(run, str(leaf.get("type")))
        for target, leaf in known.items()
        if leaf.get("type") in WRITABLE and leaf.get("mutability") in ("readWrite", "writeOnly")
        if not leaf.get("multiValued") and target not in ("active", "manager")
    }
    if not values:
        return "no attribute is eligible"
    reply = replace(run, path, values)
    if not reply.ok:
        plain = {name: value for name, value in values.items() if not name.lower().startswith(WITH_SYNTAX)}
        unfair = len(plain) < len(values) and replace(run, path, plain).ok
        raise CheckFailed(f"{reply.status} {reply.detail}" + (UNFAIR if unfair else ""))
    found = read(run, path)
    wrong = {target: at(found, target) for target, value in values.items() if str(at(found, target)) != str(value)}
    expect.that(not wrong, ", ".join(f"{target} is {value!r}" for target, value in wrong.items()))
    return f"{len(values)} attributes"


test(18, "SCIM_User_Update_Test", "every attribute is replaced in one PATCH", STALE,
     "RFC 7644 section 3.5.2.3; the test writes upd-… even to e-mail addresses.",
     lambda run: update_all(run, run.user_path("all", **person(run, "all")), USER, TARGETS),
     needs=["create_user", "update_user"])  # fmt: skip
test(19, "SCIM_Group_Create_Test", "200 or 201, an id, displayName as sent", QUARANTINE, "RFC 7644 section 3.3.",
     lambda run: create(run, "/Groups", bodies.entra_group(run.group_name("posted")), "displayName"),
     needs=["create_group"])  # fmt: skip
test(20, "SCIM_Group_Update_Test", "every attribute is replaced in one PATCH", STALE, "RFC 7644 section 3.5.2.3.",
     lambda run: update_all(run, run.group_path("all"), GROUP, GROUP_TARGETS),
     needs=["create_group", "update_group"])  # fmt: skip


def expect_token(run: TestRun, reply: Reply) -> str:
    run.last = reply
    token = access_token(reply)
    expect.that(token, cause(reply))
    minutes = int(reply.document.get("expires_in") or 3600) / 60
    expect.that(60 <= minutes <= 360, f"the token is valid for {minutes:g} minutes, not for 60 to 360")
    listed = run.send("GET", "/Users", {"startIndex": 1, "count": 1}, headers={"Authorization": f"Bearer {token}"})
    expect.that(listed.ok, f"GET /Users with the token: {listed.status} {listed.detail}")
    return f"a token for {minutes:g} minutes"


test(21, "Validate_Credentials_Test", "a token for 60 to 360 minutes, which works",
     "Test Connection fails; since August 2026 the gallery takes no long-lived bearer token.",
     "RFC 6749 section 4.4; client id and secret come in the body.",
     lambda run: expect_token(run, oauth_client(run, "secret").token_by_secret()))  # fmt: skip
test(22, "Federated_Identity_Test", "a token for 60 to 360 minutes, which works",
     "Provisioning with a workload identity fails.",
     "RFC 7523 section 2.2; without scope, and with a parameter baseAddress, which is ignored.",
     lambda run: expect_token(run, oauth_client(run, "assertion").token_by_assertion()))  # fmt: skip


def expect_pages(run: TestRun, endpoint: str, create: Callable[[str], str]) -> str:
    """Create more resources than fit on a page, and read page after page."""
    for number in range(MANY):
        create(f"page{number:02}")
    start, total, pages = 1, 1, 0
    while start <= total and pages < MAX_PAGES:
        reply = run.get(endpoint, startIndex=start, count=PAGE)
        total = expect.values(expect.numbers(reply), {"startIndex": start})["totalResults"]
        listed, pages = expect.resources(reply), pages + 1
        expect.that(0 < len(listed) <= PAGE, f"{len(listed)} of {total} at startIndex={start}")
        start += len(listed)
    expect.that(pages > 1, f"{pages} page, {total} in all")
    return f"{pages} pages"


test(23, "SCIM_User_Pagination_Test", "pages of 5 with startIndex 1, 6, 11", NOT_IN_GALLERY,
     "RFC 7644 section 3.4.2.4.", lambda run: expect_pages(run, "/Users", run.user))  # fmt: skip
test(24, "SCIM_Group_Pagination_Test", "pages of 5 with startIndex 1, 6, 11", NOT_IN_GALLERY,
     "RFC 7644 section 3.4.2.4.", lambda run: expect_pages(run, "/Groups", run.group), optional=True)  # fmt: skip


@test(25, "SCIM_Update_Manager_Test", "manager added, replaced, emptied", STALE,
      'The value is a plain string, and "" clears it; RFC 7643 section 4.3.',
      needs=["user_update_manager"])  # fmt: skip
def scim_update_manager(run: TestRun) -> None:
    mapped_manager(run)
    for op, boss in (("Add", run.user("boss")), ("replace", run.user("boss2")), ("replace", "")):
        expect_manager(run, "managed too", op, boss)


CONNECTION.row("test_connection", "a random userName is looked up", "200, totalResults 0, Resources: []",
               "Test Connection fails; the credentials cannot be saved.",
               "Fact: Entra asks for a random GUID; an error is none.",
               lambda run: expect.empty_list(run.find_user(str(uuid.uuid4()))))  # fmt: skip


@LIMITS.check("100 requests in 4 seconds", "neither 429 nor 5xx", "Provisioning is slower than the gallery asks.",
            "Fact: the gallery asks for 25 requests per second and tenant without 429.")  # fmt: skip
def rate(run: TestRun) -> str:
    if run.throttled:
        run.sleep(SECONDS)  # what came before counts against the server's limit
    start = time.monotonic()

    def send(number: int) -> Reply:
        run.sleep(max(start + number * SECONDS / REQUESTS - time.monotonic(), 0))
        return run.client.send("GET", "/Users", {"startIndex": 1, "count": 1})

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(send, range(REQUESTS)))
    run.last = replies[0]
    refused = [reply for reply in replies if reply.status == 429 or not 0 < reply.status < 500]
    if refused:
        run.last = refused[0]
        raise CheckFailed(f"{len(refused)} of {REQUESTS}: {refused[0].status} {refused[0].detail}".strip())
    return f"{REQUESTS} answers"
