"""Test Connector Configuration: the requests that Okta sends before it saves the connection."""

from scim.emulator import expect
from scim.emulator.client import Reply
from scim.emulator.runner import CheckStep, TestRun, shared

STEP = CheckStep("connector", "Test Connector Configuration")
row, check = STEP.row, STEP.check
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


@check("groups are listed", "200, ListResponse, Resources: [...]", REFUSED, LISTED)
def groups_list(run: TestRun) -> str:
    found = expect.resources(groups(run))
    expect.schema(groups(run), expect.LIST_RESPONSE)
    return f"{len(found)} groups"


row("groups_numbers", "the list of groups has the numbers, too", "three JSON numbers",
    "Okta stops without an error message, and Import Groups finds none.", "RFC 7644 section 3.4.2.4: integers.",
    lambda run: expect.numbers(groups(run)))  # fmt: skip


@check("an empty list of groups is complete", "200, totalResults 0, Resources: []",
       "Push Groups fails on the look-up: no group is ever created.", NO_MATCH)  # fmt: skip
def groups_empty(run: TestRun) -> None:
    expect.empty_list(no_group(run))
    expect.numbers(no_group(run))


@check("groups are listed fast", "under 600 ms",
       "Okta's suite fails on the response time; large imports exceed Okta's timeout of 60 s.",
       "Fact: Okta's suite expects the list of groups in under 600 ms.", warning=True)  # fmt: skip
def groups_time(run: TestRun) -> str:
    seconds = expect.status(groups(run), 200).seconds
    expect.that(seconds <= MOST_SECONDS, f"{seconds * 1000:.0f} ms")
    return "in time"
