"""The lists of people, groups and roles: any word is found, filters combine and stay in the URL, lists are exported."""

import csv
import io
import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from scim.console import exports
from tests.support.client import ScimClient
from tests.support.console import Console, text_of
from tests.support.resources import create_users, group_id, user_id
from tests.support.statements import traced


@pytest.fixture
def staff(okta: ScimClient, admin: Console) -> dict[str, str]:
    """Five people: two Hansens, one of them deactivated; roles of their own, through Support, or none."""

    def person(name: str, **more: Any) -> str:
        given, family = name.split()
        user_name = f"{given}.{family}@example.com".lower()
        return user_id(okta, user_name, name={"givenName": given, "familyName": family}, displayName=name, **more)

    ids = {
        "mette": person("Mette Hansen", roles=["managed:admin"], externalId="00u7"),
        "karl": person("Karl Hansen", active=False, roles=["managed:admin"]),
        "ann": person("Ann Holm"),
        "bo": person("Bo Vik"),
        "zoe": person("Zoë Hansen-Holm"),
    }
    support = group_id(okta, "Customer Support", ids["ann"], ids["mette"])
    outer = group_id(okta, "All of North", support, ids["bo"])
    admin.post(f"/groups/{support}/roles", {"slug": "managed:viewer"})
    return {**ids, "support": support, "outer": outer}


def names(page: str) -> list[str]:
    return re.findall(r'<th scope="row"><a href="/console/(?:users|groups)/[^"]+">([^<]+)</a>', page)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=hansen", ["Karl Hansen", "Mette Hansen", "Zoë Hansen-Holm"]),
        ("?q=HANSEN+m", ["Mette Hansen"]),
        ("?q=zoe", ["Zoë Hansen-Holm"]),
        ("?q=holm", ["Ann Holm", "Zoë Hansen-Holm"]),
        ("?q=00u7", ["Mette Hansen"]),
        ("?q=hansen&state=active", ["Mette Hansen", "Zoë Hansen-Holm"]),
        ("?q=hansen&state=deactivated", ["Karl Hansen"]),
        ("?q=hansen&role=managed:admin", ["Karl Hansen", "Mette Hansen"]),
        ("?q=hansen&role=managed:admin&state=login", ["Mette Hansen"]),
        ("?q=h&group={support}", ["Ann Holm", "Mette Hansen"]),
        ("?group=customer+SUPPORT", ["Ann Holm", "Mette Hansen"]),
        ("?group={outer}&role=no+role", ["Bo Vik"]),
        ("?role=no+role", ["Bo Vik", "Zoë Hansen-Holm"]),
        ("?role=no role&q=vik", ["Bo Vik"]),
        ("?group=nothing", []),
        ("?since=2026-01-01&q=vik", ["Bo Vik"]),
        ("?since=2999-01-01&q=vik", []),
        ("?since=yesterday&q=vik", ["Bo Vik"]),
        ("?since=2026-13-01&q=vik", ["Bo Vik"]),
        ("?q=hansen&sort=userName&dir=down", ["Zoë Hansen-Holm", "Mette Hansen", "Karl Hansen"]),
    ],
)
def test_filters_combine(admin: Console, staff: dict[str, str], query: str, found: list[str]) -> None:
    assert names(admin.get("/users" + query.format(**staff)).text) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=support", ["Customer Support"]),
        ("?q=north", ["All of North"]),
        ("?q=n+all", ["All of North"]),
        ("?role=managed:viewer", ["Customer Support"]),
        ("?role=no+role", ["All of North"]),
        ("?role=managed:viewer&q=north", []),
        ("?since=2026-01-01", ["All of North", "Customer Support"]),
        ("?since=2999-01-01", []),
        ("?state=active&group=x", ["All of North", "Customer Support"]),
    ],
)
def test_filters_of_groups_combine(admin: Console, staff: dict[str, str], query: str, found: list[str]) -> None:
    assert names(admin.get("/groups" + query).text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("agent", ["Inbox agent"]), ("AGENT in", ["Inbox agent"]), ("managed:v", ["Viewer"]), ("anal", ["Analyst"])],
)
def test_roles_are_found_by_any_word(admin: Console, text: str, found: list[str]) -> None:
    page = admin.get(f"/roles?q={quote(text)}").text
    assert [name for name in ("Inbox agent", "Viewer", "Analyst", "Admin") if f">{name}</a>" in page] == found
    assert "must begin a word of the name or slug" in text_of(admin.get("/roles?q=nothing"))


