"""The clauses of OpenID's IPSIE profile of SCIM for account lifecycle that bind an application, by number."""

from urllib.parse import urlsplit

from scim.emulator import bodies, expect
from scim.emulator.bodies import GROUP, USER, Document, operation
from scim.emulator.checks import gallery, interop
from scim.emulator.checks.common import (
    Profile,
    attributes,
    change,
    config,
    oauth_client,
    patch,
    read,
    read_user,
    schemas,
)
from scim.emulator.checks.entra import same
from scim.emulator.client import ScimClient
from scim.emulator.dialects import RFC
from scim.emulator.oauth import access_token, cause
from scim.emulator.runner import CheckFailed, CheckSkipped, TestRun

DRAFT = "IPSIE AL SCIM 2.0 Profile, draft 00"
STEP = Profile("ipsie", f"{DRAFT} (8 September 2026)", dialects=[RFC], draft=DRAFT)
must, should, unseen = STEP.must, STEP.should, STEP.unseen
WELL_KNOWN = "/.well-known/oauth-authorization-server"
CREDENTIALS = ("password", "secret", "credential", "apikey", "pin")
INTERNALS = ("Traceback", "Exception", "SELECT ", "sqlite", "at java.", ".py")
OPERATIONS, MOST_PER_PAGE = 50, 1000
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
NOT_IN_SCIM = "it is seen in the application, not over SCIM"
BY_OWNER = "only the application's owner can declare it"
NO_COMPARISON = "A client cannot compare."


@must("4.1", "client", "client credentials with a signed assertion", "a token",
      "A client with a key pair cannot connect.")  # fmt: skip
def client(run: TestRun) -> str:
    run.last = reply = oauth_client(run, "assertion").token_by_assertion()
    expect.that(access_token(reply), cause(reply))
    return "a token"


unseen("4.1", "basic", "HTTP Basic at the token endpoint, and no assertion in the body",
       "it contradicts the clause before, which wants the assertion in the body")  # fmt: skip


def token(run: TestRun) -> Document:
    if run.oauth is None:
        raise CheckSkipped("needs --token-url, --client-id and --client-secret or --client-assertion")
    run.last = reply = run.cached("token", run.oauth.token)
    expect.that(access_token(reply), cause(reply))
    return expect.document(reply)


must("4.1", "scope", "the token has the scope scim and no more", "scope: scim", "A stolen token may do more.",
     lambda run: expect.values(token(run), {"scope": "scim"}))  # fmt: skip


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
    expect.that(not failed, ", ".join(failed))


unseen("4.2", "local", "no local changes of users or groups", BY_OWNER)
unseen("4.3", "limits", "rate limits with 429 and Retry-After", "only a burst would show it, and might lock others out")
must("4.3", "rate", "25 requests per second", "neither 429 nor 5xx", "Provisioning is slower than the profile asks.",
     gallery.rate)  # fmt: skip


@must("4.3", "bulk", "Bulk", "bulk.supported true, and 200", "A client that sends Bulk cannot connect.")
def bulk(run: TestRun) -> None:
    path = run.user_path("bulk")
    expect.values(config(run), {"bulk.supported": True})
    renaming = bodies.patch(operation("replace", "displayName", "By bulk"))
    body = {"schemas": [BULK], "Operations": [{"method": "PATCH", "path": path, "data": renaming}]}
    expect.document(run.post("/Bulk", body), 200)
    expect.values(read(run, path), {"displayName": "By bulk"})


must("4.3", "several", "PATCH of several attributes", "all of them", "A change is lost.",
     lambda run: change(run, run.user_path("several"), operation("replace", "displayName", "Augusta King"),
                        operation("replace", "name.familyName", "King")))  # fmt: skip


@must("5.1", "active", "active false and true again by PATCH", "both are stored", "A person who has left keeps access.")
def active(run: TestRun) -> None:
    for value in (False, True):
        change(run, run.user_path("leaver"), operation("replace", "active", value))


