"""The cache of derived JSON: one text per host and shape of roles, bounded, never stale."""

import pytest
from flask import Flask

from scim.service import derived_cache
from scim.service.derived_cache import DerivedCache
from tests.conftest import MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command

SOURCE = ("User", 1, 7, "3", None)


def test_uncommitted_texts_are_not_cached() -> None:
    cache = DerivedCache()
    known = cache.of("https://a", "strings")
    cache.keep(known, {SOURCE: "text"}, committed=6)
    assert cache.of("https://a", "strings") == {}
    cache.keep(known, {SOURCE: "text"}, committed=7)
    assert cache.of("https://a", "strings") == {SOURCE: "text"}
    assert cache.of("https://b", "strings") == cache.of("https://a", "objects") == {}


def test_a_full_cache_is_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(derived_cache, "MOST", 100_000)
    cache = DerivedCache()
    for number in range(1000):
        known = cache.of("https://a", "strings")
        cache.keep(known, {("User", 1, number, "x" * 500, None): "y" * 500}, committed=number)
        assert len(cache.of("https://a", "strings")) < 100
    for number in range(1000):
        cache.of(f"https://{number}", "strings")
        assert len(cache._texts) <= 200


def test_each_host_and_each_key_gets_its_own_text(app: Flask, make_client: MakeClient, okta: ScimClient) -> None:
    user = okta.post("/Users", {"userName": "ann", "roles": ["managed:viewer"]}).body["id"]
    okta.post("/Groups", {"displayName": "G", "members": [{"value": user}]})
    generic = make_client("generic")
    for host in ("one.example", "two.example", "one.example"):
        found = okta.get(f"/Users/{user}", headers={"Host": host}).body
        assert found["groups"][0]["$ref"].startswith(f"http://{host}/")
        assert found["roles"] == ["managed:viewer"]
        assert generic.get(f"/Users/{user}", headers={"Host": host}).body["roles"][0]["value"] == "managed:viewer"


def test_changes_of_groups_and_roles_are_seen_at_once(app: Flask, okta: ScimClient) -> None:
    user = okta.post("/Users", {"userName": "ann"}).body["id"]
    inner = okta.post("/Groups", {"displayName": "Inner", "members": [{"value": user}]}).body["id"]
    outer = okta.post("/Groups", {"displayName": "Outer", "members": [{"value": inner}]}).body["id"]
    tags = set()

    def seen() -> tuple[set[str], set[str]]:
        answer = okta.get(f"/Users/{user}")
        assert answer.headers["ETag"] not in tags, "another body under the same entity tag"
        tags.add(answer.headers["ETag"])
        access = answer.body["urn:perch:scim:schemas:extension:access:1.0:User"]
        names = {role["display"] for role in access.get("effectiveRoles", ())}
        return {group["display"] for group in answer.body.get("groups", ())}, names

    assert seen() == ({"Inner", "Outer"}, set())
    run_command(app, "roles", "assign", "--group", "Outer", "managed:viewer")
    assert seen() == ({"Inner", "Outer"}, {"Viewer"})
    run_command(app, "roles", "edit", "managed:viewer", "--name", "Guest")
    assert seen() == ({"Inner", "Outer"}, {"Guest"})
    okta.put(f"/Groups/{outer}", {"displayName": "Top", "members": [{"value": inner}]})
    assert seen() == ({"Inner", "Top"}, {"Guest"})
    okta.put(f"/Groups/{outer}", {"displayName": "Top", "members": []})
    assert seen() == ({"Inner"}, set())
    run_command(app, "roles", "assign", "--user", "ann", "managed:editor")
    assert seen() == ({"Inner"}, {"Editor"})
    okta.delete(f"/Groups/{inner}")
    assert seen() == (set(), {"Editor"})
