"""Errors as Okta needs them: JSON, status as text, and a detail that tells the administrator what to do."""

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.runner import CheckStep, TestRun

STEP = CheckStep("errors", "Errors")
row, check = STEP.row, STEP.check
NO_CAUSE = "The administrator sees no cause: Okta shows the `detail` of the error and nothing else."
SCIM_ERROR = "as a SCIM error: status as text, detail"
NOT_FOUND = (
    f"404 {SCIM_ERROR}",
    "Okta reads the error as a broken server and retries for hours a request that can never succeed.",
    "RFC 7644 section 3.12: a resource that does not exist is 404.",
)
ONE = {"startIndex": 1, "count": 1}


def to_unknown(run: TestRun, method: str, endpoint: str, body: object = None) -> Document:
    """Send a request to a resource that does not exist, and expect 404."""
    return expect.error(run.send(method, f"{endpoint}/{run.tag}-gone", body=body), 404)


row("get_gone", "GET of an unknown user", *NOT_FOUND, lambda run: f"404 {to_unknown(run, 'GET', '/Users')['detail']}")
row("put_gone", "PUT of an unknown user", *NOT_FOUND,
    lambda run: to_unknown(run, "PUT", "/Users", run.user_body("gone")), CUSTOM)  # fmt: skip
row("patch_gone", "PATCH of an unknown user", *NOT_FOUND,
    lambda run: to_unknown(run, "PATCH", "/Users", bodies.replace({"active": False})), OIN)  # fmt: skip
row("group_gone", "GET of an unknown group", *NOT_FOUND, lambda run: to_unknown(run, "GET", "/Groups"))
row("group_put_gone", "PUT of an unknown group", *NOT_FOUND,
    lambda run: to_unknown(run, "PUT", "/Groups", bodies.group(run.group_name("gone"))), CUSTOM)  # fmt: skip


@check("PATCH of an unknown group", *NOT_FOUND, dialect=OIN)
def group_patch_gone(run: TestRun) -> None:
    to_unknown(run, "PATCH", "/Groups", bodies.patch(bodies.rename_group("gone", run.group_name("gone"))))


row("delete_gone", "DELETE of an unknown group", *NOT_FOUND, lambda run: to_unknown(run, "DELETE", "/Groups"))


@check("a user without a userName is refused", f"400 {SCIM_ERROR}",
       "An account without a name is created, or the administrator sees no cause in Okta.",
       "RFC 7643 section 4.1.1: userName is required; RFC 7644 section 3.12: invalidValue is 400.")  # fmt: skip
def no_user_name(run: TestRun) -> str:
    body = run.user_body("nameless")
    del body["userName"]
    return f"400 {expect.error(run.post('/Users', body), 400)['detail']}"


row("no_json", "a body that is not JSON is refused", f"400 {SCIM_ERROR}", NO_CAUSE,
    "RFC 7644 section 3.12: invalidSyntax is 400.",
    lambda run: expect.error(run.post("/Users", b'{"userName": '), 400))  # fmt: skip
row("unknown_path", "an unknown path is refused", f"404 {SCIM_ERROR}", NO_CAUSE,
    "RFC 7644 section 3.12: errors are JSON with schemas, status as a string, and detail.",
    lambda run: expect.error(run.get(f"/Nothing-{run.tag}"), 404))  # fmt: skip
row("no_key", "a request without a key is refused", f"401 {SCIM_ERROR}",
    "Anybody who knows the URL can read the directory.", "RFC 7644 section 2: clients must authenticate.",
    lambda run: expect.error(run.send("GET", "/Users", ONE, headers={"Authorization": None}), 401))  # fmt: skip
row("bad_filter", "an incomplete filter is refused", f"400 {SCIM_ERROR}",
    "A mistyped filter returns everybody, and Okta links the wrong person.",
    "RFC 7644 section 3.12: invalidFilter is 400.",
    lambda run: expect.error(run.get("/Users", filter="userName eq", startIndex=1, count=100), 400))  # fmt: skip
row("bare_key", "a key without 'Bearer ' is accepted", "200",
    "Some of Okta's forms do not add 'Bearer ': the connection fails with a valid key.",
    "Fact: some Okta apps send the key alone (RFC 6750 section 2.1 does not require the server to accept it).",
    lambda run: expect.status(run.send("GET", "/Users", ONE, headers={"Authorization": run.client.key}), 200),
    warning=True)  # fmt: skip
