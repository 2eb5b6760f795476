"""Users, groups and roles in the console: filters, pages, reasons, manual roles, and the journal."""

import re
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from storage.journal import Author
from tests.conftest import MakeApp
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_json, scim_path
from tests.support.console import PASSWORD, Console, text_of
from tests.support.resources import group_id, user_id

MARKUP = "<img src=x onerror=alert(1)>&\"'"


def person(client: ScimClient, name: str, **more: Any) -> str:
    return user_id(client, name, **{"displayName": name.partition("@")[0], **more})


def listed(admin: Console, query: str = "") -> list[str]:
    """Return the names of the people on a page, in order."""
    return re.findall(r'<th scope="row"><a href="/console/users/[^"]+">([^<]+)</a>', admin.get(f"/users{query}").text)


@pytest.fixture
def staff(okta: ScimClient, admin: Console) -> dict[str, str]:
    ids = {
        "ada": person(okta, "ada@x.example", roles=["managed:admin"], emails=[{"value": "countess@x.example"}]),
        "ben": person(okta, "ben@x.example"),
        "cyd": person(okta, "cyd@x.example", active=False, roles=["managed:editor"]),
        "dan": person(okta, "Dan@x.example"),
        "eve": person(okta, "eve@x.example"),
    }
    inner = group_id(okta, "Inner", ids["dan"])
    outer = group_id(okta, "Outer", inner, ids["ben"])
    admin.post(f"/groups/{outer}/roles", {"slug": "managed:viewer"})
    return {**ids, "inner": inner, "outer": outer}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["ada", "ben", "cyd", "Dan", "eve"]),
        ("?state=active", ["ada", "ben", "Dan", "eve"]),
        ("?state=deactivated", ["cyd"]),
        ("?state=login", ["ada", "ben", "Dan"]),
        ("?role=no role", ["eve"]),
        ("?state=nonsense", ["ada", "ben", "cyd", "Dan", "eve"]),
        ("?role=managed:viewer", ["ben", "Dan"]),
        ("?role=managed:admin", ["ada"]),
        ("?role=nothing", []),
        ("?group={inner}", ["Dan"]),
        ("?group={outer}", ["ben", "Dan"]),
        ("?q=da", ["Dan"]),
        ("?q=DAN%40", ["Dan"]),
        ("?q=countess", ["ada"]),
        ("?q=lovelace", []),
        ("?q=%22", []),
        ("?q=%5C", []),
        ("?q=e&role=no role", ["eve"]),
        ("?sort=name&dir=down", ["eve", "Dan", "cyd", "ben", "ada"]),
        ("?sort=userName", ["ada", "ben", "cyd", "Dan", "eve"]),
        ("?sort=userName&dir=down", ["eve", "Dan", "cyd", "ben", "ada"]),
        ("?sort=created&dir=down", ["eve", "Dan", "cyd", "ben", "ada"]),
        ("?sort=document", ["ada", "ben", "cyd", "Dan", "eve"]),
        ("?page=2", []),
        ("?page=x", ["ada", "ben", "cyd", "Dan", "eve"]),
    ],
)
def test_the_list_of_people(admin: Console, staff: dict[str, str], query: str, names: list[str]) -> None:
    assert listed(admin, query.format(**staff)) == names


def test_pages_follow_each_other_and_keep_what_was_asked(admin: Console, okta: ScimClient) -> None:
    for number in range(120):
        person(okta, f"p{number:03}@x.example")
    seen: list[str] = []
    path = "/users?state=active&sort=userName"
    for _ in range(3):
        answer = admin.get(path)
        seen += re.findall(r'<th scope="row"><a[^>]+>([^<]+)</a>', answer.text)
        following = re.search(r'rel="next" href="/console([^"]+)"', answer.text)
        path = following[1].replace("&amp;", "&") if following else ""
    assert path == ""
    assert seen == [f"p{number:03}" for number in range(120)]
    assert "101 to 120 of 120 people" in text_of(answer)
    assert "state=active" in answer.text


def test_a_column_sorts_one_way_and_then_the_other(admin: Console, staff: dict[str, str]) -> None:
    first = admin.get("/users").text
    assert 'aria-sort="ascending"' in first
    assert 'href="/console/users?sort=name&amp;dir=down"' in first
    assert 'aria-sort="descending"' in admin.get("/users?sort=name&dir=down").text


