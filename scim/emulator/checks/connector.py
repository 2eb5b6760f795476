"""Test Connector Configuration: the requests that Okta sends before it saves the connection."""

from scim.emulator import expect
from scim.emulator.client import Reply
from scim.emulator.runner import CheckFailed, CheckStep, TestRun

STEP = CheckStep("connector", "Test Connector Configuration")
REFUSED = "Test Connector Configuration fails; the connection cannot be saved."
NO_MATCH = "Fact: Okta needs `Resources: []`; RFC 7644 section 3.4.2: no match is 200 with totalResults 0."
MOST_SECONDS = 0.6


def users(run: TestRun) -> Reply:
    """Return the first page of users."""
    return run.cached("connector users", lambda: run.get("/Users", startIndex=1, count=2))


def groups(run: TestRun) -> Reply:
    """Return the first page of groups."""
    return run.cached("connector groups", lambda: run.get("/Groups", startIndex=1, count=100))


def no_user(run: TestRun) -> Reply:
    """Return the reply to the look-up of an unknown userName."""
    return run.cached("no user", lambda: run.find_user(run.user_name("nobody")))


def no_group(run: TestRun) -> Reply:
    """Return the reply to the look-up of an unknown displayName."""
    return run.cached("no group", lambda: run.find_group(run.group_name("none")))


@STEP.check(
    "users are listed", "200", REFUSED,
    "RFC 7644 section 3.4.2: a successful query is answered with 200 and a ListResponse.",
)  # fmt: skip
def users_status(run: TestRun) -> None:
    expect.status(users(run), 200)


@STEP.check(
    "the list is JSON", "application/scim+json or application/json",
    "Okta cannot read the answer: 'Error authenticating: Unexpected content type'.",
    "RFC 7644 section 3.1: messages are JSON of the type application/scim+json.",
)  # fmt: skip
def users_media_type(run: TestRun) -> None:
    reply = users(run)
    media_type = reply.headers.get("Content-Type", "")
    if media_type.split(";")[0].strip().lower() not in ("application/scim+json", "application/json"):
        raise CheckFailed(media_type or "no Content-Type")
    expect.document(reply)


@STEP.check(
    "the list is a ListResponse", "schemas holds the ListResponse URN", REFUSED,
    "RFC 7644 section 3.4.2: urn:ietf:params:scim:api:messages:2.0:ListResponse.",
)  # fmt: skip
def users_schema(run: TestRun) -> None:
    expect.schema(users(run), expect.LIST_RESPONSE)


@STEP.check(
    "totalResults, startIndex, itemsPerPage", "three JSON numbers",
    "Okta stops without an error message, and an import finds nobody.",
    "RFC 7644 section 3.4.2.4: integers; a JSON string is not an integer.",
)  # fmt: skip
def users_numbers(run: TestRun) -> str:
    found = expect.numbers(users(run))
    return ", ".join(str(found[name]) for name in expect.NUMBERS)


@STEP.check(
    "Resources is an array", "Resources: [...]", REFUSED,
    "RFC 7644 section 3.4.2: Resources is a multi-valued list; Okta needs it even when it is empty.",
)  # fmt: skip
def users_resources(run: TestRun) -> str:
    return f"{len(expect.resources(users(run)))} users"


@STEP.check(
    "count=2 is not exceeded", "at most 2 users",
    "Okta miscounts the page and skips people on the next one.",
    "RFC 7644 section 3.4.2.4: the server MUST NOT return more results than count.",
)  # fmt: skip
def users_count(run: TestRun) -> str:
    found = expect.resources(users(run))
    if len(found) > 2:
        raise CheckFailed(f"{len(found)} users")
    return f"{len(found)} users"


@STEP.check(
    "an empty list of users is complete", "200, totalResults 0, Resources: []",
    "Okta fails on the look-up before it creates anybody: nobody is ever provisioned.", NO_MATCH,
)  # fmt: skip
def users_empty(run: TestRun) -> None:
    expect.empty_list(no_user(run))


@STEP.check(
    "an empty list of users has the numbers, too", "three JSON numbers",
    "Okta stops at the look-up without an error message.", "RFC 7644 section 3.4.2.4: integers.",
)  # fmt: skip
def users_empty_numbers(run: TestRun) -> None:
    expect.numbers(no_user(run))


@STEP.check(
    "groups are listed", "200, ListResponse, Resources: [...]", REFUSED,
    "RFC 7644 section 3.4.2: a successful query is answered with 200 and a ListResponse.",
)  # fmt: skip
def groups_list(run: TestRun) -> str:
    found = expect.resources(groups(run))
    expect.schema(groups(run), expect.LIST_RESPONSE)
    return f"{len(found)} groups"


@STEP.check(
    "the list of groups has the numbers, too", "three JSON numbers",
    "Okta stops without an error message, and Import Groups finds none.", "RFC 7644 section 3.4.2.4: integers.",
)  # fmt: skip
def groups_numbers(run: TestRun) -> None:
    expect.numbers(groups(run))


@STEP.check(
    "an empty list of groups is complete", "200, totalResults 0, Resources: []",
    "Push Groups fails on the look-up: no group is ever created.", NO_MATCH,
)  # fmt: skip
def groups_empty(run: TestRun) -> None:
    expect.empty_list(no_group(run))
    expect.numbers(no_group(run))


@STEP.check(
    "groups are listed fast", "under 600 ms",
    "Okta's suite fails on the response time; large imports exceed Okta's timeout of 60 s.",
    "Fact: Okta's suite expects the list of groups in under 600 ms.", warning=True,
)  # fmt: skip
def groups_time(run: TestRun) -> str:
    seconds = expect.status(groups(run), 200).seconds
    if seconds > MOST_SECONDS:
        raise CheckFailed(f"{seconds * 1000:.0f} ms")
    return "in time"
