"""/Groups: members, nesting, size, versions."""

from urllib.parse import urlencode

import pytest
from flask import Flask

from schemas.group import ACCESS_URN, URN
from tests.conftest import MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command
from tests.support.resources import BULK, Body, group, patch, refused, user


def test_an_unchanged_group_keeps_its_version(okta: ScimClient) -> None:
    ann = user(okta, "ann")["id"]
    one = group(okta, "G", ann)
    path = f"/Groups/{one['id']}"
    same = [
        ("PUT", {"displayName": "G", "members": [{"value": ann, "display": "x"}]}),
        ("PATCH", patch("add", "members", [{"value": ann}])),
        ("PATCH", patch("remove", "members", [{"value": "unknown"}])),
        ("PATCH", patch("replace", None, {"displayName": "G"})),
        (
            "PATCH",
            {
                "Operations": [
                    {"op": "remove", "path": "members"},
                    *patch("add", "members", [{"value": ann}])["Operations"],
                ]
            },
        ),
    ]
    for method, body in same:
        answer = okta.request(method, path, body)
        assert (answer.status, answer.body) == (200, one), body


def test_large_groups_are_patched_with_204(okta: ScimClient) -> None:
    people = [user(okta, f"u{number}")["id"] for number in range(201)]
    one = group(okta, "G", *people[:200])
    path = f"/Groups/{one['id']}"
    small = okta.patch(path, patch("replace", "displayName", "H"))
    assert (small.status, len(small.body["members"])) == (200, 200)
    large = okta.patch(path, patch("add", "members", [{"value": people[200]}]))
    assert (large.status, large.body) == (204, None)
    assert large.headers["ETag"] == okta.get(path).headers["ETag"]
    asked = okta.patch(path + "?attributes=displayName", patch("replace", "displayName", "I"))
    assert (asked.status, asked.body["displayName"]) == (200, "I")
    assert "members" not in okta.patch(path + "?excludedAttributes=members", patch("replace", "displayName", "J")).body
    assert okta.patch(path, patch("remove", f'members[value eq "{people[0]}"]')).status == 200


@pytest.mark.parametrize("name", ["$ref", "display", "type"])
def test_a_member_is_removed_by_any_of_its_sub_attributes(okta: ScimClient, name: str) -> None:
    one = group(okta, "G", user(okta, "ann", displayName="Ann")["id"])
    element = one["members"][0]
    answer = okta.patch(f"/Groups/{one['id']}", patch("remove", f'members[{name} eq "{element[name]}"]'))
    assert (answer.status, answer.body["members"]) == (200, [])


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_an_unknown_member_is_named_and_nothing_is_written(okta: ScimClient, method: str) -> None:
    one = group(okta, "G")
    body: Body = {"displayName": "H", "members": [{"value": user(okta, "ann")["id"]}, {"value": "no-such-id"}]}
    if method == "PATCH":
        body = patch("replace", None, body)
    answer = okta.request(method, "/Groups" if method == "POST" else f"/Groups/{one['id']}", body)
    refused(answer, 400, "invalidValue", "'no-such-id'")
    assert okta.get("/Groups").body["Resources"] == [okta.get(f"/Groups/{one['id']}").body]
    assert okta.get(f"/Groups/{one['id']}").body["meta"] == one["meta"]


def test_a_user_shows_direct_and_indirect_groups(okta: ScimClient) -> None:
    ann = user(okta, "ann", displayName="Ann")["id"]
    inner = group(okta, "Inner", ann)
    outer = group(okta, "Outer", inner["id"])
    assert [(g["display"], g["type"]) for g in okta.get(f"/Users/{ann}").body["groups"]] == [
        ("Inner", "direct"), ("Outer", "indirect"),
    ]  # fmt: skip
    (member,) = okta.get(f"/Groups/{outer['id']}").body["members"]
    assert (member["type"], member["display"]) == ("Group", "Inner")
    assert member["$ref"].endswith(f"/Groups/{inner['id']}")
    for question, names in (
        (f'groups.value eq "{outer["id"]}"', ["ann"]),
        ('groups.display eq "outer"', ["ann"]),
        ('groups[display eq "Outer" and type eq "direct"]', []),
        ('groups[display eq "Outer" and type eq "indirect"]', ["ann"]),
    ):
        found = okta.get("/Users?" + urlencode({"filter": question})).body["Resources"]
        assert [person["userName"] for person in found] == names, question


