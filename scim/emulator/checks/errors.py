"""Errors as Okta meets them: JSON, status as text, and a detail that tells the administrator what to do."""

from scim.emulator import bodies, expect
from scim.emulator.checks.update import CUSTOM, OIN
from scim.emulator.client import Exchange
from scim.emulator.test_run import Play, Step

STEP = Step("errors", "Errors")
UNREADABLE = "The administrator sees no cause: Okta shows the `detail` of the error, and nothing else."
RETRIED = "Okta takes it for a broken server and tries again, for hours, what can never succeed."
GONE = "RFC 7644 section 3.12: a resource that does not exist is 404."
MESSAGE = "RFC 7644 section 3.12: errors are JSON with schemas, status as a string, and detail."
EXPECTED = "as a SCIM error: status as text, detail"


def _missing(play: Play, method: str, kind: str, body: object = None) -> Exchange:
    return play.send(method, f"/{kind}/{play.mark}-gone", body=body)


@STEP.check("GET of a user who is gone", f"404 {EXPECTED}", RETRIED, GONE)
def get_gone(play: Play) -> str:
    return f"404 {expect.error(_missing(play, 'GET', 'Users'), 404)['detail']}"


@STEP.check("PUT of a user who is gone", f"404 {EXPECTED}", RETRIED, GONE, CUSTOM)
def put_gone(play: Play) -> None:
    expect.error(_missing(play, "PUT", "Users", play.body("gone")), 404)


@STEP.check("PATCH of a user who is gone", f"404 {EXPECTED}", RETRIED, GONE, OIN)
def patch_gone(play: Play) -> None:
    expect.error(_missing(play, "PATCH", "Users", bodies.activation(False)), 404)


@STEP.check("GET of a group that is gone", f"404 {EXPECTED}", RETRIED, GONE)
def group_gone(play: Play) -> None:
    expect.error(_missing(play, "GET", "Groups"), 404)


@STEP.check("PUT of a group that is gone", f"404 {EXPECTED}", RETRIED, GONE, CUSTOM)
def group_put_gone(play: Play) -> None:
    expect.error(_missing(play, "PUT", "Groups", bodies.group(play.group_name("gone"))), 404)


@STEP.check("PATCH of a group that is gone", f"404 {EXPECTED}", RETRIED, GONE, OIN)
def group_patch_gone(play: Play) -> None:
    body = bodies.patch(bodies.named("gone", play.group_name("gone")))
    expect.error(_missing(play, "PATCH", "Groups", body), 404)


@STEP.check("DELETE of a group that is gone", f"404 {EXPECTED}", RETRIED, GONE)
def delete_gone(play: Play) -> None:
    expect.error(_missing(play, "DELETE", "Groups"), 404)


@STEP.check(
    "a user without a userName is refused", f"400 {EXPECTED}",
    "An account without a name arrives, or " + UNREADABLE[0].lower() + UNREADABLE[1:],
    "RFC 7643 section 4.1.1: userName is required; RFC 7644 section 3.12: invalidValue is 400.",
)  # fmt: skip
def no_user_name(play: Play) -> str:
    body = {name: value for name, value in play.body("nameless").items() if name != "userName"}
    return f"400 {expect.error(play.send('POST', '/Users', body=body), 400)['detail']}"


@STEP.check(
    "a body that is no JSON is refused", f"400 {EXPECTED}", UNREADABLE,
    "RFC 7644 section 3.12: invalidSyntax is 400.",
)  # fmt: skip
def no_json(play: Play) -> None:
    expect.error(play.send("POST", "/Users", body=b'{"userName": '), 400)


@STEP.check("an unknown path is refused in JSON", f"404 {EXPECTED}", UNREADABLE, MESSAGE)
def unknown_path(play: Play) -> None:
    expect.error(play.send("GET", f"/Nothing-{play.mark}"), 404)


@STEP.check(
    "without a key nothing is told", f"401 {EXPECTED}",
    "Whoever knows the URL reads the directory.", "RFC 7644 section 2: clients must authenticate.",
)  # fmt: skip
def no_key(play: Play) -> None:
    expect.error(play.send("GET", "/Users", query={"startIndex": 1, "count": 1}, headers={"Authorization": None}), 401)


@STEP.check(
    "a filter that is none is refused", f"400 {EXPECTED}",
    "A mistyped filter gives everybody, and Okta links the wrong person.",
    "RFC 7644 section 3.12: invalidFilter is 400.",
)  # fmt: skip
def bad_filter(play: Play) -> None:
    expect.error(play.send("GET", "/Users", query={"filter": "userName eq", "startIndex": 1, "count": 100}), 400)


@STEP.check(
    "a key without 'Bearer' is taken", "200",
    "Some of Okta's forms do not add 'Bearer ': the connection fails with a right key.",
    "Fact: a bare key arrives too (RFC 6750 section 2.1 does not ask for it).", warning=True,
)  # fmt: skip
def bare_key(play: Play) -> None:
    headers = {"Authorization": play.client.key}
    expect.status(play.send("GET", "/Users", query={"startIndex": 1, "count": 1}, headers=headers), 200)
