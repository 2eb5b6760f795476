"""The emulator's parts: headers, patience, the organisation's file, sample organisations, the schedule of checks."""

import json
from typing import Any

import pytest
from flask import Flask
from werkzeug.wrappers import Request, Response

from scim.emulator import report, sample
from scim.emulator.client import Exchange, OktaClient, look_up
from scim.emulator.in_process import session_into
from scim.emulator.organisation import WrongOrganisation, read_organisation
from scim.emulator.retries import Patient, retry_after
from scim.emulator.test_run import FAILED, PASSED, Result
from tests.support.commands import run_command


def test_requests_look_like_oktas() -> None:
    seen: list[Request] = []

    def application(environ: Any, start_response: Any) -> Any:
        seen.append(Request(environ))
        return Response('{"id": "1"}', 201)(environ, start_response)

    client = OktaClient("http://s.example/scim/v2/", "KEY", session_into(application, "http://s.example"))
    exchange = client.send("POST", "/Users", body={"userName": "zoë"})
    assert (exchange.status, exchange.document, exchange.request) == (201, {"id": "1"}, "POST /Users")
    headers = {name: seen[0].headers[name] for name in ("Accept", "Accept-Charset", "Content-Type", "User-Agent")}
    assert headers == {
        "Accept": "application/scim+json",
        "Accept-Charset": "utf-8",
        "Content-Type": "application/scim+json; charset=utf-8",
        "User-Agent": "Okta SCIM Client 1.0.0",
    }
    assert seen[0].headers["Authorization"] == "Bearer KEY"
    assert seen[0].path == "/scim/v2/Users"
    client.send("GET", "/Users", look_up("userName", 'o"zoë+&@x'), headers={"Authorization": None})
    assert (
        seen[1]
        .environ["QUERY_STRING"]
        .startswith("filter=userName%20eq%20%22o%5C%22zo%C3%AB%2B%26%40x%22&startIndex=1")
    )
    assert seen[1].args["count"] == "100"
    assert "Authorization" not in seen[1].headers


class Scripted:
    """Answers with one exchange after the other, the last one for ever."""

    def __init__(self, *answers: tuple[int, dict[str, str]]) -> None:
        self.answers = list(answers)
        self.sent = 0

    def send(self, method: str, path: str, *more: Any, **others: Any) -> Exchange:
        status, headers = self.answers[min(self.sent, len(self.answers) - 1)]
        self.sent += 1
        return Exchange(method, path, None, status, "", headers)


BUSY, OK = (429, dict[str, str]()), (200, dict[str, str]())


@pytest.mark.parametrize(
    ("answers", "waits", "status"),
    [
        ([OK], [], 200),
        ([(429, {"Retry-After": "7"}), OK], [7], 200),
        ([(429, {"retry-after": " 1 "}), OK], [1], 200),
        ([(429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), OK], [300], 200),
        ([(429, {"Retry-After": "1.5"}), BUSY, (429, {"Retry-After": "4"}), OK], [300, 600, 4], 200),
        ([BUSY], [300 * 2**number for number in range(9)], 429),
        ([(500, {}), (503, {}), OK], [2, 4], 200),
        ([(500, {})], [2, 4, 8], 500),
        ([(0, {})], [2, 4, 8], 0),
        ([(409, {})], [], 409),
    ],
)
def test_patience(answers: list[tuple[int, dict[str, str]]], waits: list[int], status: int) -> None:
    slept: list[float] = []
    patient = Patient(Scripted(*answers), sleep=slept.append)
    assert patient.send("GET", "/Users").status == status
    assert slept == waits
    assert patient.sent == len(waits) + 1


def test_waits_can_be_shortened_and_are_told() -> None:
    slept: list[float] = []
    told: list[str] = []
    patient = Patient(Scripted((429, {"Retry-After": "10"}), OK), slept.append, scale=0.01, notice=told.append)
    patient.send("GET", "/Users")
    assert slept == [0.1]
    assert told == ["GET /Users: 429; waiting 10 s as Okta would."]
    assert retry_after(Exchange("GET", "/", None, 429, "", {"Retry-After": "²"})) is None


ADA = {"login": "ada@example.com", "givenName": "Ada", "familyName": "Roe"}


