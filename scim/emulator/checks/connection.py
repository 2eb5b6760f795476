"""The connection: Test Connector Configuration, Okta's public specification suite request by request, and errors."""

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document
from scim.emulator.checks.common import read
from scim.emulator.client import Reply
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.runner import CheckStep, TestRun, created_id, shared

CONNECTOR = CheckStep("connector", "Test Connector Configuration")
SUITE = CheckStep("suite", "Okta's public suite")
ERRORS = CheckStep("errors", "Errors")
REFUSED = "Test Connector Configuration fails; the connection cannot be saved."
LISTED = "RFC 7644 section 3.4.2: a successful query is answered with 200 and a ListResponse."
NO_MATCH = "Fact: Okta needs `Resources: []`; RFC 7644 section 3.4.2: no match is 200 with totalResults 0."
MOST_SECONDS = 0.6


@shared
def users(run: TestRun) -> Reply:
    return run.get("/Users", startIndex=1, count=2)


@shared
def groups(run: TestRun) -> Reply:
    return run.get("/Groups", startIndex=1, count=100)


@shared
def no_user(run: TestRun) -> Reply:
    return run.find_user(run.user_name("nobody"))


@shared
def no_group(run: TestRun) -> Reply:
    return run.find_group(run.group_name("none"))


row, check = CONNECTOR.row, CONNECTOR.check
row("users_status", "users are listed", "200", REFUSED, LISTED, lambda run: expect.status(users(run), 200))


@check("the list is JSON", "application/scim+json or application/json",
       "Okta cannot read the answer: 'Error authenticating: Unexpected content type'.",
       "RFC 7644 section 3.1: messages are JSON of the type application/scim+json.")  # fmt: skip
def users_media_type(run: TestRun) -> None:
    media_type = users(run).headers.get("Content-Type", "")
    is_json = media_type.split(";")[0].strip().lower() in ("application/scim+json", "application/json")
    expect.that(is_json, media_type or "no Content-Type")
    expect.document(users(run))


row("users_schema", "the list is a ListResponse", "schemas holds the ListResponse URN", REFUSED,
    "RFC 7644 section 3.4.2: urn:ietf:params:scim:api:messages:2.0:ListResponse.",
    lambda run: expect.schema(users(run), expect.LIST_RESPONSE))  # fmt: skip
row("users_numbers", "totalResults, startIndex, itemsPerPage", "three JSON numbers",
    "Okta stops without an error message, and an import finds nobody.",
    "RFC 7644 section 3.4.2.4: integers; a JSON string is not an integer.",
    lambda run: ", ".join(map(str, expect.numbers(users(run)).values())))  # fmt: skip
row("users_resources", "Resources is an array", "Resources: [...]", REFUSED,
    "RFC 7644 section 3.4.2: Resources is a multi-valued list; Okta needs it even when it is empty.",
    lambda run: f"{len(expect.resources(users(run)))} users")  # fmt: skip


@check("count=2 is not exceeded", "at most 2 users", "Okta miscounts the page and skips people on the next one.",
       "RFC 7644 section 3.4.2.4: the server MUST NOT return more results than count.")  # fmt: skip
def users_count(run: TestRun) -> str:
    found = expect.resources(users(run))
    expect.that(len(found) <= 2, f"{len(found)} users")
    return f"{len(found)} users"


row("users_empty", "an empty list of users is complete", "200, totalResults 0, Resources: []",
    "Okta fails on the look-up before it creates anybody: nobody is ever provisioned.", NO_MATCH,
    lambda run: expect.empty_list(no_user(run)))  # fmt: skip
row("users_empty_numbers", "an empty list of users has the numbers, too", "three JSON numbers",
    "Okta stops at the look-up without an error message.", "RFC 7644 section 3.4.2.4: integers.",
    lambda run: expect.numbers(no_user(run)))  # fmt: skip
row("groups_list", "groups are listed", "200, ListResponse, Resources: [...]", REFUSED, LISTED,
    lambda run: expect.resources(groups(run)),
    lambda run: f"{len(expect.schema(groups(run), expect.LIST_RESPONSE)['Resources'])} groups")  # fmt: skip
row("groups_numbers", "the list of groups has the numbers, too", "three JSON numbers",
    "Okta stops without an error message, and Import Groups finds none.", "RFC 7644 section 3.4.2.4: integers.",
    lambda run: expect.numbers(groups(run)))  # fmt: skip
row("groups_empty", "an empty list of groups is complete", "200, totalResults 0, Resources: []",
    "Push Groups fails on the look-up: no group is ever created.", NO_MATCH,
    lambda run: expect.empty_list(no_group(run)), lambda run: expect.numbers(no_group(run)))  # fmt: skip


@check("groups are listed fast", "under 600 ms",
       "Okta's suite fails on the response time; large imports exceed Okta's timeout of 60 s.",
       "Fact: Okta's suite expects the list of groups in under 600 ms.", warning=True)  # fmt: skip