def test_a_person_has_each_role_with_its_reason(admin: Console, staff: dict[str, str]) -> None:
    text = text_of(admin.get(f"/users/{staff['ada']}"))
    assert "Admin managed:admin Assigned over SCIM by key Okta" in text
    assert "May log in" in text
    text = text_of(admin.get(f"/users/{staff['dan']}"))
    assert "Viewer managed:viewer Through the groups Inner in Outer , given by the console" in text
    assert "Inner member Outer through an inner group" in text
    assert "eve has no role and may not log in." in text_of(admin.get(f"/users/{staff['eve']}"))
    assert "Deactivated people may not log in" in text_of(admin.get(f"/users/{staff['cyd']}"))


def test_a_role_is_assigned_manually_and_withdrawn(admin: Console, okta: ScimClient, staff: dict[str, str]) -> None:
    path = f"/users/{staff['eve']}"
    assert "eve@x.example now has the role 'managed:analyst'." in text_of(
        admin.post(f"{path}/roles", {"slug": "managed:analyst"})
    )
    text = text_of(admin.get(path))
    assert "Analyst managed:analyst Assigned manually by the console since" in text
    assert "Role assigned by the console" in text
    assert "roles.manual after: managed:analyst" in text
    access = okta.get(path[6:].join(("/Users", ""))).body["urn:perch:scim:schemas:extension:access:1.0:User"]
    assert access["loginAllowed"] is True
    assert "is already assigned manually" in text_of(admin.post(f"{path}/roles", {"slug": "managed:analyst"}))
    assert "is withdrawn" in text_of(admin.post(f"{path}/roles/withdraw", {"slug": "managed:analyst"}))
    assert "is not assigned manually" in text_of(admin.post(f"{path}/roles/withdraw", {"slug": "managed:analyst"}))
    assert "before: managed:analyst" in text_of(admin.get(path))


def test_only_manual_roles_can_be_withdrawn(admin: Console, staff: dict[str, str]) -> None:
    assert "Withdraw" not in text_of(admin.get(f"/users/{staff['ada']}"))
    assert "is not assigned manually" in text_of(
        admin.post(f"/users/{staff['ada']}/roles/withdraw", {"slug": "managed:admin"})
    )
    assert "Admin managed:admin Assigned over SCIM" in text_of(admin.get(f"/users/{staff['ada']}"))


@pytest.mark.parametrize("path", ["/users/{eve}/roles", "/groups/{inner}/roles"])
def test_an_unknown_role_is_a_friendly_error(admin: Console, staff: dict[str, str], path: str) -> None:
    answer = admin.post(path.format(**staff), {"slug": "nothing"})
    assert answer.status_code == 404
    assert "There is no role 'nothing'" in text_of(answer)


def test_history_shows_before_and_after(admin: Console, okta: ScimClient, staff: dict[str, str]) -> None:
    okta.put(f"/Users/{staff['ben']}", {"userName": "ben@x.example", "name": {"familyName": "Old"}})
    okta.put(f"/Users/{staff['ben']}", {"userName": "ben@x.example", "name": {"familyName": "New"}})
    text = text_of(admin.get(f"/users/{staff['ben']}"))
    assert "name.familyName before: Old → after: New" in text
    assert "displayName before: ben" in text


def test_a_long_history_has_pages(admin: Console, okta: ScimClient, staff: dict[str, str]) -> None:
    for number in range(25):
        okta.put(f"/Users/{staff['ben']}", {"userName": "ben@x.example", "title": f"title {number}"})
    first = admin.get(f"/users/{staff['ben']}")
    older = re.search(r'class="button quiet" href="/console(/users/[^"]+before=\d+)#', first.text)
    assert older
    assert "title 24" in text_of(first) and "title 1 " not in text_of(first)
    assert "title 1 " in text_of(admin.get(older[1]))


def test_groups_show_members_and_their_roles(admin: Console, staff: dict[str, str]) -> None:
    text = text_of(admin.get("/groups"))
    assert "Inner 1 none" in text
    assert "Outer 2 Viewer" in text
    outer = text_of(admin.get(f"/groups/{staff['outer']}"))
    assert "Viewer managed:viewer From this group, given by the console" in outer
    assert "inner group" in outer
    inner = text_of(admin.get(f"/groups/{staff['inner']}"))
    assert "From the outer group Outer" in inner
    assert "Dan@x.example" in inner
    assert "This group gives no role." not in inner
    assert re.findall(r'<th scope="row"><a[^>]+>([^<]+)', admin.get("/groups?q=in").text) == ["Inner"]


def test_a_groups_role_reaches_its_members_and_leaves_them(admin: Console, staff: dict[str, str]) -> None:
    path = f"/groups/{staff['inner']}/roles"
    assert "Every member of Inner now has the role 'managed:analyst'." in text_of(
        admin.post(path, {"slug": "managed:analyst"})
    )
    assert listed(admin, "?role=managed:analyst") == ["Dan"]
    assert "already has that role" in text_of(admin.post(path, {"slug": "managed:analyst"}))
    assert "is withdrawn from Inner" in text_of(admin.post(f"{path}/withdraw", {"slug": "managed:analyst"}))
    assert listed(admin, "?role=managed:analyst") == []