unseen("5.1", "access", "access of a deactivated person ends", NOT_IN_SCIM)
unseen("5.1", "sessions", "sessions end within 5 minutes", f"SHOULD; {NOT_IN_SCIM}")


@must("5.2", "delete", "DELETE, after which the userName is free", "204, 404, 201", "The person can never come back.")
def delete(run: TestRun) -> None:
    path = run.user_path("gone")
    expect.status(run.send("DELETE", path), 204)
    expect.status(run.get(path), 404)
    expect.status(run.post("/Users", run.user_body("gone")), 201)


must("5.3", "get", "GET of a person by id", "200 with the id", NO_COMPARISON,
     lambda run: expect.values(read_user(run, "known"), {"id": run.user("known")}))  # fmt: skip


def add_filter(name: str, title: str, text: str) -> None:
    """Add the clause of one filter of people."""

    def found(run: TestRun) -> None:
        external = f"filtered-{run.tag}"
        identifier = run.user("filtered", externalId=external)
        asked = text.format(name=run.user_name("filtered"), external=external)
        expect.only(identifier, run.get("/Users", filter=asked))

    must("5.4", f"filter-{name}", f"filter by {title}", "exactly 1 result", "A client finds nobody.")(found)


# The e-mail address of a test user is its name.
add_filter("name", "userName", 'userName eq "{name}"')
add_filter("external", "externalId", 'externalId eq "{external}"')
add_filter("email", "emails[value]", 'emails[value eq "{name}"]')
add_filter("work", "emails[type and value]", 'emails[type eq "work" and value eq "{name}"]')


@must("6", "write", "people are created and updated over SCIM", "201, and 200 or 204", "Nobody is provisioned.")
def write(run: TestRun) -> None:
    body = {**run.user_body("written"), "externalId": run.tag}
    found = expect.document(run.post("/Users", body), 201)
    same(body, found)
    change(run, f"/Users/{found['id']}", operation("replace", "displayName", "Updated"))


unseen("6", "local", "no accounts are created locally", BY_OWNER)
unseen("6", "roles", "groups map to roles", NOT_IN_SCIM)


def expect_listed(run: TestRun, urn: str, *names: str) -> None:
    listed = {str(item.get("name")) for item in attributes(run, urn)}
    missing = [name for name in names if name not in listed]
    expect.that(not missing, f"not in /Schemas: {', '.join(missing)}")


@must("6.1.1", "attributes", "userName, displayName, active, externalId", "in /Schemas; externalId is read back",
      "A client has nothing to match people by.")  # fmt: skip
def user_attributes(run: TestRun) -> None:
    expect_listed(run, USER, "userName", "displayName", "active")  # externalId is common (RFC 7643 section 3.1)
    path = run.user_path("external", externalId=f"Ext-{run.tag}")
    expect.values(read(run, path), {"externalId": f"Ext-{run.tag}"})


@must("6.1.2", "credentials", "no password and no other credential in a schema", "none", "Passwords travel with SCIM.")
def credentials(run: TestRun) -> None:
    named = {str(item.get("name")) for urn in schemas(run) for item in attributes(run, urn)}
    found = sorted(name for name in named if name.lower() in CREDENTIALS)
    expect.that(not found, ", ".join(found))


must("6.1.3", "post", "POST /Users", "201 with an id", "Nobody is provisioned.",
     lambda run: expect.text_id(expect.document(run.post("/Users", run.user_body("posted")), 201)))  # fmt: skip
must("6.1.4", "patch", "PATCH /Users", "200 or 204", "Changes do not arrive.",
     lambda run: patch(run, run.user_path("known"), operation("replace", "displayName", "Patched")))  # fmt: skip


must("6.1.5", "list", "GET /Users", "200, a list with numbers", NO_COMPARISON,
     lambda run: run.user("known"), lambda run: expect.numbers(run.get("/Users")))  # fmt: skip