def groups_time(run: TestRun) -> str:
    seconds = expect.status(groups(run), 200).seconds
    expect.that(seconds <= MOST_SECONDS, f"{seconds * 1000:.0f} ms")
    return "in time"


JSON_HEADERS = {
    "Content-Type": "application/json",
    "Accept": "application/scim+json; charset=utf-8",
    "Accept-Charset": None,
}
NAMES = {"name.givenName": "Åda", "name.familyName": "Suite-O'Test"}
LONG_IDS = ("00919288221112222", "010101001010101011001010101011")
STEP_OF_SUITE = "Fact: a step of Okta's public suite"


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


row, check = SUITE.row, SUITE.check
row("create", "POST as application/json creates a user", "201",
    "Create Users fails; the person stays unassigned, and Okta's task list shows the server's detail.",
    "RFC 7644 section 3.3: a created resource is answered with 201.",
    lambda run: expect.status(created(run), 201))  # fmt: skip


@check("the answer is the user", "id, userName, both names, active, core URN",
       "Okta cannot link the person to the account; it creates the account again and gets a 409.",
       f"{STEP_OF_SUITE}; RFC 7644 section 3.3: the body holds the server's representation.")  # fmt: skip
def create_body(run: TestRun) -> None:
    found = expect.schema(created(run), bodies.USER)
    expect.values(found, {"userName": run.user_name("suite"), **NAMES, "active": True})
    expect.that(found.get("id"), "no id")


@check("the user can be read", "200 with the same id and names",
       "Okta believes that the account exists, but every later update fails.",
       f"{STEP_OF_SUITE}; RFC 7644 section 3.4.1.", name="read")  # fmt: skip
def read_suite_user(run: TestRun) -> None:
    identifier, name = suite_user_id(run), run.user_name("suite")
    expected = {"id": identifier, "userName": name, **NAMES, "active": True, "emails.0.value": name}
    expect.values(read(run, f"/Users/{identifier}"), expected)


@check("the first user has all that an import needs", "id, userName, both names, active, an email",
       "Okta's suite fails on its first step; an import cannot read people without names or email.",
       f"{STEP_OF_SUITE}: its first request expects these attributes of the first user listed.",
       warning=True)  # fmt: skip
def first_user(run: TestRun) -> None:
    suite_user_id(run)
    found = expect.resources(run.get("/Users", count=1, startIndex=1))
    expect.that(found, "nobody is listed")
    expect.importable(found[0])


row("duplicate", "POST of the same user is refused", "409",
    "Okta reads the answer as a new account: two people share one, or one person has two.",
    "RFC 7644 section 3.3: a conflict is 409 with scimType uniqueness.",
    suite_user_id, lambda run: expect.status(run.post("/Users", suite_user(run), JSON_HEADERS), 409))  # fmt: skip
row("duplicate_error", "the 409 is a SCIM error", 'Error message, status "409" as text, detail',
    "The administrator sees an empty error and cannot tell which account has the name.",
    "RFC 7644 section 3.12: status is the HTTP status code as a JSON string.",
    suite_user_id, lambda run: f"409 {expect.error(run.post('/Users', suite_user(run)), 409)['detail']}")  # fmt: skip
row("unknown_name", "an unknown userName is an empty list", "200, totalResults 0",
    "Okta reads an error as a broken connection and creates nobody.", f"{STEP_OF_SUITE}; RFC 7644 section 3.4.2.",
    lambda run: expect.empty_list(run.get("/Users", filter=f'userName eq "{run.user_name("never").lower()}"')),
)  # fmt: skip
row("capitals", "a userName in capitals is found", "exactly 1 result",
    "Okta creates a second account for a person whose address is written in another case.",
    f"{STEP_OF_SUITE}; RFC 7643 section 8.7.1: userName is not caseExact.",
    lambda run: expect.only(suite_user_id(run), run.get("/Users", filter=name_in_capitals(run))))  # fmt: skip
row("groups_plain", "groups are listed without startIndex and count", "200, Resources is an array",
    "Import Groups fails.",
    f"{STEP_OF_SUITE}; RFC 7644 section 3.4.2.4: without count the server chooses the size of the page.",
    lambda run: expect.resources(run.get("/Groups")))  # fmt: skip
row("wrong_key", "a wrong key is refused", "401",
    "Okta's suite fails; anybody who knows the URL can read and change the directory.",
    "RFC 7644 section 2 and RFC 7235 section 3.1: 401 without valid credentials.",
    lambda run: expect.status(with_wrong_key(run), 401))  # fmt: skip
row("wrong_key_error", "the 401 is a SCIM error", 'Error message, status "401" as text, detail',
    "Okta shows 'Error authenticating' without a cause.", f"{STEP_OF_SUITE}; RFC 7644 section 3.12.",
    lambda run: expect.error(with_wrong_key(run), 401))  # fmt: skip
