"""A profile changes: GET and PUT of the whole user (custom app), or PATCH of the changes (OIN app)."""

from scim.emulator import bodies, expect
from scim.emulator.checks.common import read_user
from scim.emulator.client import Reply
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.runner import CheckStep, TestRun, shared

STEP = CheckStep("update", "Update a profile")
row, check = STEP.row, STEP.check
STALE = "Push Profile Updates fails; the application keeps the old values."
NOT_SENT_AGAIN = "Okta believes that the change has arrived, and never sends it again."
ACTIVE_STAYS = "Fact: a PUT without `active` leaves `active` unchanged."
NAME = {"givenName": "Augusta", "familyName": "King"}
NEW_NAMES = {"name.givenName": "Augusta", "name.familyName": "King"}


def put(run: TestRun, label: str, **values: object) -> Reply:
    """Read a user and write all of it back with changed values, as a custom app does."""
    body = bodies.edited_user(read_user(run, label), values)
    return run.send("PUT", run.user_path(label), body=body)


@shared
def renamed(run: TestRun) -> Reply:
    return put(run, "update", name=NAME, displayName="Augusta King")


row("put_all", "GET, then PUT of the whole user", "200",
    STALE + " A custom app updates by PUT only and sends back the server's own id, meta and groups.",
    "RFC 7644 section 3.5.1: PUT replaces the resource and ignores readOnly attributes.",
    lambda run: expect.status(renamed(run), 200), CUSTOM)  # fmt: skip
row("put_answer", "the answer is the changed user", "the new names",
    STALE, "RFC 7644 section 3.5.1: 200 with the entire resource.",
    lambda run: expect.values(renamed(run), NEW_NAMES), CUSTOM)  # fmt: skip


@check("the change is stored", "the new names, the same email and userName",
       NOT_SENT_AGAIN, "RFC 7644 section 3.5.1.", dialect=CUSTOM, before=renamed)  # fmt: skip
def put_kept(run: TestRun) -> None:
    name = run.user_name("update")
    expect.values(read_user(run, "update"), {"name.familyName": "King", "userName": name, "emails.0.value": name})


row("put_twice", "the same PUT again is accepted", "200",
    "Two PUTs a few seconds apart are normal; the second one fails.", "RFC 7231 section 4.2.2: PUT is idempotent.",
    lambda run: expect.status(put(run, "update"), 200), CUSTOM, before=renamed)  # fmt: skip


@check("PUT with empty values", "200", STALE, 'RFC 7643 section 2.5: null, "" and [] mean unassigned.', dialect=CUSTOM)
def put_empty(run: TestRun) -> None:
    reply = put(run, "update", title=None, nickName="", phoneNumbers=[], addresses=None, locale=None)
    expect.status(reply, 200)


def put_without_active(run: TestRun, label: str, title: str, active: bool) -> None:
    """Write a user without `active`, and expect that it has stayed."""
    body = bodies.edited_user(read_user(run, label), {"title": title})
    body.pop("active", None)
    expect.status(run.send("PUT", run.user_path(label), body=body), 200)
    expect.values(read_user(run, label), {"active": active})


row("put_without_active", "PUT without active keeps a person active", "200, active true",
    "A profile update locks the person out.", ACTIVE_STAYS,
    lambda run: put_without_active(run, "update", "Countess", True), CUSTOM)  # fmt: skip
row("put_without_active_left", "PUT without active keeps a person deactivated", "200, active false",
    "A profile update gives access back to a person who has left.", ACTIVE_STAYS,
    lambda run: put_without_active(run, "left", "Gone", False), CUSTOM,
    before=lambda run: run.user("left", active=False))  # fmt: skip


@check("PUT changes the userName", "200, found under the new name only",
       "A person whose address changes keeps the old account name, or gets a second account.",
       "RFC 7644 section 3.5.1; RFC 7643 section 4.1.1: userName is readWrite.", dialect=CUSTOM)  # fmt: skip
def put_user_name(run: TestRun) -> None:
    name = run.user_name("married")
    identifier = run.user("maiden", active=False)
    expect.values(expect.status(put(run, "maiden", userName=name), 200), {"userName": name})
    expect.only(identifier, run.find_user(name))
    expect.empty_list(run.find_user(run.user_name("maiden")))


row("put_taken", "PUT with the userName of another is refused", "409",
    "Two people share one account.", "RFC 7644 section 3.5.1 and table 9: 409 uniqueness.",
    lambda run: expect.status(put(run, "update", userName=run.user_name("holder")), 409), CUSTOM,
    before=lambda run: run.user("holder", active=False))  # fmt: skip


@shared
def patched(run: TestRun) -> Reply:
    return run.send("PATCH", run.user_path("update"), body=bodies.replace({"name": NAME, "title": "Countess"}))


@check("PATCH without a path", "200 with the user, or 204", STALE,
       "RFC 7644 section 3.5.2.3: without a path, value holds the attributes to replace.", dialect=OIN)  # fmt: skip
def patch_status(run: TestRun) -> None:
    reply = expect.status(patched(run), 200, 204)
    if reply.status == 200:
        expect.schema(reply, bodies.USER)


row("patch_kept", "the PATCH is stored", "the new names and title", NOT_SENT_AGAIN, "RFC 7644 section 3.5.2.3.",
    lambda run: expect.values(read_user(run, "update"), {**NEW_NAMES, "title": "Countess"}), OIN,
    before=patched)  # fmt: skip


@check("the PATCH leaves other attributes unchanged", "active true, userName and email as before",
       "A change of the title locks the person out or loses the address.", "RFC 7644 section 3.5.2.",
       dialect=OIN, before=patched)  # fmt: skip
def patch_rest(run: TestRun) -> None:
    name = run.user_name("update")
    found = expect.values(read_user(run, "update"), {"userName": name, "emails.0.value": name, "active": True})
    expect.that("password" not in found, "password is returned")
