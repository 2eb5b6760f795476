"""The clauses of OpenID's IPSIE profile of SCIM for account lifecycle that bind an application, by number."""

from typing import Any
from urllib.parse import urlsplit

from scim.emulator import bodies, expect
from scim.emulator.bodies import GROUP, USER, Document
from scim.emulator.checks import interop, limits
from scim.emulator.checks.clauses import Register, clause, config, not_judged
from scim.emulator.checks.entra import attributes, patch, read, same, schemas
from scim.emulator.client import ScimClient
from scim.emulator.dialects import RFC
from scim.emulator.oauth import access_token, cause
from scim.emulator.runner import CheckFailed, CheckSkipped, CheckStep, TestRun, created_id

DRAFT = "IPSIE AL SCIM 2.0 Profile, draft 00"
STEP = CheckStep("ipsie", f"{DRAFT} (8 September 2026)", dialects=[RFC])
WELL_KNOWN = "/.well-known/oauth-authorization-server"
CREDENTIALS = ("password", "secret", "credential", "apikey", "pin")
INTERNALS = ("Traceback", "Exception", "SELECT ", "sqlite", "at java.", ".py")
OPERATIONS, MOST_PER_PAGE = 50, 1000
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"


def must(number: str, name: str, title: str, expected: str, otherwise: str) -> Register:
    """Return a decorator for a MUST of this profile."""
    return clause(STEP, DRAFT, number, name, title, expected, otherwise)


def should(number: str, name: str, title: str, expected: str, otherwise: str) -> Register:
    """Return a decorator for a SHOULD of this profile."""
    return clause(STEP, DRAFT, number, name, title, expected, otherwise, should=True)


def unseen(number: str, name: str, title: str, reason: str) -> None:
    """Add a clause that cannot be judged."""
    not_judged(STEP, DRAFT, number, name, title, reason)


@must(
    "4.1", "client", "client credentials with a signed assertion", "a token", "A client with a key pair cannot connect."
)
def client(run: TestRun) -> str:
    if run.oauth is None or not run.oauth.assertion:
        raise CheckSkipped("needs --token-url, --client-id and --client-assertion")
    run.last = reply = run.oauth.token_by_assertion()
    if not access_token(reply):
        raise CheckFailed(cause(reply))
    return "a token"


unseen("4.1", "basic", "HTTP Basic at the token endpoint, and no assertion in the body",
       "it contradicts the clause before, which wants the assertion in the body")  # fmt: skip


def _token(run: TestRun) -> bodies.Document:
    oauth = run.oauth
    if oauth is None:
        raise CheckSkipped("needs --token-url, --client-id and --client-secret or --client-assertion")
    run.last = reply = run.cached("token", oauth.token)
    if not access_token(reply):
        raise CheckFailed(cause(reply))
    return expect.document(reply)


@must("4.1", "scope", "the token has the scope scim and no more", "scope: scim", "A stolen token may do more.")
def scope(run: TestRun) -> None:
    expect.values(_token(run), {"scope": "scim"})


@must("4.1", "metadata", "RFC 8414 metadata", "200 with token_endpoint", "A client cannot find the token endpoint.")
def metadata(run: TestRun) -> str:
    url = urlsplit(run.client.base)
    root = ScimClient(f"{url.scheme}://{url.netloc}", run.client.key, run.client.session, RFC)
    parts = url.path.strip("/").split("/")
    for size in range(len(parts) + 1):
        run.last = reply = root.send("GET", "/".join((WELL_KNOWN, *parts[:size])))
        found = reply.document
        if reply.ok and isinstance(found, dict) and found.get("token_endpoint"):
            return str(found["token_endpoint"])
    raise CheckFailed(f"none at {WELL_KNOWN}, with or without the parts of the base URL's path")


@must("4.2", "interop", "the interop profile is kept", "no failed row above", "See the rows above.")
def interop_kept(run: TestRun) -> None:
    failed = [name for name in run.failed if name.startswith(f"{interop.STEP.name}.")]
    if failed:
        raise CheckFailed(", ".join(failed))


unseen("4.2", "local", "no local changes of users or groups", "only the application's owner can declare it")
unseen("4.3", "limits", "rate limits with 429 and Retry-After", "only a burst would show it, and might lock others out")


@must("4.3", "rate", "25 requests per second", "neither 429 nor 5xx", "Provisioning is slower than the profile asks.")
def rate(run: TestRun) -> str | None:
    return limits.rate(run)


@must("4.3", "bulk", "Bulk", "bulk.supported true, and 200", "A client that sends Bulk cannot connect.")
def bulk(run: TestRun) -> None:
    path = f"/Users/{run.user('bulk')}"
    expect.values(config(run), {"bulk.supported": True})
    change = bodies.patch({"op": "replace", "path": "displayName", "value": "By bulk"})
    operation = {"method": "PATCH", "path": path, "data": change}
    expect.document(run.send("POST", "/Bulk", body={"schemas": [BULK], "Operations": [operation]}), 200)
    expect.values(read(run, path), {"displayName": "By bulk"})