row("unknown_id", "an unknown id is 404", 'Error message, status "404" as text, detail',
    "Okta reads the failure as a broken server and retries instead of creating the person again.",
    "RFC 7644 section 3.12: a resource that does not exist is 404.",
    lambda run: expect.error(run.get(f"/Users/{run.tag}-unknown"), 404))  # fmt: skip
row("digits", "a long id of digits is 404", "404 as a SCIM error",
    "Okta's suite fails: the server reads the id as a number.",
    f"{STEP_OF_SUITE}; RFC 7643 section 3.1: an id is opaque text.",
    lambda run: [expect.error(run.get(f"/Users/{identifier}"), 404) for identifier in LONG_IDS])  # fmt: skip

NO_CAUSE = "The administrator sees no cause: Okta shows the `detail` of the error and nothing else."
SCIM_ERROR = "as a SCIM error: status as text, detail"
NOT_FOUND = (
    f"404 {SCIM_ERROR}",
    "Okta reads the error as a broken server and retries for hours a request that can never succeed.",
    "RFC 7644 section 3.12: a resource that does not exist is 404.",
)
ONE = {"startIndex": 1, "count": 1}


def to_unknown(run: TestRun, method: str, endpoint: str, body: object = None) -> Document:
    """Send a request to a resource that does not exist, and expect 404."""
    return expect.error(run.send(method, f"{endpoint}/{run.tag}-gone", body=body), 404)


row, check = ERRORS.row, ERRORS.check
row("get_gone", "GET of an unknown user", *NOT_FOUND, lambda run: f"404 {to_unknown(run, 'GET', '/Users')['detail']}")
row("put_gone", "PUT of an unknown user", *NOT_FOUND,
    lambda run: to_unknown(run, "PUT", "/Users", run.user_body("gone")), dialect=CUSTOM)  # fmt: skip
row("patch_gone", "PATCH of an unknown user", *NOT_FOUND,
    lambda run: to_unknown(run, "PATCH", "/Users", bodies.replace({"active": False})), dialect=OIN)  # fmt: skip
row("group_gone", "GET of an unknown group", *NOT_FOUND, lambda run: to_unknown(run, "GET", "/Groups"))
row("group_put_gone", "PUT of an unknown group", *NOT_FOUND,
    lambda run: to_unknown(run, "PUT", "/Groups", bodies.group(run.group_name("gone"))), dialect=CUSTOM)  # fmt: skip
row("group_patch_gone", "PATCH of an unknown group", *NOT_FOUND,
    lambda run: to_unknown(run, "PATCH", "/Groups", bodies.patch(bodies.rename_group("gone", run.group_name("gone")))),
    dialect=OIN)  # fmt: skip
row("delete_gone", "DELETE of an unknown group", *NOT_FOUND, lambda run: to_unknown(run, "DELETE", "/Groups"))


@check("a user without a userName is refused", f"400 {SCIM_ERROR}",
       "An account without a name is created, or the administrator sees no cause in Okta.",
       "RFC 7643 section 4.1.1: userName is required; RFC 7644 section 3.12: invalidValue is 400.")  # fmt: skip
def no_user_name(run: TestRun) -> str:
    body = run.user_body("nameless")
    del body["userName"]
    return f"400 {expect.error(run.post('/Users', body), 400)['detail']}"


row("no_json", "a body that is not JSON is refused", f"400 {SCIM_ERROR}", NO_CAUSE,
    "RFC 7644 section 3.12: invalidSyntax is 400.",
    lambda run: expect.error(run.post("/Users", b'{"userName": '), 400))  # fmt: skip
row("unknown_path", "an unknown path is refused", f"404 {SCIM_ERROR}", NO_CAUSE,
    "RFC 7644 section 3.12: errors are JSON with schemas, status as a string, and detail.",
    lambda run: expect.error(run.get(f"/Nothing-{run.tag}"), 404))  # fmt: skip
row("no_key", "a request without a key is refused", f"401 {SCIM_ERROR}",
    "Anybody who knows the URL can read the directory.", "RFC 7644 section 2: clients must authenticate.",
    lambda run: expect.error(run.send("GET", "/Users", ONE, headers={"Authorization": None}), 401))  # fmt: skip
row("bad_filter", "an incomplete filter is refused", f"400 {SCIM_ERROR}",
    "A mistyped filter returns everybody, and Okta links the wrong person.",
    "RFC 7644 section 3.12: invalidFilter is 400.",
    lambda run: expect.error(run.get("/Users", filter="userName eq", startIndex=1, count=100), 400))  # fmt: skip
row("bare_key", "a key without 'Bearer ' is accepted", "200",
    "Some of Okta's forms do not add 'Bearer ': the connection fails with a valid key.",
    "Fact: some Okta apps send the key alone (RFC 6750 section 2.1 does not require the server to accept it).",
    lambda run: expect.status(run.send("GET", "/Users", ONE, headers={"Authorization": run.client.key}), 200),
    warning=True)  # fmt: skip
