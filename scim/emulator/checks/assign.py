"""A person is assigned to the app: look-up, POST, and the values that Okta needs back."""

from scim.emulator import bodies, expect
from scim.emulator.client import Reply
from scim.emulator.runner import CheckFailed, CheckStep, TestRun, created_id

STEP = CheckStep("assign", "Assign a person")
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


def assigned(run: TestRun) -> Reply:
    """Return the reply to the POST of a custom app, with a random password, empty groups and a locale."""
    body = bodies.user(run.user_name("assign"), "Grace", "Test-Assign", "00u" + run.tag, CUSTOM_ATTRIBUTES)
    return run.cached("assign", lambda: run.send("POST", "/Users", body=body))


def assigned_id(run: TestRun) -> str:
    """Return the id of the assigned person."""
    return created_id(assigned(run), "the POST")


@STEP.check(
    "the look-up finds nobody before", "200, totalResults 0, Resources: []",
    "Okta cannot tell whether to create or to update.", "RFC 7644 section 3.4.2: no match is an empty list.",
)  # fmt: skip
def lookup_before(run: TestRun) -> None:
    expect.empty_list(run.find_user(run.user_name("assign")))


@STEP.check(
    "POST with Okta's random password", "201", FAILS + " Okta sends a random password even with password sync off.",
    "RFC 7643 section 4.1.1: password is an attribute of User; RFC 7644 section 3.3: 201.",
)  # fmt: skip
def create(run: TestRun) -> None:
    expect.status(assigned(run), 201)


@STEP.check(
    "the answer has a body", "the user as JSON",
    "Okta has no id to link the person to: the next update is another POST and ends in a 409.",
    "RFC 7644 section 3.3: the body of a 201 holds the created resource; Okta requires it.",
)  # fmt: skip
def create_body(run: TestRun) -> None:
    expect.schema(assigned(run), bodies.USER)


@STEP.check(
    "id is text", "a non-empty JSON string",
    "Okta refuses to link the account: 'Invalid value data type'.",
    "RFC 7643 section 3.1: id is a string, unique and never reassigned.",
)  # fmt: skip
def create_id(run: TestRun) -> None:
    expect.text_id(expect.document(assigned(run)))


@STEP.check(
    "the answer has the values that were sent", "names, email, displayName, title, active true",
    "Okta's next import overwrites the profile in Okta with the missing values.",
    "RFC 7644 section 3.3: the server's representation; RFC 7643 section 4.1.",
)  # fmt: skip
def create_values(run: TestRun) -> None:
    expected = {
        "name.givenName": "Grace",
        "name.familyName": "Test-Assign",
        "emails.0.value": run.user_name("assign"),
        "displayName": "Grace Test-Assign",
        "title": "Agent",
        "active": True,
    }
    expect.values(expect.document(assigned(run)), expected)


@STEP.check(
    "userName keeps its case", "userName as sent",
    "Okta sees another userName than its own and reports a changed account at the next import.",
    "Fact: Okta compares case; RFC 7643 section 4.1.1: userName ignores case in comparisons and is stored as sent.",
)  # fmt: skip
def user_name_case(run: TestRun) -> str:
    return expect.values(expect.document(assigned(run)), {"userName": run.user_name("assign")})


@STEP.check(
    "the password is not returned", "no password in the answer",
    "Okta ignores it, but anybody with a key can read passwords.",
    "RFC 7643 section 4.1.1 and 8.7.1: password is never returned.",
)  # fmt: skip
def password_hidden(run: TestRun) -> None:
    if "password" in expect.document(assigned(run)):
        raise CheckFailed("password is returned")


@STEP.check(
    "externalId is returned", "externalId as sent", "Matching by externalId fails at the next import.",
    "RFC 7643 section 3.1: externalId is the client's identifier of the resource.",
)  # fmt: skip
def external_id(run: TestRun) -> None:
    expect.values(expect.document(assigned(run)), {"externalId": "00u" + run.tag})


@STEP.check(
    "the person can be read", "200 with the values that were sent",
    "Every later update fails, since it begins with this GET.", "RFC 7644 section 3.4.1.",
)  # fmt: skip
def read(run: TestRun) -> None:
    identifier = assigned_id(run)
    found = expect.document(run.get(f"/Users/{identifier}"), 200)
    name = run.user_name("assign")
    expect.values(found, {"id": identifier, "userName": name, "name.givenName": "Grace", "active": True})


@STEP.check(
    "the look-up finds the person", "exactly 1 result",
    "Okta creates the person a second time.", "RFC 7644 section 3.4.2.2: eq.",
)  # fmt: skip
def lookup(run: TestRun) -> None:
    identifier = assigned_id(run)
    expect.only(run.find_user(run.user_name("assign")), identifier)


@STEP.check(
    "the look-up ignores case", "exactly 1 result",
    "Okta finds nobody and creates the person again: there is a duplicate, or every attempt ends in a 409.",
    "RFC 7643 section 8.7.1: userName is not caseExact; RFC 7644 section 3.4.2.2.",
)  # fmt: skip
def lookup_case(run: TestRun) -> None:
    identifier = assigned_id(run)
    expect.only(run.find_user(run.user_name("assign").swapcase()), identifier)


@STEP.check(
    "the look-up of a part of the name finds nobody", "totalResults 0",
    "Okta links the person to somebody else's account and overwrites it.",
    "RFC 7644 section 3.4.2.2: eq compares the whole value, and a filter is never ignored.",
)  # fmt: skip
def lookup_exact(run: TestRun) -> None:
    assigned_id(run)
    expect.empty_list(run.find_user(run.user_name("assign")[:-4]))


@STEP.check(
    "a second POST is refused", "409",
    "Okta reads the answer as a new account; the person exists twice or shares an account.",
    "RFC 7644 section 3.3: 409 with scimType uniqueness.",
)  # fmt: skip
def duplicate(run: TestRun) -> None:
    assigned_id(run)
    expect.status(run.send("POST", "/Users", body=bodies.user(run.user_name("assign"), "Grace", "Test-Assign")), 409)


@STEP.check(
    "a second POST in another case is refused", "409",
    "One person gets two accounts that differ in case.",
    "RFC 7643 section 8.7.1: userName is unique and not caseExact.",
)  # fmt: skip
def duplicate_case(run: TestRun) -> None:
    assigned_id(run)
    body = bodies.user(run.user_name("assign").upper(), "Grace", "Test-Assign")
    expect.status(run.send("POST", "/Users", body=body), 409)


@STEP.check(
    "empty values are accepted", "201", FAILS + " Okta sends null, \"\" and [] for attributes without a value.",
    "RFC 7643 section 2.5: null, an empty array and an absent attribute are all unassigned.",
)  # fmt: skip
def empty_values(run: TestRun) -> None:
    body = bodies.user(run.user_name("empty"), "Nil", "Test-Empty", mapped=EMPTY_ATTRIBUTES)
    expect.status(run.send("POST", "/Users", body=body), 201)
