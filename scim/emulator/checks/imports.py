"""An import: users in pages of 100, the same order on all pages, nobody left out or twice."""

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document
from scim.emulator.checks import lifecycle
from scim.emulator.client import Exchange
from scim.emulator.flows import PAGE
from scim.emulator.test_run import Broken, Play, Skipped, Step

STEP = Step("import", "Import")
NEEDED = PAGE + 5
MOST_PAGES = 20
SKIPS = "An import leaves people out, takes others twice, and Okta deactivates whoever it did not see."


def page(play: Play, start: int, kind: str = "Users") -> Exchange:
    """Return a page as Okta asks for it."""
    return play.send("GET", f"/{kind}", query={"startIndex": start, "count": PAGE})


def ids(exchange: Exchange) -> list[str]:
    """Return the ids on a page, in order."""
    return [str(item.get("id")) for item in expect.resources(exchange)]


def fill(play: Play) -> None:
    """Make the directory larger than a page with people of the run's own, inactive: nobody gets access by a test."""
    play.once("fill", lambda: _fill(play))


def _fill(play: Play) -> None:
    found = expect.value(play.send("GET", "/Users", query={"startIndex": 1, "count": 1}).document or {}, "totalResults")
    there = int(found) if str(found).isdecimal() else 0
    for what in ("import", "listed"):
        play.person(what, active=False)
    for number in range(max(NEEDED - there, 0)):
        play.person(f"page{number:03}", active=False)


def walk(play: Play) -> tuple[list[Document], int]:
    """Return all users page by page and the total; at most twenty pages.

    :raises Skipped: when the directory is larger.
    """
    fill(play)
    return play.once("walk", lambda: _walk(play))


def _walk(play: Play) -> tuple[list[Document], int]:
    found: list[Document] = []
    total = 1
    for _ in range(MOST_PAGES):
        exchange = page(play, len(found) + 1)
        total = int(expect.document(exchange).get("totalResults", 0))
        listed = expect.resources(exchange)
        found += listed
        if not listed or len(found) >= total:
            return found, total
    raise Skipped(f"the directory has more than {MOST_PAGES * PAGE} people; this check reads no more")


@STEP.check(
    "a page has 100 people", "100 of more than 100",
    "Okta counts on in hundreds: whoever was cut off the page is never imported.",
    "Fact: Okta asks for 1, 101, 201 …; RFC 7644 section 3.4.2.4: startIndex and count.",
)  # fmt: skip
def page_size(play: Play) -> str:
    fill(play)
    exchange = page(play, 1)
    found = ids(exchange)
    if len(found) != PAGE:
        raise Broken(f"{len(found)} of {expect.document(exchange).get('totalResults')}")
    return f"{len(found)} users"


@STEP.check(
    "the second page says where it begins", "startIndex 101, itemsPerPage its size, numbers",
    "Okta stops after the first page.", "RFC 7644 section 3.4.2.4: startIndex, itemsPerPage.",
)  # fmt: skip
def second_page(play: Play) -> str:
    fill(play)
    exchange = page(play, PAGE + 1)
    found = expect.numbers(exchange)
    return expect.same(found, {"startIndex": PAGE + 1, "itemsPerPage": len(ids(exchange))})


@STEP.check(
    "the same page again is the same", "the same 100 in the same order", SKIPS, "Fact: the same order on all pages."
)
def same_page(play: Play) -> None:
    fill(play)
    before, after = ids(page(play, 1)), ids(page(play, 1))
    if before != after:
        raise Broken(f"{_moved(before, after)} people moved")


@STEP.check(
    "pages overlap as they should", "50 to 100 of a page begin the page from 51",
    SKIPS, "RFC 7644 section 3.4.2.4: startIndex counts in one order.",
)  # fmt: skip
def overlap(play: Play) -> None:
    fill(play)
    first, later = ids(page(play, 1)), ids(page(play, 51))
    if first[50:] != later[: len(first[50:])]:
        raise Broken(f"{_moved(first[50:], later[:50])} people moved")