def test_circles_of_groups_are_allowed(okta: ScimClient) -> None:
    ann = user(okta, "ann")["id"]
    first = group(okta, "A", ann)["id"]
    second = group(okta, "B", first)["id"]
    assert okta.patch(f"/Groups/{first}", patch("add", "members", [{"value": second}, {"value": first}])).status == 200
    assert [(g["display"], g["type"]) for g in okta.get(f"/Users/{ann}").body["groups"]] == [
        ("A", "direct"), ("B", "indirect"),
    ]  # fmt: skip
    assert okta.get("/Users?" + urlencode({"filter": 'groups.display eq "B"'})).body["totalResults"] == 1
    assert okta.delete(f"/Groups/{first}").status == 204
    assert "groups" not in okta.get(f"/Users/{ann}").body


def test_a_delete_leaves_no_dangling_references(app: Flask, okta: ScimClient) -> None:
    ann, bob = (user(okta, name, emails=[{"value": f"{name}@x"}])["id"] for name in ("ann", "bob"))
    inner = group(okta, "Inner", ann, bob)["id"]
    outer = group(okta, "Outer", inner, ann)
    okta.delete(f"/Users/{ann}")
    after = okta.get(f"/Groups/{outer['id']}").body
    assert [member["value"] for member in after["members"]] == [inner]
    assert after["meta"]["version"].split(".")[0] != outer["meta"]["version"].split(".")[0]
    okta.delete(f"/Groups/{inner}")
    assert okta.get(f"/Groups/{outer['id']}").body["members"] == []
    with app.extensions["perch"].database.read() as connection:
        assert connection.execute("SELECT count(*) FROM members").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM emails").fetchone() == (1,)
    refused(okta.delete(f"/Users/{ann}"), 404)


def test_a_renamed_member_changes_the_entity_tag_of_its_group(okta: ScimClient) -> None:
    ann = user(okta, "ann", displayName="Ann")["id"]
    one = group(okta, "G", ann)
    okta.patch(f"/Users/{ann}", patch("replace", "displayName", "Anna"))
    answer = okta.get(f"/Groups/{one['id']}", {"If-None-Match": one["meta"]["version"]})
    assert (answer.status, answer.body["members"][0]["display"]) == (200, "Anna")


def shown(client: ScimClient, identifier: str, query: str = "") -> list[Body]:
    """Return a group as each read of a client shows it; `query` begins with `&`."""
    asked = {"filter": f'id eq "{identifier}"'} | dict(pair.split("=") for pair in query.split("&") if pair)
    listed = "/Groups?" + urlencode({"filter": asked["filter"]}) + query
    message = {name: value if name == "filter" else [value] for name, value in asked.items()}
    answers = [client.get(f"/Groups/{identifier}?{query}").body]
    lists = [client.get(listed), client.get(listed + "&cursor="), client.get(listed.replace("/Groups", "/"))]
    lists += [client.post(path, message) for path in ("/Groups/.search", "/.search")]
    return answers + [found for answer in lists for found in answer.body["Resources"]]


@pytest.mark.parametrize("roles_as", ["strings", "objects"])
def test_every_answer_says_that_a_group_has_no_members(make_client: MakeClient, roles_as: str) -> None:
    client = make_client("generic", "--roles-as", roles_as)
    one = group(client, "G")
    path, without = f"/Groups/{one['id']}", {"displayName": "G"}
    written = [one, client.put(path, without).body, client.put(path, {**without, "members": None}).body]
    for body in (patch("replace", "displayName", "H"), patch("remove", "members"), patch("replace", "members", [])):
        written.append(client.patch(path, body).body)
    found = written + shown(client, one["id"])
    assert len(found) == 12
    for body in found:
        assert (body["members"], list(body)[-1]) == ([], "meta")


