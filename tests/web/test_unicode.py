"""Composed and decomposed characters are one text wherever text is compared; values stay as they were sent."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.console import PASSWORD, Console, text_of
from tests.support.resources import ENTERPRISE, group, group_id, patch, refused, user, user_id

COMPOSED, DECOMPOSED, CAPITALS = "jos\u00e9@x.org", "jose\u0301@x.org", "JOSE\u0301@X.ORG"
SPELLINGS = [COMPOSED, DECOMPOSED, CAPITALS]
spelling = pytest.mark.parametrize("spelling", SPELLINGS, ids=ascii)


def found(client: ScimClient, path: str, text: str, more: str = "") -> list[str]:
    answer = client.get(f"{path}?filter={quote(text)}{more}")
    assert answer.status == 200, answer
    return [resource["id"] for resource in answer.body.get("Resources", [])]


@spelling
def test_a_user_name_is_unique_in_every_spelling(generic: ScimClient, spelling: str) -> None:
    identifier = user_id(generic, DECOMPOSED)
    refused(generic.post("/Users", {"userName": spelling}), 409, "uniqueness", "userName")
    assert found(generic, "/Users", f'userName eq "{spelling}"') == [identifier]
    assert generic.get(f"/Users/{identifier}").body["userName"] == DECOMPOSED


@pytest.mark.parametrize("name", ["STRASSE", "stra\u00dfe", "STRA\u1e9eE"], ids=ascii)
def test_a_group_name_is_unique_in_every_spelling(generic: ScimClient, name: str) -> None:
    group(generic, "Stra\u00dfe")
    refused(generic.post("/Groups", {"displayName": name}), 409, "uniqueness", "displayName")
    other = group_id(generic, "Other")
    refused(generic.patch(f"/Groups/{other}", patch("replace", "displayName", name)), 409, "uniqueness")


def test_a_name_may_change_its_spelling(generic: ScimClient) -> None:
    made = user(generic, DECOMPOSED)
    for name in SPELLINGS:
        answer = generic.put(f"/Users/{made['id']}", {"userName": name})
        assert (answer.status, answer.body["userName"]) == (200, name)
    version = generic.get(f"/Users/{made['id']}").body["meta"]["version"]
    assert generic.put(f"/Users/{made['id']}", {"userName": CAPITALS}).body["meta"]["version"] == version


def test_full_width_and_invisible_characters_are_names_of_their_own(generic: ScimClient) -> None:
    for name in ("ab", "\uff41\uff42", "a\u200bb", "\u202aab\u202c", "a\u00adb", "\u0430b"):
        identifier = user_id(generic, name)
        assert found(generic, "/Users", f'userName eq "{name}"') == [identifier]


def test_an_okta_key_reactivates_in_every_spelling(okta: ScimClient) -> None:
    identifier = user_id(okta, DECOMPOSED)
    okta.put(f"/Users/{identifier}", {"userName": DECOMPOSED, "active": False})
    answer = okta.post("/Users", {"userName": COMPOSED})
    assert (answer.status, answer.body["id"], answer.body["userName"]) == (201, identifier, COMPOSED)


@spelling
def test_every_kind_of_text_is_found(generic: ScimClient, spelling: str) -> None:
    """Text in columns, in side tables, in the document, and exact text."""
    sent = {
        "externalId": DECOMPOSED, "displayName": COMPOSED, "nickName": DECOMPOSED, "profileUrl": f"x:{DECOMPOSED}",
        "emails": [{"value": DECOMPOSED, "type": "work"}], "phoneNumbers": [{"value": DECOMPOSED}],
        ENTERPRISE: {"department": DECOMPOSED, "manager": {"value": DECOMPOSED}},
    }  # fmt: skip
    identifier = user_id(generic, "ada", **sent)
    exact = [identifier] if spelling != CAPITALS else []
    for name in ("displayName", "nickName", "emails", "emails.value", "phoneNumbers.value", f"{ENTERPRISE}:department"):
        assert found(generic, "/Users", f'{name} eq "{spelling}"') == [identifier], name
    for name, before in (("externalId", ""), ("profileUrl", "x:"), (f"{ENTERPRISE}:manager.value", "")):
        assert found(generic, "/Users", f'{name} eq "{before}{spelling}"') == exact, name
        assert found(generic, "/Users", f'{name} sw "{before}{spelling[:5]}"') == exact, name
    assert {name: generic.get(f"/Users/{identifier}").body[name] for name in sent} == sent


@spelling
def test_names_of_groups_and_members_are_found(generic: ScimClient, spelling: str) -> None:
    person = user_id(generic, "ada", displayName=DECOMPOSED)
    team = group_id(generic, DECOMPOSED, person)
    assert found(generic, "/Users", f'groups.display eq "{spelling}"') == [person]
    assert found(generic, "/Groups", f'members[display eq "{spelling}"]') == [team]
    assert found(generic, "/Groups", f'displayName eq "{spelling}"') == [team]
    answer = generic.patch(f"/Groups/{team}", patch("remove", f'members[display eq "{spelling}"]'))
    assert answer.status == 200 and not answer.body.get("members")


@pytest.mark.parametrize("name", ["userName", "title", "emails.value", "externalId"])
def test_sorting_and_cursors_do_not_see_the_spelling(generic: ScimClient, name: str) -> None:
    """`e` with an accent sorts after `z` in every spelling; a decomposed one would come before `f`."""
    for place, text in enumerate(["z", "e\u0301a", "\u00e9b", "e\u0301c", "f"]):
        values: dict[str, Any] = {"title": text, "externalId": text, "emails": [{"value": text}]}
        user(generic, text if name == "userName" else str(place), **values)
    answer = generic.get(f"/Users?sortBy={name}&count=10").body["Resources"]
    expected = ["f", "z", "e\u0301a", "\u00e9b", "e\u0301c"]
    assert [person["externalId"] for person in answer] == expected
    body, paged = {"nextCursor": ""}, []
    while "nextCursor" in body:
        body = generic.get(f"/Users?sortBy={name}&count=2&cursor={body['nextCursor']}").body
        paged += [person["externalId"] for person in body["Resources"]]
    assert paged == expected


@spelling
def test_a_patch_compares_elements(generic: ScimClient, spelling: str) -> None:
    identifier = user_id(generic, "ada", emails=[{"value": DECOMPOSED, "type": "work"}, {"value": "b@x"}])
    path = f"/Users/{identifier}"
    added = generic.patch(path, patch("add", "emails", [{"value": spelling, "type": "work"}])).body["emails"]
    assert added == [{"value": DECOMPOSED, "type": "work"}, {"value": "b@x"}]
    marked = generic.patch(path, patch("replace", f'emails[value eq "{spelling}"].display', "mine")).body["emails"]
    assert marked[0] == {"value": DECOMPOSED, "type": "work", "display": "mine"}
    removed = generic.patch(path, patch("remove", "emails", [{"value": spelling, "type": "work"}])).body["emails"]
    assert removed == [{"value": "b@x"}]


@pytest.mark.parametrize("slug", ["caf\u00e9", "cafe\u0301"], ids=ascii)
def test_a_role_is_one_in_every_spelling(make_app: MakeApp, make_client: MakeClient, slug: str) -> None:
    app = make_app()
    run_command(app, "roles", "add", "cafe\u0301", "Barista")
    result = app.test_cli_runner().invoke(args=["roles", "add", slug, "Another"])
    assert result.exit_code == 1 and "exists already" in result.output
    client = make_client("generic", "--roles-as", "strings", app=app)
    person = user(client, "ada", roles=[slug, {"value": "caf\u00e9", "type": "x"}])
    assert person["roles"] == ["caf\u00e9"]
    assert found(client, "/Users", f'roles.value eq "{slug}"') == [person["id"]]
    assert client.get(f"/Roles/{quote(slug)}").body["displayName"] == "Barista"
    assert not client.patch(f"/Users/{person['id']}", patch("remove", f'roles[value eq "{slug}"]')).body.get("roles")
    run_command(app, "roles", "assign", "--user", "ADA", slug)
    assert [reason["role"] for reason in run_json(app, "roles", "explain", "ada")] == ["caf\u00e9"]
    run_command(app, "roles", "edit", slug, "--name", "Host")
    assert "withdrawn" in run_command(app, "roles", "unassign", "--user", "ada", slug)
    run_command(app, "roles", "remove", slug)
    assert "caf\u00e9" not in [role["slug"] for role in run_json(app, "roles", "list")]


def test_events_name_people_as_they_were_sent(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app()
    client = make_client(app=app)
    person = user_id(client, "Ada", externalId=DECOMPOSED)
    run_command(app, "roles", "assign", "--group", group(client, "team", person)["displayName"], "managed:viewer")
    events = (event["data"] for event in run_json(app, "events"))
    named = [data["user"] for data in events if "user" in data]
    assert named and {(one["userName"], one["externalId"]) for one in named} == {("Ada", DECOMPOSED)}


@spelling
def test_commands_and_console_find_a_name(make_app: MakeApp, make_client: MakeClient, spelling: str) -> None:
    app = make_app(PERCH_ADMIN_PASSWORD=PASSWORD)
    client = make_client(app=app)
    person = user_id(client, DECOMPOSED)
    team = group_id(client, DECOMPOSED, person)
    run_command(app, "roles", "assign", "--user", spelling, "managed:viewer")
    run_command(app, "roles", "assign", "--group", spelling, "managed:admin")
    reasons = run_json(app, "roles", "explain", spelling)
    assert [reason["source"] for reason in reasons] == ["group", "manual"]
    assert {entry["resource"] for entry in run_json(app, "journal", "--user", spelling)} == {person, team}
    console = Console(app)
    console.sign_in()
    for page in ("users", "groups"):
        assert DECOMPOSED in text_of(console.get(f"/{page}?q={quote(spelling[:5])}"))
