"""A person is assigned, changes, leaves and comes back: by PUT in a custom app, by PATCH in an OIN app."""

from typing import Any

from scim.emulator import bodies, expect
from scim.emulator.checks.common import read, read_user
from scim.emulator.client import Reply
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.runner import CheckSkipped, CheckStep, TestRun, created_id, shared

ASSIGN = CheckStep("assign", "Assign a person")
UPDATE = CheckStep("update", "Update a profile")
DEACTIVATE = CheckStep("deactivate", "Deactivate a person")
REPROVISION = CheckStep("reprovision", "Provision a deactivated person again")
FAILS = "The assignment fails and waits in Okta's task list."
CUSTOM_ATTRIBUTES = {"title": "Agent", "preferredLanguage": "en-GB"}
EMPTY_ATTRIBUTES: bodies.Document = {
    "title": None,
    "nickName": "",
    "phoneNumbers": [],
    "addresses": None,
    "profileUrl": None,
    "locale": None,
}


def assign(run: TestRun, name: str, given: str = "Grace", family: str = "Test-Assign", **values: Any) -> Reply:
    return run.post("/Users", bodies.user(name, given, family, **values))


@shared
def assigned(run: TestRun) -> Reply:
    """Return the reply to the POST of a custom app, with a random password, empty groups and a locale."""
    return assign(run, run.user_name("assign"), external_id="00u" + run.tag, mapped=CUSTOM_ATTRIBUTES)


def assigned_id(run: TestRun) -> str:
    return created_id(assigned(run), "the POST")


row, check = ASSIGN.row, ASSIGN.check
row("lookup_before", "the look-up finds nobody before", "200, totalResults 0, Resources: []",
    "Okta cannot tell whether to create or to update.", "RFC 7644 section 3.4.2: no match is an empty list.",
    lambda run: expect.empty_list(run.find_user(run.user_name("assign"))))  # fmt: skip
row("create", "POST with Okta's random password", "201",
    FAILS + " Okta sends a random password even with password sync off.",
    "RFC 7643 section 4.1.1: password is an attribute of User; RFC 7644 section 3.3: 201.",
    lambda run: expect.status(assigned(run), 201))  # fmt: skip
row("create_body", "the answer has a body", "the user as JSON",
    "Okta has no id to link the person to: the next update is another POST and ends in a 409.",
    "RFC 7644 section 3.3: the body of a 201 holds the created resource; Okta requires it.",
    lambda run: expect.schema(assigned(run), bodies.USER))  # fmt: skip
row("create_id", "id is text", "a non-empty JSON string",
    "Okta refuses to link the account: 'Invalid value data type'.",
    "RFC 7643 section 3.1: id is a string, unique and never reassigned.",
    lambda run: expect.text_id(expect.document(assigned(run))))  # fmt: skip


@check("the answer has the values that were sent", "names, email, displayName, title, active true",
       "Okta's next import overwrites the profile in Okta with the missing values.",
       "RFC 7644 section 3.3: the server's representation; RFC 7643 section 4.1.")  # fmt: skip
def create_values(run: TestRun) -> None:
    name = {"name.givenName": "Grace", "name.familyName": "Test-Assign", "emails.0.value": run.user_name("assign")}
    expect.values(assigned(run), {**name, "displayName": "Grace Test-Assign", "title": "Agent", "active": True})


row("user_name_case", "userName keeps its case", "userName as sent",
    "Okta sees another userName than its own and reports a changed account at the next import.",
    "Fact: Okta compares case; RFC 7643 section 4.1.1: userName ignores case in comparisons and is stored as sent.",
    lambda run: f"userName {expect.values(assigned(run), {'userName': run.user_name('assign')})['userName']!r}",
)  # fmt: skip
row("password_hidden", "the password is not returned", "no password in the answer",
    "Okta ignores it, but anybody with a key can read passwords.",
    "RFC 7643 section 4.1.1 and 8.7.1: password is never returned.",
    lambda run: expect.that("password" not in expect.document(assigned(run)), "password is returned"))  # fmt: skip