def test_members_have_pages(admin: Console, okta: ScimClient) -> None:
    ids = [person(okta, f"p{number:03}@x.example") for number in range(60)]
    path = f"/groups/{group_id(okta, 'All', *ids)}"
    assert "1 to 50 of 60 members" in text_of(admin.get(path))
    second = text_of(admin.get(f"{path}?page=2"))
    assert "51 to 60 of 60 members" in second
    assert "p059@x.example" in second and "p020@x.example" not in second


def test_the_catalogue_is_a_table_with_each_slug_in_sight(admin: Console, staff: dict[str, str]) -> None:
    page = admin.get("/roles")
    text = text_of(page)
    assert text.index("New role") < text.index("Inbox agent Answers conversations in the inbox. managed:inbox_agent")
    assert "Viewer May look, not change. managed:viewer Copy 1 group" in text
    assert "Admin May change everything in the workspace. managed:admin Copy 1 assignment" in text
    assert "Analyst Reads reports and exports them. managed:analyst Copy nobody" in text
    assert 'data-copy="managed:analyst"' in page.text and "<details" not in page.text


@pytest.mark.parametrize("form", [{}, {"slug": " "}, {"slug": ""}])
@pytest.mark.parametrize("path", ["/users/{eve}", "/groups/{inner}"])
def test_no_role_is_chosen_beforehand(admin: Console, staff: dict[str, str], path: str, form: dict[str, str]) -> None:
    place = path.format(**staff)
    select = re.search(r'<select id="slug"[^>]* required>(<option[^>]*>[^<]*)', admin.get(place).text)
    assert select and select[1] == '<option value="">Choose a role'
    assert " selected" not in select[0]
    assert "Choose a role first." in text_of(admin.post(f"{place}/roles", form))
    assert "Role assigned by the console" not in text_of(admin.get(f"/users/{staff['eve']}"))
    assert listed(admin, "?role=managed:admin") == ["ada"]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("slug=managed:analyst", ["1 person gains the role : Dan@x.example.", "Who may log in does not change."]),
        ("slug=managed:viewer", ["Nobody gains or loses a role"]),
        ("slug=managed:analyst&do=withdraw", ["Nobody gains or loses a role"]),
    ],
)
def test_a_group_shows_who_a_role_reaches_first(
    admin: Console, staff: dict[str, str], query: str, told: list[str]
) -> None:
    text = text_of(admin.get(f"/groups/{staff['inner']}/roles?{query}"))
    for sentence in told:
        assert sentence in text
    assert listed(admin, "?role=managed:analyst") == []


def test_a_group_shows_who_may_log_in_and_who_no_longer(
    admin: Console, okta: ScimClient, staff: dict[str, str]
) -> None:
    team = group_id(okta, "Team", staff["eve"], staff["cyd"], staff["ada"], staff["outer"])
    first = admin.get(f"/groups/{team}/roles?slug=managed:analyst")
    text = text_of(first)
    assert "Assign 'Analyst' to Team?" in text
    assert "5 people gain the role" in text
    assert "1 person may then log in, and may not now : eve@x.example." in text
    assert listed(admin, "?role=managed:analyst") == []
    admin.post(f"/groups/{team}/roles", {"slug": "managed:analyst"})
    assert sorted(listed(admin, "?role=managed:analyst")) == ["Dan", "ada", "ben", "cyd", "eve"]
    text = text_of(admin.get(f"/groups/{team}/roles?slug=managed:analyst&do=withdraw"))
    assert "Withdraw 'Analyst' from Team?" in text
    assert "5 people lose the role" in text and "1 person may no longer log in : eve@x.example." in text


def test_a_role_by_hand_only_is_withdrawn_from_a_group_but_not_assigned(
    admin: Console, console_app: Flask, staff: dict[str, str]
) -> None:
    with console_app.extensions["perch"].repository.writing(Author("command:x", "r")) as write:
        write.edit_role("managed:viewer", None, None, "hand")
    refused = admin.get(f"/groups/{staff['inner']}/roles?slug=managed:viewer")
    assert refused.status_code == 409 and "no group may carry it" in text_of(refused)
    asked = admin.get(f"/groups/{staff['outer']}/roles?slug=managed:viewer&do=withdraw")
    assert "Withdraw 'Viewer' from Outer?" in text_of(asked)


