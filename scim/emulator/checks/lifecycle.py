"""A person leaves and comes back: deactivation, never deletion, and provisioning anew."""

from scim.emulator import bodies, expect
from scim.emulator.checks.update import CUSTOM, OIN, put, read
from scim.emulator.client import Exchange, look_up
from scim.emulator.test_run import Broken, Play, Skipped, Step

DEACTIVATE = Step("deactivate", "Deactivate a person")
REPROVISION = Step("reprovision", "Provision a deactivated person anew")
STAYS = "Somebody who has left keeps the access; Okta shows the person as deactivated."
LOOP = "Okta can neither create nor reach the person: the assignment fails for ever."


def deactivated(play: Play, what: str = "leaver") -> Exchange:
    """Return the request that deactivates an active person in the app's dialect."""
    return play.once(f"deactivation {what}", lambda: _set_active(play, what, False))


def reactivated(play: Play) -> Exchange:
    """Return the request that activates the person again."""
    return play.once("reactivation", lambda: _reactivate(play))


def _reactivate(play: Play) -> Exchange:
    gone(play, "returner")
    return _set_active(play, "returner", True)


def _set_active(play: Play, what: str, active: bool) -> Exchange:
    if play.app == "custom":
        return put(play, what, active=active)
    return play.send("PATCH", f"/Users/{play.person(what)}", body=bodies.activation(active))


def gone(play: Play, what: str) -> str:
    """Return the id of a person who is deactivated, created so where the server lets it.

    :raises Skipped: when nobody can be deactivated.
    """
    identifier = play.person(what, active=False)
    if _is_active(play, identifier):
        deactivated(play, what)
    if _is_active(play, identifier):
        raise Skipped("needs a deactivated person, and deactivation has no effect")
    return identifier


def _is_active(play: Play, identifier: str) -> bool:
    exchange = play.client.send("GET", f"/Users/{identifier}")
    found = exchange.document
    return exchange.status != 404 and not (isinstance(found, dict) and found.get("active") is False)


@DEACTIVATE.check(
    "GET, then PUT with active false", "200 with the user, active false", STAYS,
    "RFC 7644 section 3.5.1; Okta never deletes a user.", CUSTOM,
)  # fmt: skip
def put_inactive(play: Play) -> None:
    expect.same(expect.document(expect.status(deactivated(play), 200)), {"active": False})


@DEACTIVATE.check(
    "PATCH with active false", "200 with the user, or 204", STAYS,
    "RFC 7644 section 3.5.2: 200 with the resource or 204; Okta never deletes a user.", OIN,
)  # fmt: skip
def patch_inactive(play: Play) -> None:
    exchange = expect.status(deactivated(play), 200, 204)
    if exchange.status == 200:
        expect.same(expect.document(exchange), {"active": False})


@DEACTIVATE.check(
    "the deactivation has an effect", "active false", STAYS, "RFC 7643 section 4.1.1: active.",
)  # fmt: skip
def kept(play: Play) -> None:
    deactivated(play)
    expect.same(read(play, "leaver"), {"active": False})


@DEACTIVATE.check(
    "a second deactivation is no error", "200 or 204",
    "A task stays open in Okta for somebody who has left already.", "RFC 7231 section 4.2.2: idempotent.",
)  # fmt: skip
def twice(play: Play) -> None:
    deactivated(play)
    expect.status(_set_active(play, "leaver", False), 200, 204)


@DEACTIVATE.check(
    "the profile of a leaver stays", "names and email as before",
    "Nobody knows any more whose account it was; re-activation brings back a blank.", "RFC 7644 section 3.5.",
)  # fmt: skip
def profile(play: Play) -> None:
    deactivated(play)
    name = play.name("leaver")
    expect.same(read(play, "leaver"), {"userName": name, "name.givenName": "Ada", "emails.0.value": name})


@REPROVISION.check(
    "the look-up finds the deactivated", "exactly 1 result, active false",
    "Okta takes the person for new, POSTs, and gets a 409 for ever.",
    "Fact: deactivated users are part of every list; RFC 7644 section 3.4.2.2.",
)  # fmt: skip
def lookup(play: Play) -> None:
    identifier = gone(play, "returner")
    found = expect.only(play.send("GET", "/Users", query=look_up("userName", play.name("returner"))), identifier)
    expect.same(found, {"active": False})


@REPROVISION.check(
    "the deactivated can be read", "200", "Okta takes the person for deleted, POSTs, and gets a 409 for ever.",
    "RFC 7644 section 3.4.1: a deactivated user is a resource like any other.",
)  # fmt: skip
def readable(play: Play) -> None:
    identifier = gone(play, "returner")
    expect.status(play.send("GET", f"/Users/{identifier}"), 200)


@REPROVISION.check(
    "re-activation", "200 with the user, active true, or 204 to a PATCH", LOOP, "RFC 7644 section 3.5.",
)  # fmt: skip
def activate(play: Play) -> None:
    exchange = expect.status(reactivated(play), 200, 204)
    if exchange.status == 200:
        expect.same(expect.document(exchange), {"active": True})


@REPROVISION.check(
    "the re-activation has an effect", "active true, the same userName",
    "Okta shows the person as active, who cannot log in.", "RFC 7643 section 4.1.1: active.",
)  # fmt: skip
def activate_kept(play: Play) -> None:
    reactivated(play)
    expect.same(read(play, "returner"), {"active": True, "userName": play.name("returner")})


@REPROVISION.check(
    "a POST for a deactivated person brings them back", "201 with the old id, active true",
    "After its link was lost, Okta POSTs and loops on the 409.",
    "Fact: the most reported failure of re-provisioning (RFC 7644 section 3.3 allows the 409).", warning=True,
)  # fmt: skip
def post(play: Play) -> None:
    identifier = gone(play, "forgotten")
    body = bodies.user(play.name("forgotten"), "Ada", "Test-forgotten")
    found = expect.document(expect.status(play.send("POST", "/Users", body=body), 201, 200))
    if found.get("active") is not True:
        raise Broken(f"active is {found.get('active')!r}")
    if found.get("id") != identifier:
        raise Broken("another id: the person has two accounts")