row("external_id", "externalId is returned", "externalId as sent", "Matching by externalId fails at the next import.",
    "RFC 7643 section 3.1: externalId is the client's identifier of the resource.",
    lambda run: expect.values(assigned(run), {"externalId": "00u" + run.tag}))  # fmt: skip


@check("the person can be read", "200 with the values that were sent",
       "Every later update fails, since it begins with this GET.", "RFC 7644 section 3.4.1.", name="read")  # fmt: skip
def read_back(run: TestRun) -> None:
    identifier, name = assigned_id(run), run.user_name("assign")
    expected = {"id": identifier, "userName": name, "name.givenName": "Grace", "active": True}
    expect.values(read(run, f"/Users/{identifier}"), expected)


row("lookup", "the look-up finds the person", "exactly 1 result",
    "Okta creates the person a second time.", "RFC 7644 section 3.4.2.2: eq.",
    lambda run: expect.only(assigned_id(run), run.find_user(run.user_name("assign"))))  # fmt: skip
row("lookup_case", "the look-up ignores case", "exactly 1 result",
    "Okta finds nobody and creates the person again: there is a duplicate, or every attempt ends in a 409.",
    "RFC 7643 section 8.7.1: userName is not caseExact; RFC 7644 section 3.4.2.2.",
    lambda run: expect.only(assigned_id(run), run.find_user(run.user_name("assign").swapcase())))  # fmt: skip
row("lookup_exact", "the look-up of a part of the name finds nobody", "totalResults 0",
    "Okta links the person to somebody else's account and overwrites it.",
    "RFC 7644 section 3.4.2.2: eq compares the whole value, and a filter is never ignored.",
    assigned_id, lambda run: expect.empty_list(run.find_user(run.user_name("assign")[:-4])))  # fmt: skip
row("duplicate", "a second POST is refused", "409",
    "Okta reads the answer as a new account; the person exists twice or shares an account.",
    "RFC 7644 section 3.3: 409 with scimType uniqueness.",
    assigned_id, lambda run: expect.status(assign(run, run.user_name("assign")), 409))  # fmt: skip
row("duplicate_case", "a second POST in another case is refused", "409",
    "One person gets two accounts that differ in case.",
    "RFC 7643 section 8.7.1: userName is unique and not caseExact.",
    assigned_id, lambda run: expect.status(assign(run, run.user_name("assign").upper()), 409))  # fmt: skip


row("empty_values", "empty values are accepted", "201",
    FAILS + ' Okta sends null, "" and [] for attributes without a value.',
    "RFC 7643 section 2.5: null, an empty array and an absent attribute are all unassigned.",
    lambda run: expect.status(assign(run, run.user_name("empty"), "Nil", "Test-Empty", mapped=EMPTY_ATTRIBUTES), 201),
)  # fmt: skip

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


row, check = UPDATE.row, UPDATE.check
row("put_all", "GET, then PUT of the whole user", "200",
    STALE + " A custom app updates by PUT only and sends back the server's own id, meta and groups.",
    "RFC 7644 section 3.5.1: PUT replaces the resource and ignores readOnly attributes.",
    lambda run: expect.status(renamed(run), 200), dialect=CUSTOM)  # fmt: skip
row("put_answer", "the answer is the changed user", "the new names",
    STALE, "RFC 7644 section 3.5.1: 200 with the entire resource.",
    lambda run: expect.values(renamed(run), NEW_NAMES), dialect=CUSTOM)  # fmt: skip


@check("the change is stored", "the new names, the same email and userName",
       NOT_SENT_AGAIN, "RFC 7644 section 3.5.1.", dialect=CUSTOM, before=renamed)  # fmt: skip
def put_kept(run: TestRun) -> None:
    name = run.user_name("update")
    expect.values(read_user(run, "update"), {"name.familyName": "King", "userName": name, "emails.0.value": name})


