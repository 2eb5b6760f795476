"""POST …/events/{id}/receipt, pulls and polls as acknowledgements, and `flask applications` and `flask receipts`."""

import csv
import io
import json
from typing import Any

import pytest
from flask import Flask

from storage import receipts
from tests.conftest import MakeApp, MakeClient
from tests.support.client import Answer, ScimClient
from tests.support.commands import run_command, run_json, scim_path
from tests.support.resources import create_users, group_id, refused, user_id


class Reader:
    """An application with a read key, as `flask applications` knows one."""

    def __init__(self, app: Flask, client: ScimClient, name: str, *options: str) -> None:
        self.app, self.name, self.client = app, name, client
        self.key = client.key.partition("_")[2].partition("_")[0]
        self.path = scim_path(app).removesuffix("/scim/v2") + "/events"
        run_command(app, "applications", "add", name, "--key", self.key, *options)

    def pull(self, after: str) -> str:
        answer = self.app.test_client().get(f"{self.path}?after={after}", headers={"Authorization": self.client.key})
        self.app.extensions["perch.traffic"].writer.flush()
        return str(answer.get_json()["cursor"])

    def report(self, event: str, body: Any) -> Answer:
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        headers = {"Authorization": self.client.key, "Content-Type": "application/json"}
        answer = self.app.test_client().post(f"{self.path}/{event}/receipt", data=data, headers=headers)
        return Answer(answer.status_code, dict(answer.headers), answer.get_json(silent=True))


@pytest.fixture
def crm(app: Flask, make_client: MakeClient) -> Reader:
    return Reader(app, make_client("generic", "--access", "read"), "CRM")


def test_a_deactivation_is_open_until_it_is_pulled(app: Flask, okta: ScimClient, crm: Reader) -> None:
    cursor = crm.pull("latest")
    ann = user_id(okta, "ann", roles=["managed:admin"])
    cursor = crm.pull(cursor)
    assert run_json(app, "receipts") == []
    assert okta.put(f"/Users/{ann}", {"userName": "ann", "roles": ["managed:admin"], "active": False}).status == 200
    (found,) = run_json(app, "receipts", "--open")
    assert list(found) == [
        "user", "people", "application", "event", "requestedAt", "committedAt", "acknowledgedAt", "outcome", "seconds"
    ]  # fmt: skip
    assert (found["user"], found["people"], found["application"]) == ("ann", None, "CRM")
    assert found["requestedAt"] <= found["committedAt"]
    assert found["acknowledgedAt"] is found["outcome"] is found["seconds"] is None
    # The answer with the events is not yet their acknowledgement; the next request is.
    cursor = crm.pull(cursor)
    assert len(run_json(app, "receipts", "--open")) == 1
    crm.pull(cursor)
    assert run_json(app, "receipts", "--open") == []
    (found,) = run_json(app, "receipts", "--user", "ANN", "--application", "crm")
    assert found["seconds"] >= 0 and found["committedAt"] <= found["acknowledgedAt"]
    assert run_json(app, "receipts", "--since", "2099-01-01") == run_json(app, "receipts", "--user", "bob") == []


def test_requests_with_one_id_have_a_receipt_each(app: Flask, okta: ScimClient, crm: Reader) -> None:
    ann = user_id(okta, "ann", roles=["managed:admin"], active=True)
    headers = {"Authorization": okta.key, "Content-Type": "application/scim+json", "X-Request-Id": "always-the-same"}
    for active in (False, True, False):
        body = json.dumps({"Operations": [{"op": "replace", "path": "active", "value": active}]})
        answer = app.test_client().patch(f"{scim_path(app)}/Users/{ann}", data=body, headers=headers)
        assert answer.status_code == 200
        if not active and len(run_json(app, "receipts")) == 1:
            crm.pull(run_json(app, "events")[-1]["id"])
    first, second = run_json(app, "receipts")
    assert first["acknowledgedAt"] and second["acknowledgedAt"] is None
    assert second["requestedAt"] > first["requestedAt"]


def test_a_poll_acknowledges_tokens(app: Flask, okta: ScimClient, crm: Reader) -> None:
    def poll(**body: Any) -> Any:
        headers = {"Authorization": crm.client.key}
        answer = app.test_client().post(f"{crm.path}/poll", json={"returnImmediately": True, **body}, headers=headers)
        return answer.get_json()["sets"]

    poll()
    okta.delete(f"/Users/{user_id(okta, 'ann', roles=['managed:admin'])}")
    sets = list(poll())
    poll(ack=sets[:-1])
    assert len(run_json(app, "receipts", "--open")) == 1
    poll(ack=sets[-1:])
    assert run_json(app, "receipts", "--open") == [] != run_json(app, "receipts")