@must("4.3", "several", "PATCH of several attributes", "all of them", "A change is lost.")
def several(run: TestRun) -> None:
    values = {"displayName": "Augusta King", "name.familyName": "King"}
    path = f"/Users/{run.user('several')}"
    patch(run, path, *({"op": "replace", "path": name, "value": value} for name, value in values.items()))
    expect.values(read(run, path), values)


@must("5.1", "active", "active false and true again by PATCH", "both are stored", "A person who has left keeps access.")
def active(run: TestRun) -> None:
    path = f"/Users/{run.user('leaver')}"
    for value in (False, True):
        patch(run, path, {"op": "replace", "path": "active", "value": value})
        expect.values(read(run, path), {"active": value})


unseen("5.1", "access", "access of a deactivated person ends", "it is seen in the application, not over SCIM")
unseen("5.1", "sessions", "sessions end within 5 minutes", "SHOULD; it is seen in the application, not over SCIM")


@must("5.2", "delete", "DELETE, after which the userName is free", "204, 404, 201", "The person can never come back.")
def delete(run: TestRun) -> None:
    path = f"/Users/{run.user('gone')}"
    expect.status(run.send("DELETE", path), 204)
    expect.status(run.get(path), 404)
    expect.status(run.send("POST", "/Users", body=run.user_body("gone")), 201)


@must("5.3", "get", "GET of a person by id", "200 with the id", "A client cannot compare.")
def get(run: TestRun) -> None:
    identifier = run.user("known")
    expect.values(read(run, f"/Users/{identifier}"), {"id": identifier})


def _filter(name: str, title: str, text: str) -> None:
    def found(run: TestRun) -> None:
        identifier = run.user("filtered", externalId=f"filtered-{run.tag}")
        values = {"name": run.user_name("filtered"), "external": f"filtered-{run.tag}"}
        expect.only(run.get("/Users", filter=text.format(**values)), identifier)

    must("5.4", f"filter-{name}", f"filter by {title}", "exactly 1 result", "A client finds nobody.")(found)


# The e-mail address of a test user is its name.
_filter("name", "userName", 'userName eq "{name}"')
_filter("external", "externalId", 'externalId eq "{external}"')
_filter("email", "emails[value]", 'emails[value eq "{name}"]')
_filter("work", "emails[type and value]", 'emails[type eq "work" and value eq "{name}"]')


@must("6", "write", "people are created and updated over SCIM", "201, and 200 or 204", "Nobody is provisioned.")
def write(run: TestRun) -> None:
    body = {**run.user_body("written"), "externalId": run.tag}
    found = expect.document(run.send("POST", "/Users", body=body), 201)
    same(body, found)
    patch(run, f"/Users/{found['id']}", {"op": "replace", "path": "displayName", "value": "Updated"})
    expect.values(read(run, f"/Users/{found['id']}"), {"displayName": "Updated"})


unseen("6", "local", "no accounts are created locally", "only the application's owner can declare it")
unseen("6", "roles", "groups map to roles", "it is seen in the application, not over SCIM")


def _expect_listed(run: TestRun, urn: str, *names: str) -> None:
    listed = {str(item.get("name")) for item in attributes(run, urn)}
    missing = [name for name in names if name not in listed]
    if missing:
        raise CheckFailed(f"not in /Schemas: {', '.join(missing)}")


@must("6.1.1", "attributes", "userName, displayName, active, externalId", "in /Schemas; externalId is read back",
      "A client has nothing to match people by.")  # fmt: skip
def user_attributes(run: TestRun) -> None:
    _expect_listed(run, USER, "userName", "displayName", "active")  # externalId is common (RFC 7643 section 3.1)
    identifier = run.user("external", externalId=f"Ext-{run.tag}")
    expect.values(read(run, f"/Users/{identifier}"), {"externalId": f"Ext-{run.tag}"})


@must("6.1.2", "credentials", "no password and no other credential in a schema", "none", "Passwords travel with SCIM.")
def credentials(run: TestRun) -> None:
    named = {str(item.get("name")) for urn in schemas(run) for item in attributes(run, urn)}
    found = sorted(name for name in named if name.lower() in CREDENTIALS)
    if found:
        raise CheckFailed(", ".join(found))


@must("6.1.3", "post", "POST /Users", "201 with an id", "Nobody is provisioned.")
def post(run: TestRun) -> None:
    expect.text_id(expect.document(run.send("POST", "/Users", body=run.user_body("posted")), 201))


@must("6.1.4", "patch", "PATCH /Users", "200 or 204", "Changes do not arrive.")
def patch_user(run: TestRun) -> None:
    patch(run, f"/Users/{run.user('known')}", {"op": "replace", "path": "displayName", "value": "Patched"})