def test_a_group_emptied_in_any_way_says_that_it_has_no_members(okta: ScimClient) -> None:
    ann = user(okta, "ann")["id"]
    emptied: list[Body | None] = [
        patch("remove", "members"),
        patch("remove", f'members[value eq "{ann}"]'),
        patch("remove", "members", [{"value": ann}]),
        patch("replace", None, {"members": []}),
        None,
    ]
    for number, body in enumerate(emptied):
        one = group(okta, f"G{number}", ann)
        path = f"/Groups/{one['id']}"
        answer = okta.patch(path, body) if body else okta.put(path, {"displayName": f"G{number}"})
        assert (answer.status, answer.body["members"], okta.get(path).body["members"]) == (200, [], []), body
    last = group(okta, "Last", ann)
    operations = [{"method": "PATCH", "path": f"/Groups/{last['id']}", "data": patch("remove", "members")}]
    assert okta.post("/Bulk", {"schemas": [BULK], "Operations": operations}).body["Operations"][0]["status"] == "200"
    assert okta.get(f"/Groups/{last['id']}").body["members"] == []
    other = group(okta, "Other", ann)
    okta.delete(f"/Users/{ann}")
    assert okta.get(f"/Groups/{other['id']}").body["members"] == []


@pytest.mark.parametrize(
    ("query", "present"),
    [
        ("attributes=members", True),
        ("attributes=members.value", True),
        (f"attributes={URN}:members", True),
        (f"attributes={URN}", True),
        ("excludedAttributes=members.display", True),
        ("excludedAttributes=displayName", True),
        ("attributes=displayName", False),
        ("excludedAttributes=members", False),
        (f"excludedAttributes={URN}:MEMBERS", False),
    ],
)
def test_projection_decides_about_the_members_of_an_empty_group(okta: ScimClient, query: str, present: bool) -> None:
    one = group(okta, "G")
    for body in shown(okta, one["id"], f"&{query}"):
        assert body.get("members", "absent") == ([] if present else "absent")


def test_members_of_which_no_part_is_asked_are_left_out(okta: ScimClient) -> None:
    one = group(okta, "G", user(okta, "ann")["id"])
    left_out = "excludedAttributes=members.value,members.$ref,members.display,members.type"
    assert "members" not in okta.get(f"/Groups/{one['id']}?{left_out}").body


@pytest.mark.parametrize("roles_as", ["strings", "objects"])
def test_only_a_group_that_gives_roles_has_the_access_extension(
    app: Flask, make_client: MakeClient, roles_as: str
) -> None:
    client = make_client("generic", "--roles-as", roles_as)
    one = group(client, f'G ","{ACCESS_URN}"', user(client, "ann")["id"])
    name, path = one["displayName"], f"/Groups/{one['id']}"
    for body in [one, client.put(path, one).body, *shown(client, one["id"]), client.get(f"{path}?attributes=id").body]:
        assert (body["schemas"], body.get(ACCESS_URN)) == ([URN], None)
        assert body.get("displayName", name) == name
    run_command(app, "roles", "assign", "--group", name, "managed:viewer")
    given = {"roles": [{"value": "managed:viewer", "display": "Viewer"}]}
    for body in [client.put(path, one).body, *shown(client, one["id"])]:
        assert (body["schemas"], body[ACCESS_URN]) == ([URN, ACCESS_URN], given)
    run_command(app, "roles", "unassign", "--group", name, "managed:viewer")
    for body in shown(client, one["id"]):
        assert (body["schemas"], body.get(ACCESS_URN)) == ([URN], None)


@pytest.mark.parametrize("filter_text", ['schemas eq "{}"', 'not (schemas ne "{}")', 'schemas co "access"'])
def test_a_filter_on_schemas_finds_what_is_shown(app: Flask, okta: ScimClient, filter_text: str) -> None:
    group(okta, "Plain")
    group(okta, "Giving")
    run_command(app, "roles", "assign", "--group", "Giving", "managed:viewer")
    asked = filter_text.format(ACCESS_URN)
    for endpoint in ("/Groups", "/"):
        found = okta.get(f"{endpoint}?" + urlencode({"filter": asked})).body
        assert [one["displayName"] for one in found["Resources"]] == ["Giving"], found
        other = okta.get(f"{endpoint}?" + urlencode({"filter": f"not ({asked})"})).body
        assert [one["displayName"] for one in other["Resources"]] == ["Plain"], other
    assert okta.get("/Groups?" + urlencode({"filter": f'schemas eq "{URN}"'})).body["totalResults"] == 2
    assert okta.get("/Roles?" + urlencode({"filter": asked})).body["totalResults"] == 0
