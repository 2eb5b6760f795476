"""/Groups: members, nesting, size, versions."""

from urllib.parse import urlencode

import pytest
from flask import Flask

from tests.support.client import ScimClient
from tests.support.resources import Body, group, patch, refused, user


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
    assert (answer.status, "members" in answer.body) == (200, False)


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
    assert "members" not in okta.get(f"/Groups/{outer['id']}").body
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
