"""Okta's public specification suite, request by request."""

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document
from scim.emulator.checks.common import read
from scim.emulator.client import Reply
from scim.emulator.runner import CheckStep, TestRun, created_id, shared

STEP = CheckStep("suite", "Okta's public suite")
row, check = STEP.row, STEP.check
JSON_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/scim+json; charset=utf-8",
    "Accept-Charset": None,
}
NAMES = {"name.givenName": "Åda", "name.familyName": "Suite-O'Test"}
LONG_IDS = ("00919288221112222", "010101001010101011001010101011")
SUITE = "Fact: a step of Okta's public suite"


def suite_user(run: TestRun) -> Document:
    return bodies.smallest_user(run.user_name("suite"), "Åda", "Suite-O'Test")


@shared
def created(run: TestRun) -> Reply:
    return run.post("/Users", suite_user(run), JSON_HEADERS)


def suite_user_id(run: TestRun) -> str:
    return created_id(created(run), "the suite's POST")


def name_in_capitals(run: TestRun) -> str:
    return f'userName eq "{run.user_name("suite").upper()}"'


@shared
def with_wrong_key(run: TestRun) -> Reply:
    return run.send("GET", "/Users", {"filter": name_in_capitals(run)}, headers={"Authorization": "non-token"})


row("create", "POST as application/json creates a user", "201",
    "Create Users fails; the person stays unassigned, and Okta's task list shows the server's detail.",
    "RFC 7644 section 3.3: a created resource is answered with 201.",
    lambda run: expect.status(created(run), 201))  # fmt: skip


@check("the answer is the user", "id, userName, both names, active, core URN",
       "Okta cannot link the person to the account; it creates the account again and gets a 409.",
       f"{SUITE}; RFC 7644 section 3.3: the body holds the server's representation.")  # fmt: skip
def create_body(run: TestRun) -> None:
    found = expect.schema(created(run), bodies.USER)
    expect.values(found, {"userName": run.user_name("suite"), **NAMES, "active": True})
    expect.that(found.get("id"), "no id")


@check("the user can be read", "200 with the same id and names",
       "Okta believes that the account exists, but every later update fails.",
       f"{SUITE}; RFC 7644 section 3.4.1.", name="read")  # fmt: skip
def read_user(run: TestRun) -> None:
    identifier, name = suite_user_id(run), run.user_name("suite")
    expected = {"id": identifier, "userName": name, **NAMES, "active": True, "emails.0.value": name}
    expect.values(read(run, f"/Users/{identifier}"), expected)


@check("the first user has all that an import needs", "id, userName, both names, active, an email",
       "Okta's suite fails on its first step; an import cannot read people without names or email.",
       f"{SUITE}: its first request expects these attributes of the first user listed.",
       warning=True, before=suite_user_id)  # fmt: skip
def first_user(run: TestRun) -> None:
    found = expect.resources(run.get("/Users", count=1, startIndex=1))
    expect.that(found, "nobody is listed")
    expect.importable(found[0])


row("duplicate", "POST of the same user is refused", "409",
    "Okta reads the answer as a new account: two people share one, or one person has two.",
    "RFC 7644 section 3.3: a conflict is 409 with scimType uniqueness.",
    lambda run: expect.status(run.post("/Users", suite_user(run), JSON_HEADERS), 409),
    before=suite_user_id)  # fmt: skip
row("duplicate_error", "the 409 is a SCIM error", 'Error message, status "409" as text, detail',
    "The administrator sees an empty error and cannot tell which account has the name.",
    "RFC 7644 section 3.12: status is the HTTP status code as a JSON string.",
    lambda run: f"409 {expect.error(run.post('/Users', suite_user(run)), 409)['detail']}",
    before=suite_user_id)  # fmt: skip
row("unknown_name", "an unknown userName is an empty list", "200, totalResults 0",
    "Okta reads an error as a broken connection and creates nobody.", f"{SUITE}; RFC 7644 section 3.4.2.",
    lambda run: expect.empty_list(run.get("/Users", filter=f'userName eq "{run.user_name("never").lower()}"')),
)  # fmt: skip
row("capitals", "a userName in capitals is found", "exactly 1 result",
    "Okta creates a second account for a person whose address is written in another case.",
    f"{SUITE}; RFC 7643 section 8.7.1: userName is not caseExact.",
    lambda run: expect.only(suite_user_id(run), run.get("/Users", filter=name_in_capitals(run))))  # fmt: skip
row("groups_plain", "groups are listed without startIndex and count", "200, Resources is an array",
    "Import Groups fails.",
    f"{SUITE}; RFC 7644 section 3.4.2.4: without count the server chooses the size of the page.",
    lambda run: expect.resources(run.get("/Groups")))  # fmt: skip
row("wrong_key", "a wrong key is refused", "401",
    "Okta's suite fails; anybody who knows the URL can read and change the directory.",
    "RFC 7644 section 2 and RFC 7235 section 3.1: 401 without valid credentials.",
    lambda run: expect.status(with_wrong_key(run), 401))  # fmt: skip
row("wrong_key_error", "the 401 is a SCIM error", 'Error message, status "401" as text, detail',
    "Okta shows 'Error authenticating' without a cause.", f"{SUITE}; RFC 7644 section 3.12.",
    lambda run: expect.error(with_wrong_key(run), 401))  # fmt: skip
row("unknown_id", "an unknown id is 404", 'Error message, status "404" as text, detail',
    "Okta reads the failure as a broken server and retries instead of creating the person again.",
    "RFC 7644 section 3.12: a resource that does not exist is 404.",
    lambda run: expect.error(run.get(f"/Users/{run.tag}-unknown"), 404))  # fmt: skip


@check("a long id of digits is 404", "404 as a SCIM error",
       "Okta's suite fails: the server reads the id as a number.",
       f"{SUITE}; RFC 7643 section 3.1: an id is opaque text.")  # fmt: skip
def digits(run: TestRun) -> None:
    for identifier in LONG_IDS:
        expect.error(run.get(f"/Users/{identifier}"), 404)
