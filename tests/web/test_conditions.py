"""Entity tags and conditional requests (RFC 7644 section 3.14, RFC 9110 section 13)."""

import pytest

from tests.support.client import ScimClient
from tests.support.resources import Body, group, patch, refused, user

CHANGES: dict[str, Body | None] = {
    "PUT": {"userName": "ann", "title": "T"},
    "PATCH": patch("replace", "title", "T"),
    "DELETE": None,
}


def tag_of(kind: str, current: str) -> str:
    """Return a header's value of that kind for a resource whose entity tag is `current`."""
    version = current.removeprefix('W/"').split(".")[0]
    return {
        "current": current,
        "strong": current.removeprefix("W/"),
        "bare": current.removeprefix("W/").strip('"'),
        "listed": f'W/"7.7", {current}',
        "star": "*",
        "other epoch": f'W/"{version}.99"',
        "old": 'W/"0.0"',
        "old list": 'W/"0.0", "77.1"',
        "nonsense": "[]",
    }[kind]


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize("kind", ["current", "strong", "bare", "listed", "star", "other epoch"])
def test_a_matching_if_match_passes(okta: ScimClient, method: str, kind: str) -> None:
    ann = user(okta, "ann")
    condition = {"If-Match": tag_of(kind, ann["meta"]["version"])}
    assert okta.request(method, f"/Users/{ann['id']}", CHANGES[method], condition).status in (200, 204)


@pytest.mark.parametrize("method", [*CHANGES, "GET"])
@pytest.mark.parametrize("kind", ["old", "old list", "nonsense"])
def test_a_stale_if_match_is_412(okta: ScimClient, method: str, kind: str) -> None:
    ann = user(okta, "ann")
    path = f"/Users/{ann['id']}"
    answer = okta.request(method, path, CHANGES.get(method), {"If-Match": tag_of(kind, ann["meta"]["version"])})
    refused(answer, 412, detail="If-Match: the resource has changed")
    assert okta.get(path).body == ann


@pytest.mark.parametrize("kind", ["current", "strong", "bare", "listed", "star"])
def test_a_matching_if_none_match_is_304(okta: ScimClient, kind: str) -> None:
    ann = user(okta, "ann")
    answer = okta.get(f"/Users/{ann['id']}", {"If-None-Match": tag_of(kind, ann["meta"]["version"])})
    assert (answer.status, answer.body, answer.headers["ETag"]) == (304, None, ann["meta"]["version"])


@pytest.mark.parametrize("kind", ["old", "old list", "nonsense", "other epoch"])
def test_a_stale_if_none_match_gets_the_resource(okta: ScimClient, kind: str) -> None:
    ann = user(okta, "ann")
    answer = okta.get(f"/Users/{ann['id']}", {"If-None-Match": tag_of(kind, ann["meta"]["version"])})
    assert (answer.status, answer.body) == (200, ann)


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize(("kind", "passes"), [("current", False), ("star", False), ("old", True)])
def test_if_none_match_guards_writes(okta: ScimClient, method: str, kind: str, passes: bool) -> None:
    ann = user(okta, "ann")
    condition = {"If-None-Match": tag_of(kind, ann["meta"]["version"])}
    answer = okta.request(method, f"/Users/{ann['id']}", CHANGES[method], condition)
    if passes:
        assert answer.status in (200, 204)
    else:
        refused(answer, 412)
        assert okta.get(f"/Users/{ann['id']}").body == ann


def test_conditions_work_for_groups_and_roles(okta: ScimClient) -> None:
    one = group(okta, "G")
    path = f"/Groups/{one['id']}"
    refused(okta.patch(path, patch("replace", "displayName", "H"), {"If-Match": 'W/"9.9"'}), 412)
    refused(okta.delete(path, {"If-Match": 'W/"9.9"'}), 412)
    assert okta.get(path, {"If-None-Match": one["meta"]["version"]}).status == 304
    role = okta.get("/Roles/managed:admin")
    assert okta.get("/Roles/managed:admin", {"If-None-Match": role.headers["ETag"]}).status == 304


def test_the_entity_tag_equals_meta_version(okta: ScimClient) -> None:
    created = okta.post("/Users", {"userName": "ann"})
    path = f"/Users/{created.body['id']}"
    answers = [
        created, okta.get(path), okta.put(path, CHANGES["PUT"]), okta.patch(path, patch("replace", "title", "X")),
    ]  # fmt: skip
    for answer in answers:
        assert answer.headers["ETag"] == answer.body["meta"]["version"]
    versions = [answer.body["meta"]["version"] for answer in answers]
    assert versions[0] == versions[1]
    assert len(set(versions)) == 3
