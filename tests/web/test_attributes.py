"""Declared attributes over SCIM: in every worker, in journal and events, sorted, and in a backup."""

from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from storage.repository import Repository
from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.resources import patch_op, refused, user, user_id
from tests.support.server import run_flask
from tests.support.statements import traced

URN = "urn:ietf:params:scim:schemas:extension:acme:2.0:User"
TEAM = "urn:acme:teams:2.0:Group"


@pytest.fixture
def declared(app: Flask) -> Flask:
    run_command(app, "attributes", "add", URN, "badge", "--type", "string", "--indexed")
    run_command(app, "attributes", "add", URN, "level", "--type", "integer")
    run_command(app, "attributes", "add", URN, "tags", "--type", "string", "--multi-valued")
    run_command(app, "attributes", "add", TEAM, "cost", "--type", "integer", "--unique")
    return app


def names(client: ScimClient, query: str) -> list[str]:
    return [one["userName"] for one in client.get(f"/Users?{query}").body["Resources"]]


def test_every_worker_knows_a_declaration_at_its_next_request(make_server: MakeServer) -> None:
    server = make_server(workers=3)
    server.start()
    client = server.client("generic", server.create_key("x", "--idp", "generic"))
    before = [client.post("/Users", {"userName": f"before{number}", URN: {"badge": "x"}}) for number in range(9)]
    assert not any(URN in answer.body for answer in before)
    assert run_flask(server.database, "attributes", "add", URN, "badge", "--type", "string", "--unique").returncode == 0
    made = [client.post("/Users", {"userName": f"u{number}", URN: {"badge": str(number)}}) for number in range(24)]
    assert [answer.body.get(URN) for answer in made] == [{"badge": str(number)} for number in range(24)]
    for number in range(24):
        found = client.get(f"/Users?filter={quote(f'{URN}:badge eq')}%20%22{number}%22").body
        assert [one["userName"] for one in found["Resources"]] == [f"u{number}"]
        assert client.post("/Users", {"userName": "other", URN: {"badge": str(number)}}).status == 409
    assert run_flask(server.database, "attributes", "remove", f"{URN}:badge", "--prune").returncode == 0
    for answer in made:
        assert URN not in client.get(f"/Users/{answer.body['id']}").body
        assert client.get(f"/Users?filter={quote(f'{URN}:badge pr')}").status == 400


def test_groups_have_attributes_too(declared: Flask, generic: ScimClient) -> None:
    made = generic.post("/Groups", {"displayName": "A", TEAM: {"cost": 7}})
    assert made.body[TEAM] == {"cost": 7} and TEAM in made.body["schemas"]
    refused(generic.post("/Groups", {"displayName": "B", TEAM: {"COST": "7"}}), 409, "uniqueness", f"{TEAM}:cost")
    assert generic.get("/Groups").body["totalResults"] == 1
    answer = generic.patch(f"/Groups/{made.body['id']}", patch_op({"op": "replace", "value": {TEAM: {"cost": 8}}}))
    assert answer.body[TEAM] == {"cost": 8}
    assert generic.get(f"/Groups?filter={quote(f'{TEAM}:cost ge 8')}").body["totalResults"] == 1


def test_both_types_are_searched_at_the_root(declared: Flask, generic: ScimClient) -> None:
    user(generic, "ada", **{URN: {"level": 1}})
    generic.post("/Groups", {"displayName": "A", TEAM: {"cost": 7}})
    text = quote(f"{URN}:level eq 1 or {TEAM}:cost eq 7")
    assert generic.get(f"?filter={text}").body["totalResults"] == 2


def test_resources_are_sorted_by_a_declared_attribute(declared: Flask, generic: ScimClient) -> None:
    for name, level in (("ada", 10), ("bob", 9), ("cyd", None), ("dan", 100)):
        user(generic, name, **({URN: {"level": level, "badge": name[::-1]}} if level else {}))
    assert names(generic, f"sortBy={URN}:level") == ["bob", "ada", "dan", "cyd"]
    assert names(generic, f"sortBy={URN.upper()}:BADGE&sortOrder=descending") == ["cyd", "dan", "bob", "ada"]


def test_journal_and_events_tell_a_change(declared: Flask, generic: ScimClient) -> None:
    ada = user_id(generic, "ada", **{URN: {"badge": "7"}})
    generic.patch(f"/Users/{ada}", patch_op({"op": "replace", "path": f"{URN}:badge", "value": "8"}))
    (entry, *_) = run_json(declared, "journal", "--user", "ada")
    assert entry["changes"] == {URN: {"before": {"badge": "7"}, "after": {"badge": "8"}}}
    changes = run_json(declared, "journal", "--limit", "10")
    assert {one["action"] for one in changes if one["type"] == "Attribute"} == {"create"}


def test_a_backup_has_them(
    declared: Flask, generic: ScimClient, tmp_path: Any, make_app: MakeApp, make_client: MakeClient
) -> None:
    user(generic, "ada", **{URN: {"badge": "7"}})
    run_command(declared, "backup", str(tmp_path / "copy.db"))
    other = make_app(PERCH_DATABASE=str(tmp_path / "copy.db"))
    client = make_client("generic", app=other)
    assert names(client, f"filter={quote(f'{URN}:badge')}%20eq%20%227%22") == ["ada"]
    assert [one["name"] for one in run_json(other, "attributes", "list")] == ["badge", "level", "tags", "cost"]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"level": "x"}, f"{URN}.level: must be a whole number"),
        ({"level": 2**64}, "64 bits"),
        ({"level": 1.5}, "whole number"),
        ({"badge": 7}, "must be a string"),
        ({"tags": [1]}, "tags[0]: must be a string"),
        ("text", "must be an object"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(
    declared: Flask, generic: ScimClient, value: Any, says: str
) -> None:
    refused(generic.post("/Users", {"userName": "ada", URN: value}), 400, "invalidValue", says)
    assert names(generic, "") == []


def test_a_read_takes_no_statement_for_declarations(app: Flask, generic: ScimClient) -> None:
    ada = user_id(generic, "ada")
    generic.get(f"/Users/{ada}")
    with traced(app) as before:
        generic.get(f"/Users/{ada}")
    run_command(app, "attributes", "add", URN, "badge", "--type", "string", "--indexed")
    generic.get(f"/Users/{ada}")
    with traced(app) as after:
        generic.get(f"/Users/{ada}")
    assert len(after) == len(before) and not any("FROM attributes" in text for text in (*before, *after))


def test_a_bulk_request_has_them(declared: Flask, generic: ScimClient) -> None:
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": name, "data": {"userName": name, URN: {"badge": name}}}
        for name in ("ada", "bob")
    ]
    generic.post("/Bulk", {"Operations": operations})
    assert names(generic, f"filter={quote(f'{URN}:badge')}%20eq%20%22ADA%22") == ["ada"]


def test_an_outdated_request_is_asked_to_be_sent_again(declared: Flask, generic: ScimClient, monkeypatch: Any) -> None:
    """A declaration that is committed between the admission of a request and its write."""
    begin = Repository.writing

    def late(repository: Repository, *arguments: Any) -> Any:
        monkeypatch.setattr(Repository, "writing", begin)
        run_command(declared, "attributes", "remove", f"{URN}:badge", "--prune")
        return begin(repository, *arguments)

    monkeypatch.setattr(Repository, "writing", late)
    answer = generic.post("/Users", {"userName": "ada", URN: {"badge": "7"}})
    refused(answer, 503, None, "send the request again")
    assert answer.headers["Retry-After"] == "1"
    assert URN not in user(generic, "ada", **{URN: {"badge": "7"}})