row("put_twice", "the same PUT again is accepted", "200",
    "Two PUTs a few seconds apart are normal; the second one fails.", "RFC 7231 section 4.2.2: PUT is idempotent.",
    renamed, lambda run: expect.status(put(run, "update"), 200), dialect=CUSTOM)  # fmt: skip


row("put_empty", "PUT with empty values", "200", STALE, 'RFC 7643 section 2.5: null, "" and [] mean unassigned.',
    lambda run: expect.status(
        put(run, "update", title=None, nickName="", phoneNumbers=[], addresses=None, locale=None), 200),
    dialect=CUSTOM)  # fmt: skip


def put_without_active(run: TestRun, label: str, title: str, active: bool) -> None:
    """Write a user without `active`, and expect that it has stayed."""
    body = bodies.edited_user(read_user(run, label), {"title": title})
    body.pop("active", None)
    expect.status(run.send("PUT", run.user_path(label), body=body), 200)
    expect.values(read_user(run, label), {"active": active})


row("put_without_active", "PUT without active keeps a person active", "200, active true",
    "A profile update locks the person out.", ACTIVE_STAYS,
    lambda run: put_without_active(run, "update", "Countess", True), dialect=CUSTOM)  # fmt: skip
row("put_without_active_left", "PUT without active keeps a person deactivated", "200, active false",
    "A profile update gives access back to a person who has left.", ACTIVE_STAYS,
    lambda run: run.user("left", active=False), lambda run: put_without_active(run, "left", "Gone", False),
    dialect=CUSTOM)  # fmt: skip


@check("PUT changes the userName", "200, found under the new name only",
       "A person whose address changes keeps the old account name, or gets a second account.",
       "RFC 7644 section 3.5.1; RFC 7643 section 4.1.1: userName is readWrite.", dialect=CUSTOM)  # fmt: skip
def put_user_name(run: TestRun) -> None:
    name = run.user_name("married")
    identifier = run.user("maiden", active=False)
    expect.values(expect.status(put(run, "maiden", userName=name), 200), {"userName": name})
    expect.only(identifier, run.find_user(name))
    expect.empty_list(run.find_user(run.user_name("maiden")))


row("put_taken", "PUT with the userName of another is refused", "409", "Two people share one account.",
    "RFC 7644 section 3.5.1 and table 9: 409 uniqueness.", lambda run: run.user("holder", active=False),
    lambda run: expect.status(put(run, "update", userName=run.user_name("holder")), 409), dialect=CUSTOM)  # fmt: skip


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
    patched, lambda run: expect.values(read_user(run, "update"), {**NEW_NAMES, "title": "Countess"}),
    dialect=OIN)  # fmt: skip


@check("the PATCH leaves other attributes unchanged", "active true, userName and email as before",
       "A change of the title locks the person out or loses the address.", "RFC 7644 section 3.5.2.",
       dialect=OIN, before=patched)  # fmt: skip
def patch_rest(run: TestRun) -> None:
    name = run.user_name("update")
    found = expect.values(read_user(run, "update"), {"userName": name, "emails.0.value": name, "active": True})
    expect.that("password" not in found, "password is returned")


STAYS = "A person who has left keeps access, while Okta shows the person as deactivated."
NEVER_ARRIVES = "Okta can neither create nor reach the person: every attempt to assign fails."


def set_active(run: TestRun, label: str, active: bool) -> Reply:
    if run.dialect == CUSTOM:
        return put(run, label, active=active)
    return run.send("PATCH", run.user_path(label), body=bodies.replace({"active": active}))


@shared
def deactivated(run: TestRun, label: str = "leaver") -> Reply:
    return set_active(run, label, False)


@shared
def reactivated(run: TestRun) -> Reply:
    deactivated_id(run, "returner")
    return set_active(run, "returner", True)


def deactivated_id(run: TestRun, label: str) -> str:
    """Return the id of a deactivated user, created so where the server allows it.

    :raises CheckSkipped: when nobody can be deactivated.
    """
    identifier = run.user(label, active=False)
    if _is_active(run, identifier):
        deactivated(run, label)
    if _is_active(run, identifier):
        raise CheckSkipped("needs a deactivated person, and deactivation has no effect")
    return identifier