@pytest.mark.parametrize(
    ("document", "messages"),
    [
        ([], ["the file: Invalid input type."]),
        ({}, ["people: Missing data for required field."]),
        ({"people": [ADA, {"login": ""}]}, ["people[1].login: must not be empty", "people[1].givenName: Missing"]),
        ({"people": [{**ADA, "status": "gone"}]}, ["people[0].status: Must be one of: active, deactivated."]),
        ({"people": [{**ADA, "age": 3}]}, ["people[0].age: Unknown field."]),
        ({"people": [ADA, {**ADA, "login": "ADA@example.com"}]}, ["the login 'ada@example.com' is there 2 times"]),
        (
            {"people": [ADA], "groups": [{"name": "A", "members": ["bob"]}]},
            ["groups[0].members[0]: there is no person"],
        ),
        ({"people": [ADA], "app": {"push": ["B"]}}, ["app.push[0]: there is no group 'B' in the file."]),
        ({"people": [ADA], "app": {"groups": [{"group": "B"}]}}, ["app.groups[0]: there is no group 'B'"]),
        (
            {"people": [ADA], "app": {"people": [{"person": "x", "roles": "y"}]}},
            ["app.people[0].roles: Not a valid list."],
        ),
    ],
)
def test_a_wrong_organisation_names_the_place(document: Any, messages: list[str]) -> None:
    with pytest.raises(WrongOrganisation) as wrong:
        read_organisation(document)
    for message in messages:
        assert message in str(wrong.value)


def test_the_command_names_the_file_and_the_place(app: Flask, tmp_path: Any) -> None:
    file = tmp_path / "org.json"
    for text, message in (("{", "is no JSON"), ('{"people": [{}]}', "people[0].login: Missing data")):
        file.write_text(text)
        result = app.test_cli_runner().invoke(args=["okta", "sync", str(file)])
        assert (result.exit_code, message in result.output) == (1, True), result.output


def test_roles_of_a_person() -> None:
    """Combined over all assigned groups; an individual assignment has its own."""
    people = [{**ADA, "login": login} for login in ("a", "b", "c", "d")]
    groups = [
        {"name": "X", "members": ["a", "b", "d"]},
        {"name": "Y", "members": ["b"]},
        {"name": "Z", "members": ["c"]},
    ]
    assigned = [{"group": "X", "roles": ["r1", "r2"]}, {"group": "Y", "roles": ["r2", "r3"]}]
    app = {"groups": assigned, "people": [{"person": "d", "roles": ["r9"]}]}
    found = read_organisation({"people": people, "groups": groups, "app": app})
    assert found.assigned() == {"a": ["r1", "r2"], "b": ["r1", "r2", "r3"], "d": ["r9"]}
    people[0]["status"] = "deactivated"
    assert "a" not in read_organisation({"people": people, "groups": groups, "app": app}).assigned()


@pytest.mark.parametrize("faker", [False, True])
@pytest.mark.parametrize(("people", "groups"), [(1, 0), (1, 1), (40, None), (500, 30)])
def test_sample(people: int, groups: int | None, faker: bool) -> None:
    if faker:
        pytest.importorskip("faker")
    made = sample.organisation(people, groups, seed=5, roles=["x:a", "x:b"], faker=faker)
    assert made == sample.organisation(people, groups, seed=5, roles=["x:a", "x:b"], faker=faker)
    assert made != sample.organisation(people, groups, seed=6, roles=["x:a", "x:b"], faker=faker)
    found = read_organisation(made)
    assert (len(found.people), len(found.groups)) == (people, max(1, people // 40) if groups is None else groups)
    assert all(person.login.isascii() for person in found.people)


def test_sample_takes_the_roles_of_the_catalogue(app: Flask) -> None:
    run_command(app, "roles", "add", "x:only", "Only")
    made = json.loads(run_command(app, "okta", "sample", "100", "--groups", "10"))
    roles = {role for given in made["app"]["groups"] for role in given["roles"]}
    assert "x:only" in roles
    named = json.loads(run_command(app, "okta", "sample", "100", "--role", "y:named", "--seed", "4"))
    assert {role for given in named["app"]["groups"] for role in given["roles"]} == {"y:named"}


@pytest.mark.parametrize(
    ("outcome", "got", "said"),
    [
        (FAILED, "401 The access key is not valid", "--key"),
        (FAILED, "404 There is nothing here", "--url"),
        (FAILED, "200 of another shape", None),
        (PASSED, "401", None),
    ],
)
def test_a_run_that_fails_from_the_first_request_on_says_what_to_correct(
    outcome: str, got: str, said: str | None
) -> None:
    advice = report.first_step([Result("users", "Connector", "Users", "GET /Users", "200", got, outcome)])
    assert advice is None if said is None else said in str(advice)
    assert report.first_step([]) is None
