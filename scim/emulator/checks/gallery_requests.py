"""Tests 15 to 25 of Entra's gallery: the schemas, single requests, tokens and pages."""

from datetime import UTC, datetime
from typing import Any

from scim.emulator import bodies, expect
from scim.emulator.bodies import GROUP, USER
from scim.emulator.checks.entra import (
    GROUP_TARGETS,
    TARGETS,
    at,
    flattened,
    patch,
    person,
    read,
    updated_value,
)
from scim.emulator.checks.gallery import NOT_IN_GALLERY, QUARANTINE, STALE, STEP, expect_manager, mapped_manager, test
from scim.emulator.client import Reply
from scim.emulator.oauth import access_token, cause
from scim.emulator.runner import CheckFailed, CheckSkipped, CheckWarned, TestRun

__all__ = ["STEP"]

NEVER_CLEARED = ("username", "active", "externalid", "manager", "id")
WRITABLE = ("string", "integer", "dateTime", "boolean")
# Values of these have a syntax that "upd-" and eight characters need not have.
WITH_SYNTAX = ("emails", "phonenumbers", "preferredlanguage", 'addresses[type eq "work"].country')
MANY, PAGE, MAX_PAGES = 11, 5, 10


@test(
    15, "Schema_Discoverability_Test", "every target of the mapping is in /Schemas", NOT_IN_GALLERY,
    "Complex attributes with several values need canonicalValues at `type`: work; mobile and fax at phoneNumbers.",
)  # fmt: skip
def schema_discoverability(run: TestRun) -> str:
    people, groups = flattened(run, USER), flattened(run, GROUP)
    missing = [target for target in TARGETS if target.lower() not in people]
    missing += [f"group {target}" for target in GROUP_TARGETS if target.lower() not in groups]
    if missing:
        common = all(name.endswith("externalId") for name in missing)
        raise (CheckWarned if common else CheckFailed)(
            f"not in /Schemas: {', '.join(missing)}" + (UNFAIR_COMMON if common else "")
        )
    return f"{len(TARGETS) + len(GROUP_TARGETS)} targets"


def _known(run: TestRun, core: str) -> dict[str, bodies.Document]:
    """Return the flattened schema; an empty one where /Schemas, which is test 15, cannot be read."""
    try:
        return flattened(run, core)
    except CheckFailed:
        return {}


@test(
    16, "SCIM_Null_Update_Test", "\"\" and then null clear every optional attribute",
    "A value that was emptied in Entra stays at the application.",
    'RFC 7643 section 2.5: null is unassigned; Entra sends "" for it.', "create_user", "update_user",
)  # fmt: skip
def scim_null_update(run: TestRun) -> None:
    known = _known(run, USER)
    wanted = [target for target in TARGETS if target.lower() not in NEVER_CLEARED]
    wanted = [target for target in wanted if not known.get(target.lower(), {}).get("required")]
    identifier = run.user("emptied", **person(run, "emptied"))
    for empty in ("", None):
        patch(run, f"/Users/{identifier}", *({"op": "replace", "path": it, "value": empty} for it in wanted))
        found = read(run, f"/Users/{identifier}")
        checked = wanted if empty == "" else [target for target in wanted if "[" not in target]
        left = {target: at(found, target) for target in checked if at(found, target) not in (None, "")}
        if left:
            raise CheckFailed(f"after {empty!r}: {', '.join(f'{name} is {value!r}' for name, value in left.items())}")


def _expect_created(run: TestRun, path: str, body: bodies.Document, name: str) -> str:
    found = expect.document(run.send("POST", path, body=body), 200, 201)
    expect.text_id(found)
    expect.values(found, {name: body[name]})
    return str(found["id"])


@test(
    17, "SCIM_User_Create_Test", "200 or 201, an id, userName as sent", QUARANTINE, "RFC 7644 section 3.3.",
    "create_user",
)  # fmt: skip
def scim_user_create(run: TestRun) -> None:
    _expect_created(run, "/Users", person(run, "posted"), "userName")


def _new_value(run: TestRun, kind: str) -> Any:
    values = {"integer": run.random.randint(1, 99999), "boolean": True, "dateTime": datetime.now(UTC).isoformat()}
    return values.get(kind) or updated_value(run)


def _update_all(run: TestRun, path: str, core: str, targets: tuple[str, ...]) -> str:
    """Write a new value to every eligible target in one PATCH, and expect all of them."""
    known = {target: leaf for target in targets if (leaf := _known(run, core).get(target.lower()))}
    values = {
        target: _new_value(run, str(leaf.get("type")))
        for target, leaf in known.items()
        if leaf.get("type") in WRITABLE and leaf.get("mutability") in ("readWrite", "writeOnly")
        if not leaf.get("multiValued") and target not in ("active", "manager")
    }
    if not values:
        return "no attribute is eligible"
    reply = _replace(run, path, values)
    if not reply.ok:
        plain = {name: value for name, value in values.items() if not name.lower().startswith(WITH_SYNTAX)}
        came = f"{reply.status} {reply.detail}"
        unfair = len(plain) < len(values) and _replace(run, path, plain).ok
        raise CheckFailed(came + UNFAIR if unfair else came)
    found = read(run, path)
    wrong = {target: at(found, target) for target, value in values.items() if str(at(found, target)) != str(value)}
    if wrong:
        raise CheckFailed(", ".join(f"{target} is {value!r}" for target, value in wrong.items()))
    return f"{len(values)} attributes"