def _is_active(run: TestRun, identifier: str) -> bool:
    reply = run.client.send("GET", f"/Users/{identifier}")
    return reply.status != 404 and expect.value_at(reply.document, "active") is not False


def expect_active(reply: Reply, active: bool) -> None:
    if expect.status(reply, 200, 204).status == 200:
        expect.values(reply, {"active": active})


row, check = DEACTIVATE.row, DEACTIVATE.check
row("put_inactive", "GET, then PUT with active false", "200 with the user, active false", STAYS,
    "RFC 7644 section 3.5.1; Okta never deletes a user.",
    lambda run: expect.values(expect.status(deactivated(run), 200), {"active": False}), dialect=CUSTOM)  # fmt: skip
row("patch_inactive", "PATCH with active false", "200 with the user, or 204", STAYS,
    "RFC 7644 section 3.5.2: 200 with the resource or 204; Okta never deletes a user.",
    lambda run: expect_active(deactivated(run), False), dialect=OIN)  # fmt: skip
row("kept", "the deactivation is stored", "active false", STAYS, "RFC 7643 section 4.1.1: active.",
    deactivated, lambda run: expect.values(read_user(run, "leaver"), {"active": False}))  # fmt: skip
row("twice", "a second deactivation is accepted", "200 or 204",
    "A task stays open in Okta for a person who has already left.", "RFC 7231 section 4.2.2: idempotent.",
    deactivated, lambda run: expect.status(set_active(run, "leaver", False), 200, 204))  # fmt: skip


@check("a deactivated person keeps the profile", "names and email as before",
       "Nobody can tell whose account it was, and reactivation brings back an empty profile.",
       "RFC 7644 section 3.5.", before=deactivated)  # fmt: skip
def profile(run: TestRun) -> None:
    name = run.user_name("leaver")
    expected = {"userName": name, "name.givenName": "Ada", "emails.0.value": name}
    expect.values(read_user(run, "leaver"), expected)


row, check = REPROVISION.row, REPROVISION.check
row("lookup", "the look-up finds a deactivated person", "exactly 1 result, active false",
    "Okta treats the person as new, and every POST ends in a 409.",
    "Fact: every list includes deactivated users; RFC 7644 section 3.4.2.2.",
    lambda run: expect.values(
        expect.only(deactivated_id(run, "returner"), run.find_user(run.user_name("returner"))), {"active": False}),
)  # fmt: skip
row("readable", "a deactivated person can be read", "200",
    "Okta treats the person as deleted, and every POST ends in a 409.",
    "RFC 7644 section 3.4.1: a deactivated user is a resource like any other.",
    lambda run: expect.status(run.get(f"/Users/{deactivated_id(run, 'returner')}"), 200))  # fmt: skip
row("activate", "the reactivation is accepted", "200 with active true, or 204 to a PATCH", NEVER_ARRIVES,
    "RFC 7644 section 3.5.", lambda run: expect_active(reactivated(run), True))  # fmt: skip
row("activate_kept", "the reactivation is stored", "active true, the same userName",
    "Okta shows the person as active, but the person cannot log in.", "RFC 7643 section 4.1.1: active.",
    reactivated,
    lambda run: expect.values(read_user(run, "returner"), {"active": True, "userName": run.user_name("returner")}),
)  # fmt: skip


@check("POST of a deactivated person reactivates", "201 with the old id, active true",
       "When Okta has lost its link to the account, it POSTs, and every attempt ends in a 409.",
       "Fact: the most reported failure of reprovisioning (RFC 7644 section 3.3 allows the 409).",
       warning=True)  # fmt: skip
def post(run: TestRun) -> None:
    identifier = deactivated_id(run, "forgotten")
    reply = assign(run, run.user_name("forgotten"), "Ada", "Test-forgotten")
    found = expect.values(expect.status(reply, 201, 200), {"active": True})
    expect.that(found.get("id") == identifier, "another id: the person has two accounts")