@pytest.mark.parametrize(
    ("body", "scim_type", "detail"),
    [
        ([], "invalidSyntax", "must be an object"),
        ("{", "invalidSyntax", ""),
        ("", "invalidSyntax", "no body"),
        ({}, "invalidValue", "outcome: must be ended, failed or ignored"),
        ({"outcome": "ENDED"}, "invalidValue", "outcome: "),
        ({"outcome": ["ended"]}, "invalidValue", "outcome: "),
        ({"outcome": "ended", "sessions": -1}, "invalidValue", "sessions: "),
        ({"outcome": "ended", "sessions": True}, "invalidValue", "sessions: "),
        ({"outcome": "ended", "sessions": 1.5}, "invalidValue", "sessions: "),
        ({"outcome": "ended", "sessions": 2**63}, "invalidValue", "sessions: "),
        ({"outcome": "ended", "reason": 1}, "invalidValue", "reason: must be text"),
        ({"outcome": "ended", "reason": "é" * 513}, "invalidValue", "reason: must have at most 1024 bytes"),
    ],
)
def test_a_wrong_receipt_is_refused(
    app: Flask, okta: ScimClient, crm: Reader, body: Any, scim_type: str, detail: str
) -> None:
    okta.delete(f"/Users/{user_id(okta, 'ann')}")
    event = run_json(app, "events")[-1]["id"]
    refused(crm.report(event, body), 400, scim_type, detail)
    assert run_json(app, "receipts")[0]["outcome"] is None


def test_receipts_are_for_known_events_of_the_key_s_application(
    app: Flask, okta: ScimClient, crm: Reader, make_client: MakeClient
) -> None:
    ann = user_id(okta, "ann")
    created = run_json(app, "events")[-1]["id"]
    other = Reader(app, make_client("generic", "--access", "read"), "Later")
    okta.delete(f"/Users/{ann}")
    event = run_json(app, "events")[-1]["id"]
    ended = {"outcome": "ended", "sessions": 2, "reason": "é" * 512}
    for wrong in ("evt_99_00000000", event[:-8] + "00000000", "nonsense", "evt_1", "0"):
        assert crm.report(wrong, ended).status == 404
    stranger = make_client("generic", "--access", "read")
    crm.client, own = stranger, crm.client
    refused(crm.report(event, ended), 403, None, "not for an application with the key")
    crm.client = own
    refused(other.report(created, ended), 403, None, "not for an application")
    assert crm.report(created, ended).status == 204
    assert crm.report(event, {"outcome": "failed", "reason": "x"}).status == 204
    assert [each["outcome"] for each in run_json(app, "receipts", "--open")] == ["failed", None]
    answer = crm.report(event, ended)
    assert answer.status == 204 and answer.body is None
    assert [each["outcome"] for each in run_json(app, "receipts")] == ["ended", None]


def test_a_change_for_many_has_their_number(app: Flask, okta: ScimClient, crm: Reader) -> None:
    ids = create_users(okta, [f"p{number}" for number in range(502)])
    group = group_id(okta, "All", *ids)
    run_command(app, "roles", "assign", "--group", "All", "managed:admin")
    assert run_json(app, "receipts") == []
    run_command(app, "roles", "unassign", "--group", "All", "managed:admin")
    (found,) = run_json(app, "receipts")
    assert (found["user"], found["people"]) == (None, 502)
    assert okta.get(f"/Groups/{group}").status == 200


def test_check_is_for_cron_and_csv_ends_with_percentiles(app: Flask, okta: ScimClient, crm: Reader) -> None:
    run = app.test_cli_runner()
    assert run.invoke(args=["receipts", "check", "--older-than", "0"]).exit_code == 0
    cursor = crm.pull("latest")
    for name in ("ann", "bob"):
        okta.delete(f"/Users/{user_id(okta, name)}")
    cursor = crm.pull(cursor)
    assert run.invoke(args=["receipts", "check", "--older-than", "300"]).exit_code == 0
    late = run.invoke(args=["receipts", "check", "--older-than", "0.0"])
    assert late.exit_code == 1 and "ann may still be in CRM" in late.stdout and late.stdout.count("\n") == 2
    listed = run.invoke(args=["receipts", "check", "--older-than", "0", "--json"])
    assert listed.exit_code == 1 and [each["user"] for each in json.loads(listed.stdout)] == ["ann", "bob"]
    crm.pull(cursor)
    assert run.invoke(args=["receipts", "check", "--older-than", "0"]).exit_code == 0
    rows = list(csv.reader(io.StringIO(run_command(app, "receipts", "--csv"))))
    assert rows[0][0] == "user" and [row[0] for row in rows[1:3]] == ["ann", "bob"] and rows[3] == []
    assert [row[0] for row in rows[4:]] == ["p50", "p95", "p99", "worst"] and float(rows[-1][1]) >= float(rows[4][1])


