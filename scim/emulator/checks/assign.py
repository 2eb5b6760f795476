"""A person is assigned to the app: look-up, POST, and the values that Okta needs back."""

from scim.emulator import bodies, expect
from scim.emulator.checks.common import read
from scim.emulator.client import Reply
from scim.emulator.runner import CheckStep, TestRun, created_id, shared

STEP = CheckStep("assign", "Assign a person")
row, check = STEP.row, STEP.check
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


@shared
def assigned(run: TestRun) -> Reply:
    """Return the reply to the POST of a custom app, with a random password, empty groups and a locale."""
    name, external_id = run.user_name("assign"), "00u" + run.tag
    return run.post("/Users", bodies.user(name, "Grace", "Test-Assign", external_id, CUSTOM_ATTRIBUTES))


def assigned_id(run: TestRun) -> str:
    return created_id(assigned(run), "the POST")


def assign_again(run: TestRun, user_name: str) -> Reply:
    return run.post("/Users", bodies.user(user_name, "Grace", "Test-Assign"))


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


@check("userName keeps its case", "userName as sent",
       "Okta sees another userName than its own and reports a changed account at the next import.",
       "Fact: Okta compares case; RFC 7643 section 4.1.1: userName ignores case in comparisons and is stored as sent.",
)  # fmt: skip
def user_name_case(run: TestRun) -> str:
    return f"userName {expect.values(assigned(run), {'userName': run.user_name('assign')})['userName']!r}"


@check("the password is not returned", "no password in the answer",
       "Okta ignores it, but anybody with a key can read passwords.",
       "RFC 7643 section 4.1.1 and 8.7.1: password is never returned.")  # fmt: skip
def password_hidden(run: TestRun) -> None:
    expect.that("password" not in expect.document(assigned(run)), "password is returned")


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
    lambda run: expect.empty_list(run.find_user(run.user_name("assign")[:-4])), before=assigned_id)  # fmt: skip
row("duplicate", "a second POST is refused", "409",
    "Okta reads the answer as a new account; the person exists twice or shares an account.",
    "RFC 7644 section 3.3: 409 with scimType uniqueness.",
    lambda run: expect.status(assign_again(run, run.user_name("assign")), 409), before=assigned_id)  # fmt: skip
row("duplicate_case", "a second POST in another case is refused", "409",
    "One person gets two accounts that differ in case.",
    "RFC 7643 section 8.7.1: userName is unique and not caseExact.",
    lambda run: expect.status(assign_again(run, run.user_name("assign").upper()), 409), before=assigned_id)  # fmt: skip


@check("empty values are accepted", "201",
       FAILS + ' Okta sends null, "" and [] for attributes without a value.',
       "RFC 7643 section 2.5: null, an empty array and an absent attribute are all unassigned.")  # fmt: skip
def empty_values(run: TestRun) -> None:
    body = bodies.user(run.user_name("empty"), "Nil", "Test-Empty", mapped=EMPTY_ATTRIBUTES)
    expect.status(run.post("/Users", body), 201)