@should("6.1.5", "page", "at most 1,000 people in a page", "filter.maxResults up to 1,000", "One page takes too long.")
def page(run: TestRun) -> None:
    found = expect.value_at(config(run), "filter.maxResults")
    expect.that(type(found) is int and 0 < found <= MOST_PER_PAGE, f"filter.maxResults is {found!r}")


should("6.1.5", "cursor", "pages by cursor", "pagination.cursor true", "People are missed while others change.",
       lambda run: expect.values(config(run), {"pagination.cursor": True}))  # fmt: skip


def known_group(run: TestRun) -> str:
    return run.group_path("known", externalId=f"group-{run.tag}")


must("6.2.1", "attributes", "displayName, members, externalId of groups", "in /Schemas; externalId is read back",
     "A client has nothing to match groups by.",
     lambda run: expect_listed(run, GROUP, "displayName", "members"),
     lambda run: expect.values(read(run, known_group(run)), {"externalId": f"group-{run.tag}"}))  # fmt: skip
should("6.2.1", "names", "no two groups of one name", "409", "A client cannot tell which is meant.",
       known_group, lambda run: expect.status(run.post("/Groups", bodies.group(run.group_name("known"))), 409),
)  # fmt: skip


@must("6.2.2", "post", "POST /Groups without members", "201", "Groups are not provisioned.")
def post_group(run: TestRun) -> None:
    expect.status(run.post("/Groups", {"schemas": [GROUP], "displayName": run.group_name("empty")}), 201)


must("6.2.3", "list", "GET /Groups", "200, a list with numbers", NO_COMPARISON,
     lambda run: expect.numbers(run.get("/Groups")))  # fmt: skip
must("6.2.4", "get", "GET of a group by id", "200 with the name", NO_COMPARISON,
     lambda run: expect.values(read(run, run.group_path("one")), {"displayName": run.group_name("one")}))  # fmt: skip


@must("6.2.5", "filters", "filters displayName, externalId, members[value]", "exactly 1 result each",
      "A client pushes the group twice.")  # fmt: skip
def group_filters(run: TestRun) -> None:
    member, external = run.user("sole member"), f"filtered-{run.tag}"
    group = run.group("filtered", [{"value": member}], externalId=external)
    named = f'displayName eq "{run.group_name("filtered")}"'
    for text in (named, f'externalId eq "{external}"', f'members[value eq "{member}"]'):
        expect.only(group, run.get("/Groups", filter=text))


@must("6.2.6", "patch", "50 operations on members in one PATCH", "all of them", "Members differ.")
def patch_group(run: TestRun) -> None:
    path = run.group_path("crowd")
    people = [run.user(f"crowd{number}") for number in range(OPERATIONS // 2)]
    adds = [bodies.add_members([{"value": person}]) for person in people]
    patch(run, path, *adds, *(bodies.remove_member(person) for person in people[1:]))
    expect.members(read(run, path), people[:1])


unseen("7", "al3", "AL3, roles", "nothing is required yet")


@must("8", "errors", "errors are SCIM's and tell nothing of the inside", "a SCIM error without internals",
      "An attacker learns how the application is built.")  # fmt: skip
def errors(run: TestRun) -> None:
    gone, broken = run.get(f"/Users/{run.tag}-gone"), run.post("/Users", b"{")
    for reply, status in ((gone, 404), (broken, 400), (run.get("/Users", filter="userName eq"), 400)):
        run.last = reply
        detail = expect.error(reply, status)["detail"]
        shown = [word for word in INTERNALS if word in detail]
        expect.that(not shown, f"the detail has {', '.join(shown)}: {detail}")


@must("8", "expiry", "tokens expire", "expires_in", "A stolen token works for ever.")
def expiry(run: TestRun) -> str:
    seconds = token(run).get("expires_in")
    expect.that(type(seconds) is int and seconds > 0, f"expires_in is {seconds!r}")
    return f"{seconds} s"


unseen("8", "log", "writes are logged", NOT_IN_SCIM)