@pytest.mark.parametrize("name", ["=1+1", "+a", "@sum(A1)", "－1", "a=1"])
def test_a_cell_that_would_be_a_formula_is_text(app: Flask, okta: ScimClient, crm: Reader, name: str) -> None:
    okta.delete(f"/Users/{user_id(okta, name)}")
    rows = list(csv.reader(io.StringIO(run_command(app, "receipts", "--csv"))))
    assert rows[1][0] == (name if name == "a=1" else f"'{name}")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["X"], 2, "Give --webhook ID, --key ID"),
        (["X", "--asks"], 2, "Give"),
        (["X", "--webhook", "none"], 1, "There is no webhook"),
        (["X", "--key", "none"], 1, "There is no access key"),
        ([" ", "--key", "KEY"], 1, "needs a name"),
        (["x" * 201, "--key", "KEY"], 1, "needs a name"),
        (["crm", "--key", "OTHER"], 1, "The application 'CRM' has that name already."),
        (["X", "--key", "KEY"], 1, "The application 'CRM' has that webhook or key already."),
    ],
)
def test_wrong_applications_are_refused(app: Flask, crm: Reader, arguments: list[str], code: int, told: str) -> None:
    other = run_json(app, "keys", "create", "Other")["id"]
    words = [{"KEY": crm.key, "OTHER": other}.get(word, word) for word in arguments]
    result = app.test_cli_runner().invoke(args=["applications", "add", *words])
    assert result.exit_code == code and told in result.stderr
    assert [each["name"] for each in run_json(app, "applications", "list")] == ["CRM"]


@pytest.mark.parametrize(
    ("begin", "failed"),
    [("latest", False), ("middle", False), ("end", False), ("2099-01-01", False), ("oldest", False), ("latest", True)],
)
def test_what_a_replay_skips_stays_open(make_app: MakeApp, make_client: MakeClient, begin: str, failed: bool) -> None:
    app = make_app(PERCH_WEBHOOKS_ALLOW_PRIVATE="on")
    okta = make_client(app=app)
    hook = run_json(app, "webhooks", "add", "http://127.0.0.1:9/none")["id"]
    run_command(app, "applications", "add", "Billing", "--webhook", hook)
    for name in ("ann", "bob"):
        okta.delete(f"/Users/{user_id(okta, name)}")
    ids = [each["id"] for each in run_json(app, "events")]
    if failed:
        run_command(app, "deliver", "--once")
    run_command(app, "webhooks", "replay", hook, "--from", {"middle": ids[1], "end": ids[-1]}.get(begin, begin))
    with app.extensions["perch"].database.read() as connection:
        oldest = receipts.longest_open(connection)
        listed = receipts.list_all(connection)
    assert oldest == [("Billing", listed[0].requested)] and [each.open for each in listed] == [True, True]


@pytest.mark.parametrize("reason", ["ann is gone", "no account ANN", "é ann", "no such person"])
def test_forget_erases_the_reasons_of_applications(app: Flask, okta: ScimClient, crm: Reader, reason: str) -> None:
    kept, ann = user_id(okta, "bob"), user_id(okta, "ann")
    for identifier in (kept, ann):
        okta.delete(f"/Users/{identifier}")
    for event in run_json(app, "events"):
        crm.report(event["id"], {"outcome": "failed", "reason": reason})
    run_command(app, "forget", "ann")
    with app.extensions["perch"].database.read() as connection:
        reasons = {each.user: each.reason for each in receipts.list_all(connection)}
    assert reasons == {"bob": reason, "forgotten": None}


@pytest.mark.parametrize("asked", ["ann", "ANN", "Ann", "aNN"])
def test_receipts_of_a_name_are_also_those_of_its_former_holder(
    app: Flask, okta: ScimClient, crm: Reader, asked: str
) -> None:
    okta.delete(f"/Users/{user_id(okta, 'ann')}")
    okta.delete(f"/Users/{user_id(okta, 'annie')}")
    renamed = user_id(okta, "maiden", active=True)
    okta.put(f"/Users/{renamed}", {"userName": "maiden", "active": False})
    okta.put(f"/Users/{renamed}", {"userName": "ann", "active": True})
    okta.put(f"/Users/{renamed}", {"userName": "ann", "active": False})
    found = run_json(app, "receipts", "--user", asked)
    assert [each["user"] for each in found] == ["ann", "maiden", "ann"]
