"""A profile changes: GET and PUT of the whole user (custom app), or PATCH of the changes (OIN app)."""

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document
from scim.emulator.client import Reply
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.runner import CheckFailed, CheckStep, TestRun

STEP = CheckStep("update", "Update a profile")
STALE = "Push Profile Updates fails; the application keeps the old values."
NOT_SENT_AGAIN = "Okta believes that the change has arrived, and never sends it again."
ACTIVE_STAYS = "Fact: a PUT without `active` leaves `active` unchanged."
NEW_NAMES = {"name.givenName": "Augusta", "name.familyName": "King"}


def read(run: TestRun, label: str) -> Document:
    """Return a user as the server has it now."""
    return expect.document(run.get(f"/Users/{run.user(label)}"), 200)


def put(run: TestRun, label: str, **values: object) -> Reply:
    """Read a user and write all of it back with changed values, as a custom app does."""
    body = bodies.edited_user(read(run, label), values)
    return run.send("PUT", f"/Users/{run.user(label)}", body=body)


def renamed(run: TestRun) -> Reply:
    """Return the reply to the PUT that changes both names."""
    name = {"givenName": "Augusta", "familyName": "King"}
    return run.cached("renaming PUT", lambda: put(run, "update", name=name, displayName="Augusta King"))


@STEP.check(
    "GET, then PUT of the whole user", "200",
    STALE + " A custom app updates by PUT only and sends back the server's own id, meta and groups.",
    "RFC 7644 section 3.5.1: PUT replaces the resource and ignores readOnly attributes.", [CUSTOM],
)  # fmt: skip
def put_all(run: TestRun) -> None:
    expect.status(renamed(run), 200)


@STEP.check(
    "the answer is the changed user", "the new names",
    STALE, "RFC 7644 section 3.5.1: 200 with the entire resource.", [CUSTOM],
)  # fmt: skip
def put_answer(run: TestRun) -> None:
    expect.values(expect.document(renamed(run)), NEW_NAMES)


@STEP.check(
    "the change is stored", "the new names, the same email and userName",
    NOT_SENT_AGAIN, "RFC 7644 section 3.5.1.", [CUSTOM],
)  # fmt: skip
def put_kept(run: TestRun) -> None:
    renamed(run)
    name = run.user_name("update")
    expect.values(read(run, "update"), {"name.familyName": "King", "userName": name, "emails.0.value": name})


@STEP.check(
    "the same PUT again is accepted", "200",
    "Two PUTs a few seconds apart are normal; the second one fails.", "RFC 7231 section 4.2.2: PUT is idempotent.",
    [CUSTOM],
)  # fmt: skip
def put_twice(run: TestRun) -> None:
    renamed(run)
    expect.status(put(run, "update"), 200)


@STEP.check(
    "PUT with empty values", "200", STALE, "RFC 7643 section 2.5: null, \"\" and [] mean unassigned.", [CUSTOM],
)  # fmt: skip
def put_empty(run: TestRun) -> None:
    reply = put(run, "update", title=None, nickName="", phoneNumbers=[], addresses=None, locale=None)
    expect.status(reply, 200)


@STEP.check(
    "PUT without active keeps a person active", "200, active true",
    "A profile update locks the person out.", ACTIVE_STAYS, [CUSTOM],
)  # fmt: skip
def put_without_active(run: TestRun) -> None:
    _put_without_active(run, "update", "Countess")
    expect.values(read(run, "update"), {"active": True})


@STEP.check(
    "PUT without active keeps a person deactivated", "200, active false",
    "A profile update gives access back to a person who has left.", ACTIVE_STAYS, [CUSTOM],
)  # fmt: skip
def put_without_active_left(run: TestRun) -> None:
    run.user("left", active=False)
    _put_without_active(run, "left", "Gone")
    expect.values(read(run, "left"), {"active": False})


def _put_without_active(run: TestRun, label: str, title: str) -> None:
    body = bodies.edited_user(read(run, label), {"title": title})
    body.pop("active", None)
    expect.status(run.send("PUT", f"/Users/{run.user(label)}", body=body), 200)


@STEP.check(
    "PUT changes the userName", "200, found under the new name only",
    "A person whose address changes keeps the old account name, or gets a second account.",
    "RFC 7644 section 3.5.1; RFC 7643 section 4.1.1: userName is readWrite.", [CUSTOM],
)  # fmt: skip
def put_user_name(run: TestRun) -> None:
    name = run.user_name("married")
    identifier = run.user("maiden", active=False)
    expect.values(expect.document(put(run, "maiden", userName=name), 200), {"userName": name})
    expect.only(run.find_user(name), identifier)
    expect.empty_list(run.find_user(run.user_name("maiden")))


@STEP.check(
    "PUT with the userName of another is refused", "409",
    "Two people share one account.", "RFC 7644 section 3.5.1 and table 9: 409 uniqueness.", [CUSTOM],
)  # fmt: skip
def put_taken(run: TestRun) -> None:
    run.user("holder", active=False)
    expect.status(put(run, "update", userName=run.user_name("holder")), 409)


def patched(run: TestRun) -> Reply:
    """Return the reply to the PATCH that changes the names and the title."""
    body = bodies.replace({"name": {"givenName": "Augusta", "familyName": "King"}, "title": "Countess"})
    return run.cached("profile PATCH", lambda: run.send("PATCH", f"/Users/{run.user('update')}", body=body))


@STEP.check(
    "PATCH without a path", "200 with the user, or 204", STALE,
    "RFC 7644 section 3.5.2.3: without a path, value holds the attributes to replace.", [OIN],
)  # fmt: skip
def patch_status(run: TestRun) -> None:
    reply = expect.status(patched(run), 200, 204)
    if reply.status == 200:
        expect.schema(reply, bodies.USER)


@STEP.check(
    "the PATCH is stored", "the new names and title", NOT_SENT_AGAIN, "RFC 7644 section 3.5.2.3.", [OIN],
)  # fmt: skip
def patch_kept(run: TestRun) -> None:
    patched(run)
    expect.values(read(run, "update"), {**NEW_NAMES, "title": "Countess"})


@STEP.check(
    "the PATCH leaves other attributes unchanged", "active true, userName and email as before",
    "A change of the title locks the person out or loses the address.", "RFC 7644 section 3.5.2.", [OIN],
)  # fmt: skip
def patch_rest(run: TestRun) -> None:
    patched(run)
    name = run.user_name("update")
    found = read(run, "update")
    expect.values(found, {"userName": name, "emails.0.value": name, "active": True})
    if "password" in found:
        raise CheckFailed("password is returned")
