"""A person leaves and comes back: deactivated and reactivated, never deleted."""

from scim.emulator import bodies, expect
from scim.emulator.checks.common import read_user
from scim.emulator.checks.update import put
from scim.emulator.client import Reply
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.runner import CheckSkipped, CheckStep, TestRun, shared

DEACTIVATE = CheckStep("deactivate", "Deactivate a person")
REPROVISION = CheckStep("reprovision", "Provision a deactivated person again")
STAYS = "A person who has left keeps access, while Okta shows the person as deactivated."
NEVER_ARRIVES = "Okta can neither create nor reach the person: every attempt to assign fails."


def set_active(run: TestRun, label: str, active: bool) -> Reply:
    if run.dialect == CUSTOM:
        return put(run, label, active=active)
    return run.send("PATCH", run.user_path(label), body=bodies.replace({"active": active}))


@shared
def deactivated(run: TestRun, label: str = "leaver") -> Reply:
    return set_active(run, label, False)


@shared
def reactivated(run: TestRun) -> Reply:
    deactivated_id(run, "returner")
    return set_active(run, "returner", True)


def deactivated_id(run: TestRun, label: str) -> str:
    """Return the id of a deactivated user, created so where the server allows it.

    :raises CheckSkipped: when nobody can be deactivated.
    """
    identifier = run.user(label, active=False)
    if _is_active(run, identifier):
        deactivated(run, label)
    if _is_active(run, identifier):
        raise CheckSkipped("needs a deactivated person, and deactivation has no effect")
    return identifier


def _is_active(run: TestRun, identifier: str) -> bool:
    reply = run.client.send("GET", f"/Users/{identifier}")
    return reply.status != 404 and expect.value_at(reply.document, "active") is not False


def expect_active(reply: Reply, active: bool) -> None:
    if expect.status(reply, 200, 204).status == 200:
        expect.values(reply, {"active": active})


row = DEACTIVATE.row
row("put_inactive", "GET, then PUT with active false", "200 with the user, active false", STAYS,
    "RFC 7644 section 3.5.1; Okta never deletes a user.",
    lambda run: expect.values(expect.status(deactivated(run), 200), {"active": False}), CUSTOM)  # fmt: skip
row("patch_inactive", "PATCH with active false", "200 with the user, or 204", STAYS,
    "RFC 7644 section 3.5.2: 200 with the resource or 204; Okta never deletes a user.",
    lambda run: expect_active(deactivated(run), False), OIN)  # fmt: skip
row("kept", "the deactivation is stored", "active false", STAYS, "RFC 7643 section 4.1.1: active.",
    lambda run: expect.values(read_user(run, "leaver"), {"active": False}), before=deactivated)  # fmt: skip
row("twice", "a second deactivation is accepted", "200 or 204",
    "A task stays open in Okta for a person who has already left.", "RFC 7231 section 4.2.2: idempotent.",
    lambda run: expect.status(set_active(run, "leaver", False), 200, 204), before=deactivated)  # fmt: skip


@DEACTIVATE.check("a deactivated person keeps the profile", "names and email as before",
                  "Nobody can tell whose account it was, and reactivation brings back an empty profile.",
                  "RFC 7644 section 3.5.", before=deactivated)  # fmt: skip
def profile(run: TestRun) -> None:
    name = run.user_name("leaver")
    expected = {"userName": name, "name.givenName": "Ada", "emails.0.value": name}
    expect.values(read_user(run, "leaver"), expected)


@REPROVISION.check("the look-up finds a deactivated person", "exactly 1 result, active false",
                   "Okta treats the person as new, and every POST ends in a 409.",
                   "Fact: every list includes deactivated users; RFC 7644 section 3.4.2.2.")  # fmt: skip
def lookup(run: TestRun) -> None:
    found = expect.only(deactivated_id(run, "returner"), run.find_user(run.user_name("returner")))
    expect.values(found, {"active": False})


row = REPROVISION.row
row("readable", "a deactivated person can be read", "200",
    "Okta treats the person as deleted, and every POST ends in a 409.",
    "RFC 7644 section 3.4.1: a deactivated user is a resource like any other.",
    lambda run: expect.status(run.get(f"/Users/{deactivated_id(run, 'returner')}"), 200))  # fmt: skip
row("activate", "the reactivation is accepted", "200 with active true, or 204 to a PATCH", NEVER_ARRIVES,
    "RFC 7644 section 3.5.", lambda run: expect_active(reactivated(run), True))  # fmt: skip
row("activate_kept", "the reactivation is stored", "active true, the same userName",
    "Okta shows the person as active, but the person cannot log in.", "RFC 7643 section 4.1.1: active.",
    lambda run: expect.values(read_user(run, "returner"), {"active": True, "userName": run.user_name("returner")}),
    before=reactivated)  # fmt: skip


@REPROVISION.check("POST of a deactivated person reactivates", "201 with the old id, active true",
                   "When Okta has lost its link to the account, it POSTs, and every attempt ends in a 409.",
                   "Fact: the most reported failure of reprovisioning (RFC 7644 section 3.3 allows the 409).",
                   warning=True)  # fmt: skip
def post(run: TestRun) -> None:
    identifier = deactivated_id(run, "forgotten")
    body = bodies.user(run.user_name("forgotten"), "Ada", "Test-forgotten")
    found = expect.values(expect.status(run.post("/Users", body), 201, 200), {"active": True})
    expect.that(found.get("id") == identifier, "another id: the person has two accounts")