@STEP.check(
    "a change does not move people between pages", "the same first page after an update",
    SKIPS, "Fact: the same order on all pages, even when somebody is updated meanwhile.",
)  # fmt: skip
def update_between(play: Play) -> None:
    fill(play)
    play.person("update")
    before = ids(page(play, 1))
    ours = next((user for user in reversed(before) if user in play.users), None)
    if ours is None:
        raise Skipped("nobody of this run is on the first page")
    read = expect.document(play.send("GET", f"/Users/{ours}"))
    play.send("PUT", f"/Users/{ours}", body=bodies.edited(read, {"nickName": "Moved"}))
    after = ids(page(play, 1))
    if before != after:
        raise Broken(f"{_moved(before, after)} people moved")


def _moved(before: list[str], after: list[str]) -> int:
    return sum(1 for position, user in enumerate(before) if after[position : position + 1] != [user])


@STEP.check(
    "nobody twice, nobody left out", "as many different people as totalResults", SKIPS, "RFC 7644 section 3.4.2.4.",
)  # fmt: skip
def everybody(play: Play) -> str:
    found, total = walk(play)
    different = {str(user.get("id")) for user in found}
    if len(different) != total or len(found) != total:
        raise Broken(f"{len(found)} listed, {len(different)} different, totalResults {total}")
    missing = set(play.users) - different
    if missing:
        raise Broken(f"{len(missing)} people of this run are not listed")
    return f"{total} users"


@STEP.check(
    "deactivated people are listed", "among the users, active false",
    "Okta takes them for deleted and creates them anew.", "Fact: an import expects them; `active` tells.",
)  # fmt: skip
def deactivated(play: Play) -> None:
    identifier = lifecycle.gone(play, "listed")
    found, _ = walk(play)
    listed = [user for user in found if str(user.get("id")) == identifier]
    if not listed:
        raise Broken("the deactivated person is not listed")
    expect.same(listed[0], {"active": False})


@STEP.check(
    "a list has what an import needs", "id as text, userName, both names, active, an email",
    "Okta cannot import people without them.", "Fact: Okta's required attributes; RFC 7643 section 4.1.",
)  # fmt: skip
def values(play: Play) -> None:
    found, _ = walk(play)
    user = next((user for user in found if str(user.get("id")) == play.person("import")), None)
    if user is None:
        raise Broken("a person of this run is not listed")
    if not isinstance(user.get("id"), str):
        raise Broken(f"id is {user.get('id')!r}")
    needed = ("userName", "name.givenName", "name.familyName", "active", "emails.0.value")
    missing = [path for path in needed if expect.value(user, path) in (None, "")]
    if missing:
        raise Broken(f"{', '.join(missing)} missing of {user.get('userName')}")


@STEP.check(
    "beyond the end", "200, Resources: [], totalResults as before",
    "The import ends with an error after all people were read.", "RFC 7644 section 3.4.2.4.",
)  # fmt: skip
def beyond(play: Play) -> None:
    exchange = page(play, 10_000_001)
    found = expect.numbers(exchange)
    if ids(exchange):
        raise Broken(f"{len(ids(exchange))} users")
    if found["totalResults"] == 0:
        raise Broken("totalResults is 0")


@STEP.check(
    "groups with members are listed", "200, the pushed group with its member",
    "Import Groups brings in empty groups, and group rules take access away.", "RFC 7643 section 4.2: members.",
)  # fmt: skip
def groups(play: Play) -> None:
    group = play.group("import", [bodies.member(play.person("update"), play.name("update"))])
    start = 1
    for _ in range(MOST_PAGES):
        exchange = page(play, start, "Groups")
        listed = expect.resources(exchange)
        found = [item for item in listed if item.get("id") == group]
        if found:
            expect.same(found[0], {"members.0.value": play.person("update")})
            return
        start += len(listed)
        if not listed or start > int(expect.document(exchange).get("totalResults", 0)):
            raise Broken("the group is not listed")
    raise Skipped("there are too many groups to look through")
