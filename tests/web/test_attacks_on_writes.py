"""Requests that are costly or odd on purpose are refused quickly and never make the server fail."""

import time

import pytest

from scim.protocol import patch as patching
from tests.conftest import MakeApp
from tests.support.client import ScimClient
from tests.support.console import PASSWORD, Console


def test_too_many_operations_on_many_values_are_refused_quickly(generic: ScimClient) -> None:
    user = generic.post("/Users", {"userName": "ann", "title": "T"})
    add = [
        {"op": "add", "path": "emails", "value": [{"value": f"a{number}@example.com", "type": "work"}]}
        for number in range(2500)
    ]
    path = f"/Users/{user.body['id']}"
    began = time.thread_time()
    answer = generic.patch(path, {"Operations": add})
    assert (answer.status, "fewer" in answer.body["detail"]) == (413, True)
    assert time.thread_time() - began < 10
    assert "emails" not in generic.get(path).body
    assert generic.patch(path, {"Operations": add[:500]}).status == 200
    assert len(generic.get(path).body["emails"]) == 500


def test_one_operation_may_visit_any_number_of_values(generic: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patching, "MOST_VISITED", 10)
    user = generic.post("/Users", {"userName": "ann", "emails": [{"value": f"a{number}"} for number in range(50)]})
    operations = [{"op": "replace", "path": 'emails[value eq "a3"].type', "value": "work"}]
    assert generic.patch(f"/Users/{user.body['id']}", {"Operations": operations}).status == 200
    assert generic.patch(f"/Users/{user.body['id']}", {"Operations": operations * 2}).status == 413


def test_many_filters_on_a_large_group_are_refused(generic: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scim.service.resources.MOST_VISITED", 20)
    ids = [generic.post("/Users", {"userName": f"u{number}"}).body["id"] for number in range(10)]
    group = generic.post("/Groups", {"displayName": "G", "members": [{"value": each} for each in ids]})
    path = f"/Groups/{group.body['id']}"
    remove = {"op": "remove", "path": 'members[type eq "Group"]'}
    assert generic.patch(path, {"Operations": [remove] * 3}).status == 413
    assert generic.patch(path, {"Operations": [remove] * 2}).status == 200
    named = [{"op": "remove", "path": f'members[value eq "{each}"]'} for each in ids]
    assert generic.patch(path, {"Operations": named}).status == 200


def test_comparisons_of_long_filters_are_counted(generic: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    emails = [{"value": f"a{number}", "type": "work"} for number in range(50)]
    user = generic.post("/Users", {"userName": "ann", "emails": emails}).body
    ids = [generic.post("/Users", {"userName": f"u{number}"}).body["id"] for number in range(10)]
    group = generic.post("/Groups", {"displayName": "G", "members": [{"value": each} for each in ids]}).body
    monkeypatch.setattr(patching, "MOST_VISITED", 100)
    monkeypatch.setattr("scim.service.resources.MOST_COMPARED", 20)
    for terms, status in ((2, 200), (3, 413)):
        for joined in (" or ", " and "):
            wanted = joined.join(['type sw "w"'] * terms)
            set_display = {"op": "replace", "path": f"emails[not ({wanted}) or value pr].display", "value": joined}
            wanted = joined.join(['type eq "Group"'] * terms)
            remove = {"op": "remove", "path": f"members[{wanted}]"}
            assert generic.patch(f"/Users/{user['id']}", {"Operations": [set_display]}).status == status
            assert generic.patch(f"/Groups/{group['id']}", {"Operations": [remove]}).status == status


def test_one_value_among_many_becomes_primary(generic: ScimClient) -> None:
    emails = [{"value": f"a{number}", "type": "work", "primary": number == 0} for number in range(3000)]
    user = generic.post("/Users", {"userName": "ann", "emails": emails}).body
    display = [{"op": "add", "path": 'emails[type eq "work"]', "value": {"display": f"{n}"}} for n in range(20)]
    primary = {"op": "add", "path": 'emails[value eq "a7"]', "value": {"primary": True}}
    began = time.process_time()
    changed = generic.patch(f"/Users/{user['id']}", {"Operations": [*display, primary]}).body["emails"]
    assert time.process_time() - began < 4
    assert [email["value"] for email in changed if email.get("primary")] == ["a7"]
    assert {email["display"] for email in changed} == {"19"}


@pytest.mark.parametrize("number", ["--5", "-", "\u0661", "9" * 400, "1e3", ""])
def test_text_in_fail_on_errors_is_refused_unless_it_is_empty(generic: ScimClient, number: str) -> None:
    operation = {"method": "DELETE", "path": "/Users/none"}
    answer = generic.post("/Bulk", {"failOnErrors": number, "Operations": [operation]})
    assert answer.status == (400 if number else 200)


def test_the_address_after_sign_in_cannot_inject_a_header(make_app: MakeApp) -> None:
    console = Console(make_app(PERCH_ADMIN_PASSWORD=PASSWORD))
    answer = console.sign_in(next="/console/users\r\nX-Made-Up: yes")
    assert answer.status_code < 400
    assert "X-Made-Up" not in answer.headers