UNFAIR_COMMON = (
    ". Microsoft's own test is unfair here: externalId is a common attribute, which no schema has to list (RFC 7643 "
    "section 3.1); list it all the same, or take it out of the mapping for the test"
)
UNFAIR = (
    ". Microsoft's own test is unfair here: it writes text like upd-aBcDeFgH to e-mail addresses, telephone numbers, "
    "languages and countries, and the server may check their syntax (RFC 7643 section 4.1.2); without them it succeeds"
)


def _replace(run: TestRun, path: str, values: bodies.Document) -> Reply:
    changes = [{"op": "replace", "path": target, "value": value} for target, value in values.items()]
    return run.send("PATCH", path, body=bodies.patch(*changes))


@test(
    18, "SCIM_User_Update_Test", "every attribute is replaced in one PATCH", STALE,
    "RFC 7644 section 3.5.2.3; the test writes upd-… even to e-mail addresses.", "create_user", "update_user",
)  # fmt: skip
def scim_user_update(run: TestRun) -> str:
    return _update_all(run, f"/Users/{run.user('all', **person(run, 'all'))}", USER, TARGETS)


@test(
    19, "SCIM_Group_Create_Test", "200 or 201, an id, displayName as sent", QUARANTINE, "RFC 7644 section 3.3.",
    "create_group",
)  # fmt: skip
def scim_group_create(run: TestRun) -> None:
    _expect_created(run, "/Groups", bodies.entra_group(run.group_name("posted")), "displayName")


@test(
    20, "SCIM_Group_Update_Test", "every attribute is replaced in one PATCH", STALE, "RFC 7644 section 3.5.2.3.",
    "create_group", "update_group",
)  # fmt: skip
def scim_group_update(run: TestRun) -> str:
    return _update_all(run, f"/Groups/{run.group('all')}", GROUP, GROUP_TARGETS)


def _expect_token(run: TestRun, reply: Reply) -> str:
    run.last = reply
    token = access_token(reply)
    if not token:
        raise CheckFailed(cause(reply))
    minutes = int(reply.document.get("expires_in") or 3600) / 60
    if not 60 <= minutes <= 360:
        raise CheckFailed(f"the token is valid for {minutes:g} minutes, not for 60 to 360")
    headers = {"Authorization": f"Bearer {token}"}
    listed = run.send("GET", "/Users", query={"startIndex": 1, "count": 1}, headers=headers)
    if not listed.ok:
        raise CheckFailed(f"GET /Users with the token: {listed.status} {listed.detail}")
    return f"a token for {minutes:g} minutes"


@test(
    21, "Validate_Credentials_Test", "a token for 60 to 360 minutes, which works",
    "Test Connection fails; since August 2026 the gallery takes no long-lived bearer token.",
    "RFC 6749 section 4.4; client id and secret come in the body.",
)  # fmt: skip
def validate_credentials(run: TestRun) -> str:
    if run.oauth is None or not run.oauth.secret:
        raise CheckSkipped("needs --token-url, --client-id and --client-secret")
    return _expect_token(run, run.oauth.token_by_secret())


@test(
    22, "Federated_Identity_Test", "a token for 60 to 360 minutes, which works",
    "Provisioning with a workload identity fails.",
    "RFC 7523 section 2.2; without scope, and with a parameter baseAddress, which is ignored.",
)  # fmt: skip
def federated_identity(run: TestRun) -> str:
    if run.oauth is None or not run.oauth.assertion:
        raise CheckSkipped("needs --token-url, --client-id and --client-assertion")
    return _expect_token(run, run.oauth.token_by_assertion())


def _expect_pages(run: TestRun, endpoint: str) -> str:
    start, total, pages = 1, 1, 0
    while start <= total and pages < MAX_PAGES:
        reply = run.get(endpoint, startIndex=start, count=PAGE)
        found = expect.numbers(reply)
        expect.values(found, {"startIndex": start})
        total, listed, pages = found["totalResults"], expect.resources(reply), pages + 1
        if not listed or len(listed) > PAGE:
            raise CheckFailed(f"{len(listed)} of {total} at startIndex={start}")
        start += len(listed)
    if pages < 2:
        raise CheckFailed(f"{pages} page, {total} in all")
    return f"{pages} pages"


@test(
    23, "SCIM_User_Pagination_Test", "pages of 5 with startIndex 1, 6, 11", NOT_IN_GALLERY, "RFC 7644 section 3.4.2.4.",
)  # fmt: skip
def scim_user_pagination(run: TestRun) -> str:
    for number in range(MANY):
        run.user(f"page{number:02}")
    return _expect_pages(run, "/Users")


@test(
    24, "SCIM_Group_Pagination_Test", "pages of 5 with startIndex 1, 6, 11", NOT_IN_GALLERY,
    "RFC 7644 section 3.4.2.4.", optional=True,
)  # fmt: skip
def scim_group_pagination(run: TestRun) -> str:
    for number in range(MANY):
        run.group(f"page{number:02}")
    return _expect_pages(run, "/Groups")


@test(
    25, "SCIM_Update_Manager_Test", "manager added, replaced, emptied", STALE,
    'The value is a plain string, and "" clears it; RFC 7643 section 4.3.', "user_update_manager",
)  # fmt: skip
def scim_update_manager(run: TestRun) -> None:
    mapped_manager(run)
    for op, boss in (("Add", run.user("boss")), ("replace", run.user("boss2")), ("replace", "")):
        expect_manager(run, "managed too", op, boss)