def test_a_group_without_a_chosen_role_is_told_so(admin: Console, staff: dict[str, str]) -> None:
    answer = admin.get(f"/groups/{staff['inner']}/roles?slug=", follow_redirects=True)
    assert "Choose a role first." in text_of(answer)
    assert admin.get(f"/groups/{staff['inner']}/roles?slug=nothing").status_code == 404


def test_a_role_is_created_edited_and_removed(admin: Console, console_app: Flask) -> None:
    form = {"name": "Billing reader", "slug": "billing:reader", "description": "Sees invoices."}
    assert "its slug is billing:reader" in text_of(admin.post("/roles", form))
    edited = admin.post("/role?slug=billing:reader", {"name": "Reads bills", "description": ""})
    assert "The role is saved." in text_of(edited)
    found = {role["slug"]: role for role in run_json(console_app, "roles", "list")}
    assert found["billing:reader"] == {
        "slug": "billing:reader",
        "name": "Reads bills",
        "description": None,
        "grantedBy": "any",
    }
    assert "Nobody has the role" in text_of(admin.get("/role/remove?slug=billing:reader"))
    assert "is removed" in text_of(admin.post("/role/remove?slug=billing:reader"))
    assert "billing:reader" not in [role["slug"] for role in run_json(console_app, "roles", "list")]
    journal = text_of(admin.get("/journal?type=Role"))
    assert "Billing reader created by the console" in journal and "Reads bills deleted by the console" in journal


@pytest.mark.parametrize(
    ("form", "status", "told"),
    [
        ({"name": "X", "slug": "has space"}, 400, "without spaces"),
        ({"name": "X", "slug": ""}, 400, "without spaces"),
        ({"name": "X", "slug": ".."}, 400, "without spaces"),
        ({"name": " ", "slug": "x"}, 400, "needs a name"),
        ({"name": "X", "slug": "managed:admin"}, 409, "exists already"),
    ],
)
def test_a_wrong_role_says_what_is_wrong_and_keeps_the_form(
    admin: Console, form: dict[str, str], status: int, told: str
) -> None:
    answer = admin.post("/roles", form)
    assert answer.status_code == status
    assert told in text_of(answer)
    assert f'value="{form["slug"]}"' in answer.text


def test_an_empty_name_is_refused_on_edit(admin: Console) -> None:
    answer = admin.post("/role?slug=managed:admin", {"name": " "})
    assert answer.status_code == 400
    assert "needs a name" in text_of(answer)


def test_removing_a_held_role_must_be_confirmed(admin: Console, staff: dict[str, str]) -> None:
    text = text_of(admin.get("/role/remove?slug=managed:viewer"))
    assert "2 people lose the role : ben@x.example, Dan@x.example." in text
    assert "2 people may no longer log in : ben@x.example, Dan@x.example." in text
    refused = text_of(admin.post("/role/remove?slug=managed:viewer"))
    assert "is in use: group Outer" in refused
    assert "is removed" in text_of(admin.post("/role/remove?slug=managed:viewer", {"force": "on"}))
    assert listed(admin, "?state=login") == ["ada"]


@pytest.mark.parametrize("held", [False, True])
def test_removing_a_role_that_rules_give_says_so(
    admin: Console, console_app: Flask, okta: ScimClient, held: bool
) -> None:
    if held:
        group_id(okta, "Team Red", person(okta, "ann@x.example"))
    with console_app.extensions["perch"].repository.writing(Author("command:x", "r")) as write:
        write.set_rule("team*", ["managed:viewer"])
        write.set_rule("other", ["managed:editor"])
    page = admin.get("/role/remove?slug=managed:viewer")
    assert "These rules by group name give it, and no longer will: team* ." in text_of(page)
    whom = "everybody who has it, and from these rules" if held else "these rules"
    assert f"Withdraw it from {whom} Remove role" in text_of(page)
    assert "is removed" in text_of(admin.post("/role/remove?slug=managed:viewer", {"force": "on"}))
    assert "team*" not in text_of(admin.get("/roles"))


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("reject", "refuses requests that still send"),
        ("create", "creates the role again"),
        ("ignore", "ignores the slug"),
    ],
)
def test_removing_a_role_says_what_happens_to_its_slug(make_app: MakeApp, setting: str, told: str) -> None:
    console = Console(make_app(PERCH_ADMIN_PASSWORD=PASSWORD, PERCH_UNKNOWN_ROLES=setting))
    console.sign_in()
    assert told in text_of(console.get("/role/remove?slug=managed:viewer"))


