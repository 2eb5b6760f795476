"""Okta's public specification suite, request by request."""

from scim.emulator import bodies, expect
from scim.emulator.client import Exchange
from scim.emulator.test_run import Broken, Play, Step, made_id

STEP = Step("suite", "Okta's public suite")
JSON_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/scim+json; charset=utf-8",
    "Accept-Charset": None,
}
LONG_IDS = ("00919288221112222", "010101001010101011001010101011")
SUITE = "Fact: a step of Okta's public suite"


def created(play: Play) -> Exchange:
    """Return the suite's POST of a user."""
    body = bodies.suite_user(play.name("suite"), "Åda", "Suite-O'Test")
    return play.once("suite user", lambda: play.send("POST", "/Users", body=body, headers=JSON_HEADERS))


def created_id(play: Play) -> str:
    """Return the id of the suite's user."""
    return made_id(created(play), "the suite's POST")


@STEP.check(
    "POST as application/json creates", "201",
    "Create Users fails; the person stays unassigned with the server's detail in Okta's task list.",
    "RFC 7644 section 3.3: a created resource is answered with 201.",
)  # fmt: skip
def create(play: Play) -> None:
    expect.status(created(play), 201)


@STEP.check(
    "the answer is the user", "id, userName, both names, active true, the core URN",
    "Okta has nothing to link the person to; it creates again and runs into a 409.",
    f"{SUITE}; RFC 7644 section 3.3: the body holds the server's representation.",
)  # fmt: skip
def create_body(play: Play) -> None:
    found = expect.schema(created(play), bodies.USER)
    names = {"name.givenName": "Åda", "name.familyName": "Suite-O'Test"}
    expect.same(found, {"userName": play.name("suite"), **names, "active": True})
    if not found.get("id"):
        raise Broken("no id")


@STEP.check(
    "the user is there", "200 with the same id and names",
    "Okta believes that the person exists; every later update fails.",
    f"{SUITE}; RFC 7644 section 3.4.1.",
)  # fmt: skip
def read(play: Play) -> None:
    identifier = created_id(play)
    found = expect.document(expect.status(play.send("GET", f"/Users/{identifier}"), 200))
    names = {"name.givenName": "Åda", "name.familyName": "Suite-O'Test"}
    email = {"emails.0.value": play.name("suite")}
    expect.same(found, {"id": identifier, "userName": play.name("suite"), **names, "active": True, **email})


@STEP.check(
    "the first user has all that an import needs", "id, userName, both names, active, an email",
    "Okta's suite fails on its first step; an import cannot take people without names or email.",
    f"{SUITE}: its first request wants them of the first user in the list.", warning=True,
)  # fmt: skip
def first_user(play: Play) -> None:
    created_id(play)
    exchange = play.send("GET", "/Users", query={"count": 1, "startIndex": 1})
    found = expect.resources(exchange)
    if not found:
        raise Broken("nobody is listed")
    needed = ("id", "userName", "name.givenName", "name.familyName", "active", "emails.0.value")
    missing = [path for path in needed if expect.value(found[0], path) in (None, "")]
    if missing:
        raise Broken(f"{', '.join(missing)} missing of {found[0].get('userName')}")


@STEP.check(
    "the same user again is refused", "409",
    "Okta takes the answer for a new account: two people share one, or one person has two.",
    "RFC 7644 section 3.3: a conflict is 409 with scimType uniqueness.",
)  # fmt: skip
def duplicate(play: Play) -> None:
    created_id(play)
    body = bodies.suite_user(play.name("suite"), "Åda", "Suite-O'Test")
    expect.status(play.send("POST", "/Users", body=body, headers=JSON_HEADERS), 409)


@STEP.check(
    "the refusal is a SCIM error", "Error message, status \"409\" as text, detail",
    "The administrator sees an empty error and does not know which account is in the way.",
    "RFC 7644 section 3.12: status is the HTTP status code as a JSON string.",
)  # fmt: skip
def duplicate_error(play: Play) -> str:
    created_id(play)
    body = bodies.suite_user(play.name("suite"), "Åda", "Suite-O'Test")
    return f"409 {expect.error(play.send('POST', '/Users', body=body), 409)['detail']}"


@STEP.check(
    "an unknown name is an empty list", "200, totalResults 0",
    "Okta takes an error for a broken connection and creates nobody.", f"{SUITE}; RFC 7644 section 3.4.2.",
)  # fmt: skip
def unknown_name(play: Play) -> None:
    name = play.name("never").lower()
    expect.nobody(play.send("GET", "/Users", query={"filter": f'userName eq "{name}"'}))


@STEP.check(
    "userName in capitals is taken", "200",
    "Okta creates a second account for a person whose address is written otherwise.",
    f"{SUITE}; RFC 7643 section 8.7.1: userName is not caseExact.",
)  # fmt: skip
def capitals(play: Play) -> None:
    identifier = created_id(play)
    query = {"filter": f'userName eq "{play.name("suite").upper()}"'}
    expect.only(play.send("GET", "/Users", query=query), identifier)


@STEP.check(
    "groups without paging parameters", "200, Resources an array", "Import Groups fails.",
    f"{SUITE}; RFC 7644 section 3.4.2.4: without count the server sets the page's size.",
)  # fmt: skip
def groups_plain(play: Play) -> None:
    expect.resources(play.send("GET", "/Groups"))


@STEP.check(
    "a wrong key is refused", "401",
    "Okta's suite fails; whoever knows the URL reads and writes the directory.",
    "RFC 7644 section 2 and RFC 7235 section 3.1: 401 without valid credentials.",
)  # fmt: skip
def wrong_key(play: Play) -> None:
    expect.status(_with_wrong_key(play), 401)


@STEP.check(
    "the 401 is a SCIM error", "Error message, status \"401\" as text, detail",
    "Okta shows 'Error authenticating' without a cause.", f"{SUITE}; RFC 7644 section 3.12.",
)  # fmt: skip
def wrong_key_error(play: Play) -> None:
    expect.error(_with_wrong_key(play), 401)


def _with_wrong_key(play: Play) -> Exchange:
    query = {"filter": f'userName eq "{play.name("suite").upper()}"'}
    headers = {"Authorization": "non-token"}
    return play.once("wrong key", lambda: play.send("GET", "/Users", query=query, headers=headers))


@STEP.check(
    "an unknown id is 404", "404, Error message, status \"404\" as text, detail",
    "Okta takes the failure for a broken server and tries again instead of creating the person anew.",
    "RFC 7644 section 3.12: a resource that does not exist is 404.",
)  # fmt: skip
def unknown_id(play: Play) -> None:
    expect.error(play.send("GET", f"/Users/{play.mark}-unknown"), 404)


@STEP.check(
    "a long id of digits is 404", "404 as a SCIM error",
    "Okta's suite fails: the id was taken for a number.", f"{SUITE}; RFC 7643 section 3.1: an id is opaque text.",
)  # fmt: skip
def digits(play: Play) -> None:
    for identifier in LONG_IDS:
        expect.error(play.send("GET", f"/Users/{identifier}"), 404)
