"""A person leaves and comes back: deactivated and reactivated, never deleted."""

from scim.emulator import bodies, expect
from scim.emulator.checks.update import put, read
from scim.emulator.client import Reply
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.runner import CheckFailed, CheckSkipped, CheckStep, TestRun

DEACTIVATE = CheckStep("deactivate", "Deactivate a person")
REPROVISION = CheckStep("reprovision", "Provision a deactivated person again")
STAYS = "A person who has left keeps access, while Okta shows the person as deactivated."
NEVER_ARRIVES = "Okta can neither create nor reach the person: every attempt to assign fails."


def deactivated(run: TestRun, label: str = "leaver") -> Reply:
    """Return the reply to the request that deactivates an active person in the run's dialect."""
    return run.cached(f"deactivation {label}", lambda: _set_active(run, label, False))


def reactivated(run: TestRun) -> Reply:
    """Return the reply to the request that reactivates a deactivated person."""

    def reactivate() -> Reply:
        deactivated_id(run, "returner")
        return _set_active(run, "returner", True)

    return run.cached("reactivation", reactivate)


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


def _set_active(run: TestRun, label: str, active: bool) -> Reply:
    if run.dialect == CUSTOM:
        return put(run, label, active=active)
    return run.send("PATCH", f"/Users/{run.user(label)}", body=bodies.replace({"active": active}))


def _is_active(run: TestRun, identifier: str) -> bool:
    reply = run.client.send("GET", f"/Users/{identifier}")
    return reply.status != 404 and expect.value_at(reply.document, "active") is not False


@DEACTIVATE.check(
    "GET, then PUT with active false", "200 with the user, active false", STAYS,
    "RFC 7644 section 3.5.1; Okta never deletes a user.", [CUSTOM],
)  # fmt: skip
def put_inactive(run: TestRun) -> None:
    expect.values(expect.document(deactivated(run), 200), {"active": False})


@DEACTIVATE.check(
    "PATCH with active false", "200 with the user, or 204", STAYS,
    "RFC 7644 section 3.5.2: 200 with the resource or 204; Okta never deletes a user.", [OIN],
)  # fmt: skip
def patch_inactive(run: TestRun) -> None:
    _expect_active(deactivated(run), False)


def _expect_active(reply: Reply, active: bool) -> None:
    if expect.status(reply, 200, 204).status == 200:
        expect.values(expect.document(reply), {"active": active})


@DEACTIVATE.check(
    "the deactivation is stored", "active false", STAYS, "RFC 7643 section 4.1.1: active.",
)  # fmt: skip
def kept(run: TestRun) -> None:
    deactivated(run)
    expect.values(read(run, "leaver"), {"active": False})


@DEACTIVATE.check(
    "a second deactivation is accepted", "200 or 204",
    "A task stays open in Okta for a person who has already left.", "RFC 7231 section 4.2.2: idempotent.",
)  # fmt: skip
def twice(run: TestRun) -> None:
    deactivated(run)
    expect.status(_set_active(run, "leaver", False), 200, 204)


@DEACTIVATE.check(
    "a deactivated person keeps the profile", "names and email as before",
    "Nobody can tell whose account it was, and reactivation brings back an empty profile.", "RFC 7644 section 3.5.",
)  # fmt: skip
def profile(run: TestRun) -> None:
    deactivated(run)
    name = run.user_name("leaver")
    expect.values(read(run, "leaver"), {"userName": name, "name.givenName": "Ada", "emails.0.value": name})


@REPROVISION.check(
    "the look-up finds a deactivated person", "exactly 1 result, active false",
    "Okta treats the person as new, and every POST ends in a 409.",
    "Fact: every list includes deactivated users; RFC 7644 section 3.4.2.2.",
)  # fmt: skip
def lookup(run: TestRun) -> None:
    identifier = deactivated_id(run, "returner")
    expect.values(expect.only(run.find_user(run.user_name("returner")), identifier), {"active": False})


@REPROVISION.check(
    "a deactivated person can be read", "200", "Okta treats the person as deleted, and every POST ends in a 409.",
    "RFC 7644 section 3.4.1: a deactivated user is a resource like any other.",
)  # fmt: skip
def readable(run: TestRun) -> None:
    identifier = deactivated_id(run, "returner")
    expect.status(run.get(f"/Users/{identifier}"), 200)


@REPROVISION.check(
    "the reactivation is accepted", "200 with active true, or 204 to a PATCH", NEVER_ARRIVES, "RFC 7644 section 3.5.",
)  # fmt: skip
def activate(run: TestRun) -> None:
    _expect_active(reactivated(run), True)


@REPROVISION.check(
    "the reactivation is stored", "active true, the same userName",
    "Okta shows the person as active, but the person cannot log in.", "RFC 7643 section 4.1.1: active.",
)  # fmt: skip
def activate_kept(run: TestRun) -> None:
    reactivated(run)
    expect.values(read(run, "returner"), {"active": True, "userName": run.user_name("returner")})


@REPROVISION.check(
    "POST of a deactivated person reactivates", "201 with the old id, active true",
    "When Okta has lost its link to the account, it POSTs, and every attempt ends in a 409.",
    "Fact: the most reported failure of reprovisioning (RFC 7644 section 3.3 allows the 409).", warning=True,
)  # fmt: skip
def post(run: TestRun) -> None:
    identifier = deactivated_id(run, "forgotten")
    body = bodies.user(run.user_name("forgotten"), "Ada", "Test-forgotten")
    found = expect.document(run.send("POST", "/Users", body=body), 201, 200)
    expect.values(found, {"active": True})
    if found.get("id") != identifier:
        raise CheckFailed("another id: the person has two accounts")