def test_a_role_names_its_holders_and_why(admin: Console, staff: dict[str, str]) -> None:
    admin.post(f"/users/{staff['eve']}/roles", {"slug": "managed:viewer"})
    text = text_of(admin.get("/role?slug=managed:viewer"))
    assert "People in total 3 people" in text
    assert "Outer All members of the group the console" in text
    assert "eve Assigned manually the console" in text


@pytest.mark.parametrize("slug", ["a/b", "a//b", "...", "a?b&c=d#e", "%2F", "\u2603", "<b>", '"', "a+b"])
def test_any_slug_has_a_page(admin: Console, slug: str) -> None:
    assert "is in the catalogue" in text_of(admin.post("/roles", {"name": "Odd", "slug": slug}))
    link = f'href="/console/role?slug={quote(slug, safe="/:~._-!$()*,;@")}"'
    assert admin.get(f"/role?slug={quote(slug, safe='')}").status_code == 200, link
    assert "is saved" in text_of(admin.post(f"/role?slug={quote(slug, safe='')}", {"name": "Odder"}))


def test_markup_stays_text_everywhere(admin: Console, okta: ScimClient) -> None:
    identifier = person(okta, MARKUP, displayName=MARKUP, title=MARKUP, externalId=MARKUP, roles=["managed:admin"])
    team = group_id(okta, MARKUP, identifier)
    admin.post("/roles", {"name": MARKUP, "slug": "<script>x</script>", "description": MARKUP})
    admin.post(f"/users/{identifier}/roles", {"slug": "<script>x</script>"})
    admin.post(f"/groups/{team}/roles", {"slug": "<script>x</script>"})
    for path in (
        "/", "/users", f"/users/{identifier}", "/groups", f"/groups/{team}", "/roles", "/okta", "/journal",
        "/role?slug=%3Cscript%3Ex%3C/script%3E", "/role/remove?slug=%3Cscript%3Ex%3C/script%3E",
        f"/users?q={quote(MARKUP)}", f"/users?role={quote(MARKUP)}", f"/users?group={team}",
        f"/journal?name={quote(MARKUP)}",
    ):  # fmt: skip
        answer = admin.get(path)
        assert answer.status_code == 200, path
        assert "<img src=x" not in answer.text and "<script>x" not in answer.text, path
        assert "onerror=alert" not in re.sub(r"&lt;.*?&gt;", "", answer.text), path


def test_the_journal_is_filtered(admin: Console, okta: ScimClient, staff: dict[str, str]) -> None:
    okta.delete(f"/Users/{staff['eve']}")
    assert "eve@x.example deleted by key Okta" in text_of(admin.get("/journal"))
    assert "ada@x.example" not in text_of(admin.get("/journal?name=EVE@x.example"))
    only = text_of(admin.get("/journal?action=delete"))
    assert "eve@x.example deleted" in only and "created" not in only.partition("Search")[2]
    assert "Inner created" in text_of(admin.get("/journal?type=Group"))
    gone = text_of(admin.get(f"/journal?resource={staff['eve']}"))
    assert "eve@x.example created" in gone and "Outer" not in gone
    assert "No journal entry matches" in text_of(admin.get("/journal?name=nobody"))
    assert admin.get(f"/users/{staff['eve']}").status_code == 404


def test_the_journal_has_pages(admin: Console, okta: ScimClient) -> None:
    for number in range(60):
        person(okta, f"p{number:03}@x.example")
    older = re.search(r'href="/console(/journal\?before=\d+)"', admin.get("/journal").text)
    assert older
    page = text_of(admin.get(older[1]))
    assert "p009@x.example" in page and "p010@x.example" not in page


def test_the_overview_counts_and_its_checklist_fills_itself(admin: Console, console_app: Flask) -> None:
    text = text_of(admin.get("/"))
    assert "0 people 0 active 0 may log in 0 without a role 0 groups 5 roles" in text
    assert text.count(": to do") == 5
    assert scim_path(console_app) in text
    okta = ScimClient(wsgi_transport(console_app), scim_path(console_app), create_key(console_app, "Okta"), "okta")
    assert "Access key created : done" in text_of(admin.get("/"))
    ada = person(okta, "ada@x.example")
    text = text_of(admin.get("/"))
    assert "Provider connected : done First person pushed : done Roles mapped : to do" in text
    assert "1 person 1 active 0 may log in 1 without a role" in text
    okta.patch(f"/Users/{ada}", {"Operations": [{"op": "add", "path": "roles", "value": ["managed:admin"]}]})
    group_id(okta, "Team", ada)
    text = text_of(admin.get("/"))
    assert text.count(": done") == 5
    assert "1 may log in 0 without a role 1 group 5 roles" in text
