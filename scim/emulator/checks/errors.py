"""Errors as Okta needs them: JSON, status as text, and a detail that tells the administrator what to do."""

from scim.emulator import bodies, expect
from scim.emulator.client import Reply
from scim.emulator.dialects import CUSTOM, OIN
from scim.emulator.runner import CheckStep, TestRun

STEP = CheckStep("errors", "Errors")
NO_CAUSE = "The administrator sees no cause: Okta shows the `detail` of the error and nothing else."
RETRIED = "Okta reads the error as a broken server and retries for hours a request that can never succeed."
NOT_FOUND = "RFC 7644 section 3.12: a resource that does not exist is 404."
SCIM_ERROR = "as a SCIM error: status as text, detail"


def _send_to_unknown(run: TestRun, method: str, endpoint: str, body: object = None) -> Reply:
    return run.send(method, f"{endpoint}/{run.tag}-gone", body=body)


@STEP.check("GET of an unknown user", f"404 {SCIM_ERROR}", RETRIED, NOT_FOUND)
def get_gone(run: TestRun) -> str:
    return f"404 {expect.error(_send_to_unknown(run, 'GET', '/Users'), 404)}"


@STEP.check("PUT of an unknown user", f"404 {SCIM_ERROR}", RETRIED, NOT_FOUND, [CUSTOM])
def put_gone(run: TestRun) -> None:
    expect.error(_send_to_unknown(run, "PUT", "/Users", run.user_body("gone")), 404)


@STEP.check("PATCH of an unknown user", f"404 {SCIM_ERROR}", RETRIED, NOT_FOUND, [OIN])
def patch_gone(run: TestRun) -> None:
    expect.error(_send_to_unknown(run, "PATCH", "/Users", bodies.replace({"active": False})), 404)


@STEP.check("GET of an unknown group", f"404 {SCIM_ERROR}", RETRIED, NOT_FOUND)
def group_gone(run: TestRun) -> None:
    expect.error(_send_to_unknown(run, "GET", "/Groups"), 404)


@STEP.check("PUT of an unknown group", f"404 {SCIM_ERROR}", RETRIED, NOT_FOUND, [CUSTOM])
def group_put_gone(run: TestRun) -> None:
    expect.error(_send_to_unknown(run, "PUT", "/Groups", bodies.group(run.group_name("gone"))), 404)


@STEP.check("PATCH of an unknown group", f"404 {SCIM_ERROR}", RETRIED, NOT_FOUND, [OIN])
def group_patch_gone(run: TestRun) -> None:
    body = bodies.patch(bodies.rename_group("gone", run.group_name("gone")))
    expect.error(_send_to_unknown(run, "PATCH", "/Groups", body), 404)


@STEP.check("DELETE of an unknown group", f"404 {SCIM_ERROR}", RETRIED, NOT_FOUND)
def delete_gone(run: TestRun) -> None:
    expect.error(_send_to_unknown(run, "DELETE", "/Groups"), 404)


@STEP.check(
    "a user without a userName is refused", f"400 {SCIM_ERROR}",
    "An account without a name is created, or the administrator sees no cause in Okta.",
    "RFC 7643 section 4.1.1: userName is required; RFC 7644 section 3.12: invalidValue is 400.",
)  # fmt: skip
def no_user_name(run: TestRun) -> str:
    body = {name: value for name, value in run.user_body("nameless").items() if name != "userName"}
    return f"400 {expect.error(run.send('POST', '/Users', body=body), 400)}"


@STEP.check(
    "a body that is not JSON is refused", f"400 {SCIM_ERROR}", NO_CAUSE,
    "RFC 7644 section 3.12: invalidSyntax is 400.",
)  # fmt: skip
def no_json(run: TestRun) -> None:
    expect.error(run.send("POST", "/Users", body=b'{"userName": '), 400)


@STEP.check(
    "an unknown path is refused", f"404 {SCIM_ERROR}", NO_CAUSE,
    "RFC 7644 section 3.12: errors are JSON with schemas, status as a string, and detail.",
)  # fmt: skip
def unknown_path(run: TestRun) -> None:
    expect.error(run.get(f"/Nothing-{run.tag}"), 404)


@STEP.check(
    "a request without a key is refused", f"401 {SCIM_ERROR}",
    "Anybody who knows the URL can read the directory.", "RFC 7644 section 2: clients must authenticate.",
)  # fmt: skip
def no_key(run: TestRun) -> None:
    query, headers = {"startIndex": 1, "count": 1}, {"Authorization": None}
    expect.error(run.send("GET", "/Users", query=query, headers=headers), 401)


@STEP.check(
    "an incomplete filter is refused", f"400 {SCIM_ERROR}",
    "A mistyped filter returns everybody, and Okta links the wrong person.",
    "RFC 7644 section 3.12: invalidFilter is 400.",
)  # fmt: skip
def bad_filter(run: TestRun) -> None:
    expect.error(run.get("/Users", filter="userName eq", startIndex=1, count=100), 400)


@STEP.check(
    "a key without 'Bearer ' is accepted", "200",
    "Some of Okta's forms do not add 'Bearer ': the connection fails with a valid key.",
    "Fact: some Okta apps send the key alone (RFC 6750 section 2.1 does not require the server to accept it).",
    warning=True,
)  # fmt: skip
def bare_key(run: TestRun) -> None:
    query, headers = {"startIndex": 1, "count": 1}, {"Authorization": run.client.key}
    expect.status(run.send("GET", "/Users", query=query, headers=headers), 200)
