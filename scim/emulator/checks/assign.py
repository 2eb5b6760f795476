"""A person is assigned to the app: look-up, POST, and what Okta needs back."""

from scim.emulator import bodies, expect
from scim.emulator.client import Exchange, look_up
from scim.emulator.test_run import Broken, Play, Step, made_id

STEP = Step("assign", "Assign a person")
TASK = "The assignment fails and waits in Okta's task list."


def pushed(play: Play) -> Exchange:
    """Return the POST of a custom app, with a password placeholder, empty groups and a locale."""
    body = bodies.user(play.name("assign"), "Grace", "Test-Assign", external_id="00u" + play.mark, mapped=MAPPED)
    return play.once("assign", lambda: play.send("POST", "/Users", body=body))


MAPPED = {"title": "Agent", "preferredLanguage": "en-GB"}


def pushed_id(play: Play) -> str:
    """Return the id of the person assigned."""
    return made_id(pushed(play), "the POST")


@STEP.check(
    "nobody before", "200, totalResults 0, Resources: []", "Okta cannot tell whether to create or to update.",
    "RFC 7644 section 3.4.2: no match is an empty list.",
)  # fmt: skip
def lookup_before(play: Play) -> None:
    expect.nobody(play.send("GET", "/Users", query=look_up("userName", play.name("assign"))))


@STEP.check(
    "POST with Okta's password placeholder", "201", TASK + " Okta sends a random password with password sync off, too.",
    "RFC 7643 section 4.1.1: password is an attribute of User; RFC 7644 section 3.3: 201.",
)  # fmt: skip
def create(play: Play) -> None:
    expect.status(pushed(play), 201)


@STEP.check(
    "the answer has a body", "the user as JSON",
    "Okta has no id to link the person to: the next update is a POST again and ends in a 409.",
    "RFC 7644 section 3.3: the body of a 201 holds the created resource; Okta cannot do without.",
)  # fmt: skip
def create_body(play: Play) -> None:
    expect.schema(pushed(play), bodies.USER)


@STEP.check(
    "id is text", "a non-empty JSON string",
    "Okta refuses to link the account: 'Invalid value data type'.",
    "RFC 7643 section 3.1: id is a string, unique and never reassigned.",
)  # fmt: skip
def create_id(play: Play) -> None:
    found = expect.document(pushed(play)).get("id")
    if not isinstance(found, str) or not found:
        raise Broken(f"id is {found!r}")


@STEP.check(
    "what was sent comes back", "names, email, displayName, title, active true",
    "Okta's next import overwrites the profile in Okta with the server's gaps.",
    "RFC 7644 section 3.3: the server's representation; RFC 7643 section 4.1.",
)  # fmt: skip
def create_values(play: Play) -> None:
    wanted = {
        "name.givenName": "Grace",
        "name.familyName": "Test-Assign",
        "emails.0.value": play.name("assign"),
        "displayName": "Grace Test-Assign",
        "title": "Agent",
        "active": True,
    }
    expect.same(expect.document(pushed(play)), wanted)


@STEP.check(
    "userName keeps its case", "userName as sent",
    "Okta sees another userName than its own and reports a changed account at the next import.",
    "Fact: Okta compares; RFC 7643 section 4.1.1: userName is case-insensitive when compared, not changed.",
)  # fmt: skip
def user_name_case(play: Play) -> str:
    return expect.same(expect.document(pushed(play)), {"userName": play.name("assign")})


@STEP.check(
    "the password stays secret", "no password in the answer",
    "Okta ignores it; everybody with a key reads passwords.",
    "RFC 7643 section 4.1.1 and 8.7.1: password is never returned.",
)  # fmt: skip
def password_hidden(play: Play) -> None:
    if "password" in expect.document(pushed(play)):
        raise Broken("password is returned")


@STEP.check(
    "Okta's id comes back", "externalId as sent", "Matching by externalId fails after a re-import.",
    "RFC 7643 section 3.1: externalId is the client's identifier of the resource.",
)  # fmt: skip
def external_id(play: Play) -> None:
    expect.same(expect.document(pushed(play)), {"externalId": "00u" + play.mark})


@STEP.check(
    "the person can be read", "200 with what was sent", "Every later update fails, since it begins with this GET.",
    "RFC 7644 section 3.4.1.",
)  # fmt: skip
def read(play: Play) -> None:
    identifier = pushed_id(play)
    found = expect.document(expect.status(play.send("GET", f"/Users/{identifier}"), 200))
    expect.same(found, {"id": identifier, "userName": play.name("assign"), "name.givenName": "Grace", "active": True})


@STEP.check(
    "the look-up finds the person", "exactly 1 result",
    "Okta creates the person a second time.", "RFC 7644 section 3.4.2.2: eq.",
)  # fmt: skip
def lookup(play: Play) -> None:
    identifier = pushed_id(play)
    expect.only(play.send("GET", "/Users", query=look_up("userName", play.name("assign"))), identifier)


@STEP.check(
    "the look-up ignores case", "exactly 1 result",
    "Okta finds nobody, creates the person again and has a duplicate, or a 409 for ever.",
    "RFC 7643 section 8.7.1: userName is not caseExact; RFC 7644 section 3.4.2.2.",
)  # fmt: skip
def lookup_case(play: Play) -> None:
    identifier = pushed_id(play)
    expect.only(play.send("GET", "/Users", query=look_up("userName", play.name("assign").swapcase())), identifier)


@STEP.check(
    "the look-up of a part finds nobody", "totalResults 0",
    "Okta links the person to somebody else's account and overwrites it.",
    "RFC 7644 section 3.4.2.2: eq is identity, and a filter is never ignored.",
)  # fmt: skip
def lookup_exact(play: Play) -> None:
    pushed_id(play)
    expect.nobody(play.send("GET", "/Users", query=look_up("userName", play.name("assign")[:-4])))


@STEP.check(
    "a second POST is refused", "409",
    "Okta takes it for a new account; the person exists twice or shares an account.",
    "RFC 7644 section 3.3: 409 with scimType uniqueness.",
)  # fmt: skip
def duplicate(play: Play) -> None:
    pushed_id(play)
    expect.status(play.send("POST", "/Users", body=bodies.user(play.name("assign"), "Grace", "Test-Assign")), 409)


@STEP.check(
    "a second POST in other case is refused", "409",
    "One person gets two accounts that differ in case.",
    "RFC 7643 section 8.7.1: userName is unique and not caseExact.",
)  # fmt: skip
def duplicate_case(play: Play) -> None:
    pushed_id(play)
    body = bodies.user(play.name("assign").upper(), "Grace", "Test-Assign")
    expect.status(play.send("POST", "/Users", body=body), 409)


@STEP.check(
    "empty values are no error", "201", TASK + " Okta sends null, \"\" and [] for attributes without a value.",
    "RFC 7643 section 2.5: null, an empty array and an absent attribute are all unassigned.",
)  # fmt: skip
def empty_values(play: Play) -> None:
    empty: bodies.Document = {
        "title": None,
        "nickName": "",
        "phoneNumbers": [],
        "addresses": None,
        "profileUrl": None,
        "locale": None,
    }
    body = bodies.user(play.name("empty"), "Nil", "Test-Empty", mapped=empty)
    expect.status(play.send("POST", "/Users", body=body), 201)
