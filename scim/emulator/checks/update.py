"""A profile changes: GET and PUT of all of it (custom app), or PATCH of what changed (OIN app)."""

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document
from scim.emulator.client import Exchange, look_up
from scim.emulator.test_run import Broken, Play, Step

STEP = Step("update", "Update a profile")
CUSTOM, OIN = ("custom",), ("oin",)
STALE = "Push Profile Updates fails; the application goes on with the old values."


def read(play: Play, what: str) -> Document:
    """Return a person as the server has them now."""
    exchange = play.send("GET", f"/Users/{play.person(what)}")
    return expect.document(expect.status(exchange, 200))


def put(play: Play, what: str, **values: object) -> Exchange:
    """Read a person and write all of it back, values changed, as a custom app does."""
    body = bodies.edited(read(play, what), values)
    return play.send("PUT", f"/Users/{play.person(what)}", body=body)


def renamed(play: Play) -> Exchange:
    """Return the PUT that changes both names."""
    name = {"givenName": "Augusta", "familyName": "King"}
    return play.once("renaming PUT", lambda: put(play, "update", name=name, displayName="Augusta King"))


@STEP.check(
    "GET, then PUT of all of it", "200",
    STALE + " A custom app updates by PUT only and sends back the server's own id, meta and groups.",
    "RFC 7644 section 3.5.1: PUT replaces, readOnly attributes in it are ignored.", CUSTOM,
)  # fmt: skip
def put_all(play: Play) -> None:
    expect.status(renamed(play), 200)


@STEP.check(
    "the answer is the changed user", "the new names",
    STALE, "RFC 7644 section 3.5.1: 200 with the entire resource.", CUSTOM,
)  # fmt: skip
def put_answer(play: Play) -> None:
    expect.same(expect.document(renamed(play)), {"name.givenName": "Augusta", "name.familyName": "King"})


@STEP.check(
    "the change is kept", "the new names, the same email and userName",
    "Okta believes that the change has arrived, and never sends it again.", "RFC 7644 section 3.5.1.", CUSTOM,
)  # fmt: skip
def put_kept(play: Play) -> None:
    renamed(play)
    name = play.name("update")
    expect.same(read(play, "update"), {"name.familyName": "King", "userName": name, "emails.0.value": name})


@STEP.check(
    "the same PUT again", "200",
    "Two PUTs a few seconds apart are normal; the second one fails.", "RFC 7231 section 4.2.2: PUT is idempotent.",
    CUSTOM,
)  # fmt: skip
def put_twice(play: Play) -> None:
    renamed(play)
    expect.status(put(play, "update"), 200)


@STEP.check(
    "PUT with empty values", "200", STALE, "RFC 7643 section 2.5: null, \"\" and [] mean unassigned.", CUSTOM,
)  # fmt: skip
def put_empty(play: Play) -> None:
    exchange = put(play, "update", title=None, nickName="", phoneNumbers=[], addresses=None, locale=None)
    expect.status(exchange, 200)


@STEP.check(
    "PUT without active keeps a person active", "200, active true",
    "A profile update locks the person out.", "Fact: a PUT without `active` changes nothing about it.", CUSTOM,
)  # fmt: skip
def put_without_active(play: Play) -> None:
    body = bodies.edited(read(play, "update"), {"title": "Countess"})
    body.pop("active", None)
    expect.status(play.send("PUT", f"/Users/{play.person('update')}", body=body), 200)
    expect.same(read(play, "update"), {"active": True})


@STEP.check(
    "PUT without active keeps a person deactivated", "200, active false",
    "A profile update lets somebody in again who has left.", "Fact: a PUT without `active` changes nothing about it.",
    CUSTOM,
)  # fmt: skip
def put_without_active_left(play: Play) -> None:
    play.person("left", active=False)
    body = bodies.edited(read(play, "left"), {"title": "Gone"})
    body.pop("active", None)
    expect.status(play.send("PUT", f"/Users/{play.person('left')}", body=body), 200)
    expect.same(read(play, "left"), {"active": False})


@STEP.check(
    "PUT changes the userName", "200, found under the new name only",
    "A person whose address changes keeps the old account name, or gets a second account.",
    "RFC 7644 section 3.5.1; RFC 7643 section 4.1.1: userName is readWrite.", CUSTOM,
)  # fmt: skip
def put_user_name(play: Play) -> None:
    name = play.name("married")
    identifier = play.person("maiden", active=False)
    expect.same(expect.document(expect.status(put(play, "maiden", userName=name), 200)), {"userName": name})
    expect.only(play.send("GET", "/Users", query=look_up("userName", name)), identifier)
    expect.nobody(play.send("GET", "/Users", query=look_up("userName", play.name("maiden"))))


@STEP.check(
    "PUT to a taken userName is refused", "409",
    "Two people share one account.", "RFC 7644 section 3.5.1 and table 9: 409 uniqueness.", CUSTOM,
)  # fmt: skip
def put_taken(play: Play) -> None:
    play.person("holder", active=False)
    expect.status(put(play, "update", userName=play.name("holder")), 409)


def patched(play: Play) -> Exchange:
    """Return the PATCH that changes the names and the title."""
    body = bodies.patch(
        {"op": "replace", "value": {"name": {"givenName": "Augusta", "familyName": "King"}, "title": "Countess"}}
    )
    return play.once("profile PATCH", lambda: play.send("PATCH", f"/Users/{play.person('update')}", body=body))


@STEP.check(
    "PATCH without a path", "200 with the user, or 204", STALE,
    "RFC 7644 section 3.5.2.3: without a path, value holds the attributes to replace.", OIN,
)  # fmt: skip
def patch_status(play: Play) -> None:
    exchange = expect.status(patched(play), 200, 204)
    if exchange.status == 200:
        expect.schema(exchange, bodies.USER)


@STEP.check(
    "the PATCH has an effect", "the new names and title",
    "Okta believes that the change has arrived, and never sends it again.", "RFC 7644 section 3.5.2.3.", OIN,
)  # fmt: skip
def patch_kept(play: Play) -> None:
    patched(play)
    expect.same(read(play, "update"), {"name.givenName": "Augusta", "name.familyName": "King", "title": "Countess"})


@STEP.check(
    "the PATCH leaves the rest alone", "active true, userName and email as before",
    "A change of the title locks the person out or loses the address.", "RFC 7644 section 3.5.2.", OIN,
)  # fmt: skip
def patch_rest(play: Play) -> None:
    patched(play)
    name = play.name("update")
    found = read(play, "update")
    expect.same(found, {"userName": name, "emails.0.value": name, "active": True})
    if "password" in found:
        raise Broken("password is returned")
