"""An import: users in pages of 100, in the same order on all pages, each of them exactly once."""

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document
from scim.emulator.checks.users import deactivated_id
from scim.emulator.client import Reply
from scim.emulator.flows import PAGE
from scim.emulator.runner import CheckFailed, CheckSkipped, CheckStep, TestRun, shared

STEP = CheckStep("import", "Import")
row, check = STEP.row, STEP.check
MIN_USERS = PAGE + 5
MAX_PAGES = 20
SKIPS_PEOPLE = "An import skips some people and reads others twice; Okta deactivates the people that it did not see."


def page(run: TestRun, start: int, endpoint: str = "/Users") -> Reply:
    """Return a page as Okta requests it."""
    return run.get(endpoint, startIndex=start, count=PAGE)


def page_ids(run: TestRun, start: int) -> list[str]:
    return [str(user.get("id")) for user in expect.resources(page(run, start))]


@shared
def fill(run: TestRun) -> None:
    """Add inactive users until the directory is larger than a page."""
    found = expect.value_at(run.get("/Users", startIndex=1, count=1).document, "totalResults")
    total = int(found) if str(found).isdecimal() else 0
    for label in ("import", "listed"):
        run.user(label, active=False)
    for number in range(max(MIN_USERS - total, 0)):
        run.user(f"page{number:03}", active=False)


@shared
def all_users(run: TestRun) -> tuple[list[Document], int]:
    """Return the users of all pages, and totalResults.

    :raises CheckSkipped: when there are more than 20 pages.
    """
    found: list[Document] = []
    for _ in range(MAX_PAGES):
        reply = page(run, len(found) + 1)
        total = int(expect.document(reply).get("totalResults", 0))
        listed = expect.resources(reply)
        found += listed
        if not listed or len(found) >= total:
            return found, total
    raise CheckSkipped(f"the directory has more than {MAX_PAGES * PAGE} people; this check reads no more")


def expect_same_order(before: list[str], after: list[str]) -> None:
    moved = sum(after[position : position + 1] != [user] for position, user in enumerate(before))
    expect.that(before == after, f"{moved} people moved")


def listed(run: TestRun, identifier: str) -> Document:
    """Expect a user of this run on one of the pages."""
    fill(run)
    user = next((user for user in all_users(run)[0] if str(user.get("id")) == identifier), None)
    if user is None:
        raise CheckFailed("a person of this run is not listed")
    return user


@check("a page has 100 people", "100 of more than 100",
       "Okta counts in steps of 100: people cut off the page are never imported.",
       "Fact: Okta requests 1, 101, 201 …; RFC 7644 section 3.4.2.4: startIndex and count.", before=fill)  # fmt: skip
def page_size(run: TestRun) -> str:
    reply = page(run, 1)
    found = expect.resources(reply)
    expect.that(len(found) == PAGE, f"{len(found)} of {expect.document(reply).get('totalResults')}")
    return f"{len(found)} users"


@check("the second page has the right numbers", "startIndex 101, itemsPerPage its size",
       "Okta stops after the first page.", "RFC 7644 section 3.4.2.4: startIndex, itemsPerPage.",
       before=fill)  # fmt: skip
def second_page(run: TestRun) -> str:
    reply = page(run, PAGE + 1)
    found, size = expect.numbers(reply), len(expect.resources(reply))
    expect.values(found, {"startIndex": PAGE + 1, "itemsPerPage": size})
    return f"startIndex {PAGE + 1}, itemsPerPage {size}"


row("same_page", "a page is the same when it is read again", "the same 100 in the same order", SKIPS_PEOPLE,
    "Fact: the order must be the same on all pages.",
    fill, lambda run: expect_same_order(page_ids(run, 1), page_ids(run, 1)))  # fmt: skip


@check("overlapping pages have the same order", "51 to 100 of page 1 begin the page from 51",
       SKIPS_PEOPLE, "RFC 7644 section 3.4.2.4: startIndex counts in one order.", before=fill)  # fmt: skip
def overlap(run: TestRun) -> None:
    first, later = page_ids(run, 1)[50:], page_ids(run, 51)
    expect_same_order(first, later[: len(first)])


@check("an update does not move people between pages", "the same first page after an update",
       SKIPS_PEOPLE, "Fact: the order must be the same on all pages, even when a user is updated meanwhile.",
       before=fill)  # fmt: skip
def update_between(run: TestRun) -> None:
    run.user("update")
    before = page_ids(run, 1)
    created = next((user for user in reversed(before) if user in run.created["/Users"]), None)
    if created is None:
        raise CheckSkipped("no user of this run is on the first page")
    read = expect.document(run.get(f"/Users/{created}"))
    run.send("PUT", f"/Users/{created}", body=bodies.edited_user(read, {"nickName": "Moved"}))
    expect_same_order(before, page_ids(run, 1))


@check("every person is listed once", "as many different people as totalResults", SKIPS_PEOPLE,
       "RFC 7644 section 3.4.2.4.", before=fill)  # fmt: skip
def everybody(run: TestRun) -> str:
    found, total = all_users(run)
    different = {str(user.get("id")) for user in found}
    counted = f"{len(found)} listed, {len(different)} different, totalResults {total}"
    expect.that(len(found) == len(different) == total, counted)
    missing = set(run.created["/Users"]) - different
    expect.that(not missing, f"{len(missing)} people of this run are not listed")
    return f"{total} users"


row("deactivated", "deactivated people are listed", "listed with active false",
    "Okta treats them as deleted and creates them again.", "Fact: an import expects them; `active` tells their state.",
    lambda run: expect.values(listed(run, deactivated_id(run, "listed")), {"active": False}))  # fmt: skip


row("values", "a list has all that an import needs", "id, userName, both names, active, an email",
    "Okta cannot import people without them.", "Fact: Okta's required attributes; RFC 7643 section 4.1.",
    lambda run: expect.text_id(listed(run, run.user("import"))),
    lambda run: expect.importable(listed(run, run.user("import"))))  # fmt: skip


@check("a page beyond the end is empty", "200, Resources: [], totalResults as before",
       "The import ends with an error after all people were read.", "RFC 7644 section 3.4.2.4.")  # fmt: skip
def beyond(run: TestRun) -> None:
    reply = page(run, 10_000_001)
    total, found = expect.numbers(reply)["totalResults"], expect.resources(reply)
    expect.that(not found, f"{len(found)} users")
    expect.that(total != 0, "totalResults is 0")


@check("groups are listed with their members", "200, the pushed group with its member",
       "Import Groups creates empty groups, and group rules withdraw access.",
       "RFC 7643 section 4.2: members.")  # fmt: skip
def groups(run: TestRun) -> None:
    group = run.group("import", [bodies.member(run.user("update"), run.user_name("update"))])
    start = 1
    for _ in range(MAX_PAGES):
        reply = page(run, start, "/Groups")
        listed = expect.resources(reply)
        found = [item for item in listed if item.get("id") == group]
        if found:
            expect.values(found[0], {"members.0.value": run.user("update")})
            return
        start += len(listed)
        more = listed and start <= int(expect.document(reply).get("totalResults", 0))
        expect.that(more, "the group is not listed")
    raise CheckSkipped("there are more than 20 pages of groups; this check reads no more")