def test_filters_stay_in_the_form_and_in_each_link(admin: Console, staff: dict[str, str]) -> None:
    page = admin.get(f"/users?q=h&state=active&role=managed:viewer&group={staff['support']}&since=2026-01-02").text
    assert 'value="h"' in page and 'value="2026-01-02"' in page and 'value="Customer Support"' in page
    assert '<option value="managed:viewer" selected>' in page and '<option value="active" selected>' in page
    kept = f"q=h&amp;state=active&amp;role=managed:viewer&amp;group={staff['support']}&amp;since=2026-01-02"
    for address in ("users.csv?", "users.json?"):
        assert f'href="/console/{address}{kept}"' in page
    assert f'href="/console/users?{kept}&amp;sort=userName"' in page


@pytest.mark.parametrize("name", ["endpoint", "_external", "_anchor", "_scheme", "form", "identifier"])
def test_foreign_parameters_are_only_parameters(admin: Console, staff: dict[str, str], name: str) -> None:
    answer = admin.get(f"/users?{name}=x&q=hansen")
    assert answer.status_code == 200
    assert f'href="/console/users.csv?{name}=x&amp;q=hansen"' in answer.text


def test_an_empty_list_says_what_was_searched(admin: Console, staff: dict[str, str]) -> None:
    text = text_of(admin.get("/users?q=nobody+x&state=deactivated&role=no+role&group=Nowhere&since=2026-01-01"))
    assert (
        "No person matches. Every word of “nobody x” must begin a word of the given name, family name, displayName, "
        "userName, e-mail addresses or externalId. Only these people were searched: status: deactivated; without a "
        "role; group: Nowhere; changed since 2026-01-01 (UTC). Show everybody"
    ) in text
    assert "No person matches. Only these people were searched: status: active" in text_of(
        admin.get("/users?state=active&group=x")
    )
    assert "“zzz” must begin a word of the displayName or externalId. Show all groups" in text_of(
        admin.get("/groups?q=zzz")
    )


def test_a_total_beyond_a_thousand_is_not_counted(admin: Console, okta: ScimClient) -> None:
    create_users(okta, [f"p{number}@firm.example" for number in range(1000)])
    assert "1 to 50 of 1,000 people" in text_of(admin.get("/users?q=firm"))
    create_users(okta, ["one.more@firm.example"])
    assert "1 to 50 of 1,000+ people" in text_of(admin.get("/users?q=firm"))
    assert "1 to 50 of 1,000+ people" in text_of(admin.get("/users?q=firm&state=active"))
    assert "1 to 50 of 1,001 people" in text_of(admin.get("/users?state=active"))
    last = admin.get("/users?q=firm&page=21")
    assert "1,001 to 1,001 of 1,000+ people" in text_of(last)
    assert 'rel="next"' not in last.text and 'rel="next"' in admin.get("/users?q=firm&page=20").text


