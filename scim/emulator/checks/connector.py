"""Test Connector Configuration: what Okta asks before it saves the connection."""

from scim.emulator import expect
from scim.emulator.client import Exchange, look_up
from scim.emulator.test_run import Broken, Play, Step

STEP = Step("connector", "Test Connector Configuration")
REFUSES = "Test Connector Configuration fails; the connection cannot be saved."
SLOW_SECONDS = 0.6


def users(play: Play) -> Exchange:
    """Return the first page of users as Okta asks for it."""
    return play.once("connector users", lambda: play.send("GET", "/Users", query={"startIndex": 1, "count": 2}))


def groups(play: Play) -> Exchange:
    """Return the first page of groups as Okta asks for it."""
    return play.once("connector groups", lambda: play.send("GET", "/Groups", query={"startIndex": 1, "count": 100}))


def no_user(play: Play) -> Exchange:
    """Return the list of users with a name that nobody has."""
    query = look_up("userName", play.name("nobody"))
    return play.once("no user", lambda: play.send("GET", "/Users", query=query))


def no_group(play: Play) -> Exchange:
    """Return the list of groups with a name that no group has."""
    query = look_up("displayName", play.group_name("none"))
    return play.once("no group", lambda: play.send("GET", "/Groups", query=query))


@STEP.check(
    "users are listed", "200", REFUSES,
    "RFC 7644 section 3.4.2: a successful query answers 200 with a ListResponse.",
)  # fmt: skip
def users_status(play: Play) -> None:
    expect.status(users(play), 200)


@STEP.check(
    "the list is JSON", "application/scim+json or application/json",
    "Okta cannot read the answer: 'Error authenticating: Unexpected content type'.",
    "RFC 7644 section 3.1: messages are JSON of the type application/scim+json.",
)  # fmt: skip
def users_media_type(play: Play) -> None:
    exchange = users(play)
    kind = exchange.headers.get("Content-Type", "")
    if kind.split(";")[0].strip().lower() not in ("application/scim+json", "application/json"):
        raise Broken(kind or "no Content-Type")
    expect.document(exchange)


@STEP.check(
    "the list says that it is one", "schemas holds ListResponse", REFUSES,
    "RFC 7644 section 3.4.2: urn:ietf:params:scim:api:messages:2.0:ListResponse.",
)  # fmt: skip
def users_schema(play: Play) -> None:
    expect.schema(users(play), expect.LIST_RESPONSE)


@STEP.check(
    "totalResults, startIndex, itemsPerPage are numbers", "three JSON numbers",
    "Okta stops without a word: an import finds nobody, a text in place of a number is not even reported.",
    "RFC 7644 section 3.4.2.4: integers; a string is no JSON number.",
)  # fmt: skip
def users_numbers(play: Play) -> str:
    found = expect.numbers(users(play))
    return ", ".join(str(found[name]) for name in expect.NUMBERS)


@STEP.check(
    "Resources is an array", "Resources: [...]", REFUSES,
    "RFC 7644 section 3.4.2: Resources is a multi-valued list; Okta wants it even when it is empty.",
)  # fmt: skip
def users_resources(play: Play) -> str:
    return f"{len(expect.resources(users(play)))} users"


@STEP.check(
    "count=2 is not exceeded", "at most 2 users",
    "Okta reads the page as longer than it is and skips people in the next one.",
    "RFC 7644 section 3.4.2.4: the server MUST NOT return more results than count.",
)  # fmt: skip
def users_count(play: Play) -> str:
    found = expect.resources(users(play))
    if len(found) > 2:
        raise Broken(f"{len(found)} users")
    return f"{len(found)} users"


@STEP.check(
    "an empty list of users is complete", "200, totalResults 0, Resources: []",
    "Okta fails on the look-up before it creates anybody: nobody is ever provisioned.",
    "Fact: Okta needs `Resources: []`; RFC 7644 section 3.4.2: no match is 200 with totalResults 0.",
)  # fmt: skip
def users_empty(play: Play) -> None:
    expect.nobody(no_user(play))


@STEP.check(
    "an empty list of users has numbers, too", "three JSON numbers",
    "Okta stops without a word on the look-up.", "RFC 7644 section 3.4.2.4: integers.",
)  # fmt: skip
def users_empty_numbers(play: Play) -> None:
    expect.numbers(no_user(play))


@STEP.check(
    "groups are listed", "200, ListResponse, Resources: [...]", REFUSES,
    "RFC 7644 section 3.4.2: a successful query answers 200 with a ListResponse.",
)  # fmt: skip
def groups_list(play: Play) -> str:
    found = expect.resources(groups(play))
    expect.schema(groups(play), expect.LIST_RESPONSE)
    return f"{len(found)} groups"


@STEP.check(
    "the list of groups has numbers", "three JSON numbers",
    "Okta stops without a word: Import Groups finds none.", "RFC 7644 section 3.4.2.4: integers.",
)  # fmt: skip
def groups_numbers(play: Play) -> None:
    expect.numbers(groups(play))


@STEP.check(
    "an empty list of groups is complete", "200, totalResults 0, Resources: []",
    "Push Groups fails on the look-up: no group is ever created.",
    "Fact: Okta needs `Resources: []`; RFC 7644 section 3.4.2: no match is 200 with totalResults 0.",
)  # fmt: skip
def groups_empty(play: Play) -> None:
    expect.nobody(no_group(play))
    expect.numbers(no_group(play))


@STEP.check(
    "groups are listed fast", "under 600 ms",
    "Okta's suite fails on the response time; large imports run into Okta's 60 s.",
    "Fact: Okta's suite wants a group list in under 600 ms.", warning=True,
)  # fmt: skip
def groups_time(play: Play) -> str:
    seconds = expect.status(groups(play), 200).seconds
    if seconds > SLOW_SECONDS:
        raise Broken(f"{seconds * 1000:.0f} ms")
    return "in time"