@must("6.1.5", "list", "GET /Users", "200, a list with numbers", "A client cannot compare.")
def list_users(run: TestRun) -> None:
    run.user("known")
    expect.numbers(run.get("/Users"))


@should("6.1.5", "page", "at most 1,000 people in a page", "filter.maxResults up to 1,000", "One page takes too long.")
def page(run: TestRun) -> None:
    found = expect.value_at(config(run), "filter.maxResults")
    if type(found) is not int or not 0 < found <= MOST_PER_PAGE:
        raise CheckFailed(f"filter.maxResults is {found!r}")


@should("6.1.5", "cursor", "pages by cursor", "pagination.cursor true", "People are missed while others change.")
def cursor(run: TestRun) -> None:
    expect.values(config(run), {"pagination.cursor": True})


def group_path(run: TestRun, label: str, members: list[Document] | None = None, **values: Any) -> str:
    """Return the path of a group that is created when it is first asked for."""

    def create() -> str:
        body = {"schemas": [GROUP], "displayName": run.group_name(label), "members": members or [], **values}
        return created_id(run.send("POST", "/Groups", body=body), "the POST of a group")

    return "/Groups/" + str(run.cached(f"path {label}", create))


@must("6.2.1", "attributes", "displayName, members, externalId of groups", "in /Schemas; externalId is read back",
      "A client has nothing to match groups by.")  # fmt: skip
def group_attributes(run: TestRun) -> None:
    _expect_listed(run, GROUP, "displayName", "members")
    path = group_path(run, "known", externalId=f"group-{run.tag}")
    expect.values(read(run, path), {"externalId": f"group-{run.tag}"})


@should("6.2.1", "names", "no two groups of one name", "409", "A client cannot tell which is meant.")
def group_names(run: TestRun) -> None:
    name = run.group_name("known")
    group_path(run, "known", externalId=f"group-{run.tag}")
    expect.status(run.send("POST", "/Groups", body=bodies.group(name)), 409)


@must("6.2.2", "post", "POST /Groups without members", "201", "Groups are not provisioned.")
def post_group(run: TestRun) -> None:
    body = {"schemas": [GROUP], "displayName": run.group_name("empty")}
    expect.status(run.send("POST", "/Groups", body=body), 201)


@must("6.2.3", "list", "GET /Groups", "200, a list with numbers", "A client cannot compare.")
def list_groups(run: TestRun) -> None:
    expect.numbers(run.get("/Groups"))


@must("6.2.4", "get", "GET of a group by id", "200 with the name", "A client cannot compare.")
def get_group(run: TestRun) -> None:
    expect.values(read(run, group_path(run, "one")), {"displayName": run.group_name("one")})


@must("6.2.5", "filters", "filters displayName, externalId, members[value]", "exactly 1 result each",
      "A client pushes the group twice.")  # fmt: skip
def group_filters(run: TestRun) -> None:
    member = run.user("sole member")
    path = group_path(run, "filtered", [{"value": member}], externalId=f"filtered-{run.tag}")
    texts = (
        f'displayName eq "{run.group_name("filtered")}"',
        f'externalId eq "filtered-{run.tag}"',
        f'members[value eq "{member}"]',
    )
    for text in texts:
        expect.only(run.get("/Groups", filter=text), path.rpartition("/")[2])


@must("6.2.6", "patch", "50 operations on members in one PATCH", "all of them", "Members differ.")
def patch_group(run: TestRun) -> None:
    path, people = group_path(run, "crowd"), [run.user(f"crowd{number}") for number in range(OPERATIONS // 2)]
    adds = [bodies.add_members([{"value": person}]) for person in people]
    patch(run, path, *adds, *(bodies.remove_member(person) for person in people[1:]))
    found = [member.get("value") for member in read(run, path).get("members") or ()]
    if found != people[:1]:
        raise CheckFailed(f"{len(found)} members, not 1")


unseen("7", "al3", "AL3, roles", "nothing is required yet")


@must("8", "errors", "errors are SCIM's and tell nothing of the inside", "a SCIM error without internals",
      "An attacker learns how the application is built.")  # fmt: skip
def errors(run: TestRun) -> None:
    for reply, status in (
        (run.get(f"/Users/{run.tag}-gone"), 404),
        (run.send("POST", "/Users", body=b"{"), 400),
        (run.get("/Users", filter="userName eq"), 400),
    ):
        run.last = reply
        detail = expect.error(reply, status)
        shown = [word for word in INTERNALS if word in detail]
        if shown:
            raise CheckFailed(f"the detail has {', '.join(shown)}: {detail}")


@must("8", "expiry", "tokens expire", "expires_in", "A stolen token works for ever.")
def expiry(run: TestRun) -> str:
    seconds = _token(run).get("expires_in")
    if type(seconds) is not int or seconds < 1:
        raise CheckFailed(f"expires_in is {seconds!r}")
    return f"{seconds} s"


unseen("8", "log", "writes are logged", "it is seen in the application, not over SCIM")