def read_csv(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


def test_people_are_exported_as_the_list_shows_them(admin: Console, staff: dict[str, str]) -> None:
    answer = admin.get("/users.csv?q=hansen&role=managed:admin")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert re.fullmatch(
        r'attachment; filename="perch-users-\d{4}-\d\d-\d\d\.csv"', answer.headers["Content-Disposition"]
    )
    assert answer.headers["Cache-Control"] == "no-store"
    karl, mette = read_csv(answer.text)
    assert mette["userName"] == "mette.hansen@example.com" and mette["id"] == staff["mette"]
    assert (mette["active"], mette["loginAllowed"], karl["active"], karl["loginAllowed"]) == ("yes", "yes", "no", "no")
    assert mette["roles"] == "managed:admin; managed:viewer" and mette["externalId"] == "00u7"
    assert mette["groups"] == "Customer Support; All of North"
    found = json.loads(admin.get("/users.json?q=hansen&role=managed:admin").text)
    assert [person["name"] for person in found] == ["Karl Hansen", "Mette Hansen"]
    assert found[1]["roles"] == ["managed:admin", "managed:viewer"] and found[1]["active"] is True
    assert found[0].keys() == karl.keys()


def test_groups_are_exported(admin: Console, staff: dict[str, str]) -> None:
    (group,) = json.loads(admin.get("/groups.json?role=managed:viewer").text)
    assert (group["displayName"], group["members"], group["roles"]) == ("Customer Support", 2, ["managed:viewer"])
    assert [row["displayName"] for row in read_csv(admin.get("/groups.csv").text)] == [
        "All of North",
        "Customer Support",
    ]


@pytest.mark.parametrize("kind", ["users", "groups"])
def test_an_empty_list_is_exported_with_its_columns(admin: Console, kind: str) -> None:
    assert json.loads(admin.get(f"/{kind}.json?q=nobody").text) == []
    assert admin.get(f"/{kind}.csv?q=nobody").text.startswith("\ufeffid,")
    assert admin.get(f"/{kind}.xml").status_code == 404


@pytest.mark.parametrize(
    "name",
    ['=HYPERLINK("http://evil")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "-", "=", "+45 12 34"],
)
def test_a_cell_that_would_be_a_formula_is_text(admin: Console, okta: ScimClient, name: str) -> None:
    user_id(okta, "ann", displayName=name, externalId="=1")
    (row,) = read_csv(admin.get("/users.csv").text)
    assert (row["name"], row["externalId"], row["userName"]) == (f"'{name}", "'=1", "ann")
    assert json.loads(admin.get("/users.json").text)[0]["name"] == name


@pytest.mark.parametrize("name", ['a "quoted", name; x', "line\nbreak", "Zoë 株式", "1=1", "'=x"])
def test_other_cells_stay_as_they_are(admin: Console, okta: ScimClient, name: str) -> None:
    user_id(okta, "ann", displayName=name)
    assert read_csv(admin.get("/users.csv").text)[0]["name"] == name


def test_an_export_reads_many_people_in_few_statements(
    admin: Console, okta: ScimClient, console_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_users(okta, [f"p{number:03}" for number in range(500)])
    with traced(console_app) as statements:
        found = read_csv(admin.get("/users.csv?sort=userName").text)
    assert [row["userName"] for row in found] == [f"p{number:03}" for number in range(500)]
    assert len(statements) < 30


def test_an_export_begins_before_it_is_read_to_its_end(
    admin: Console, okta: ScimClient, console_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "AT_ONCE", 10)
    ids = create_users(okta, [f"p{number:03}" for number in range(30)])
    answer = admin.client.get("/console/users.json?sort=userName", buffered=False)
    parts = answer.iter_encoded()
    assert b"p000" in next(parts)
    # No read is open in between: the same thread can write, and who is deleted meanwhile is left out.
    assert okta.delete(f"/Users/{ids[25]}").status == 204
    rest = b"".join(parts)
    assert b"p024" in rest and b"p025" not in rest and b"p029" in rest


def test_documents_that_are_large_together_are_exported_in_parts(
    admin: Console, okta: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.search.MOST_DOCUMENTS", 2000)
    create_users(okta, [f"p{number:02}" for number in range(40)], title="x" * 300)
    assert len(json.loads(admin.get("/users.json").text)) == 40


@pytest.mark.parametrize("path", ["/users.csv", "/users.json", "/groups.csv", "/groups.json"])
def test_an_export_needs_a_session(console_app: Flask, path: str) -> None:
    assert console_app.test_client().get(f"/console{path}").status_code == 303
