"""Lists: pages by index and by cursor, sorting, and searches over all types."""

import time
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask

from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.resources import BULK, create_users
from tests.support.statements import about_resources, traced

SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"


def names_of(body: Any) -> list[str]:
    return [found.get("userName") or found["displayName"] for found in body["Resources"]]


def page(client: ScimClient, path: str = "/Users", **query: Any) -> Any:
    answer = client.get(f"{path}?{urlencode(query)}")
    assert answer.status == 200, answer
    assert answer.body["itemsPerPage"] == len(answer.body["Resources"])
    return answer.body


@pytest.fixture
def client(make_app: MakeApp, make_client: MakeClient) -> ScimClient:
    """A client of a deployment without the fuse, since these tests delete many people."""
    return make_client("generic", app=make_app(PERCH_FUSE="off"))


# By index


@pytest.mark.parametrize(
    "query", ["count=1&count=2", "count=1&COUNT=2", "Count=1&count=", "count=1&startIndex=1&count=x"]
)
def test_the_first_of_a_repeated_parameter_counts(client: ScimClient, query: str) -> None:
    create_users(client, ["ada", "bob", "cy"])
    assert client.get(f"/Users?{query}").body["itemsPerPage"] == 1


@pytest.mark.parametrize(
    ("query", "first", "size", "start"),
    [
        ({}, "u000", 100, 1),
        ({"startIndex": 101}, "u100", 50, 101),
        ({"startIndex": 0, "count": 2}, "u000", 2, 1),
        ({"startIndex": -5, "count": 2}, "u000", 2, 1),
        ({"startIndex": 150, "count": 10}, "u149", 1, 150),
        ({"startIndex": 151}, None, 0, 151),
        ({"startIndex": 10**30}, None, 0, 2**63 - 1),
        ({"count": 0}, None, 0, 1),
        ({"count": -1}, None, 0, 1),
        ({"count": 10**30}, "u000", 150, 1),
        ({"STARTINDEX": 3, "Count": 1}, "u002", 1, 3),
        ({"startIndex": "", "count": ""}, "u000", 100, 1),
    ],
)
def test_a_page_by_index_has_its_start_and_size(
    client: ScimClient, query: dict[str, Any], first: str | None, size: int, start: int
) -> None:
    create_users(client, [f"u{number:03}" for number in range(150)])
    for more in ({}, {"filter": 'userName sw "U"'}, {"sortBy": "userName"}):
        found = page(client, **query, **more)
        assert (found["totalResults"], found["itemsPerPage"], found["startIndex"]) == (150, size, start)
        assert names_of(found)[:1] == ([first] if first else [])


@pytest.mark.parametrize(
    "query", [{"startIndex": "x"}, {"count": "1.5"}, {"count": "ten"}, {"startIndex": "1", "cursor": ""}]
)
def test_wrong_page_numbers_are_refused(client: ScimClient, query: dict[str, str]) -> None:
    answer = client.get(f"/Users?{urlencode(query)}")
    assert (answer.status, answer.body["scimType"]) == (400, "invalidValue")


def test_a_page_has_at_most_1000(client: ScimClient) -> None:
    create_users(client, [f"u{number:04}" for number in range(1001)])
    found = page(client, count=5000)
    assert (found["itemsPerPage"], found["totalResults"]) == (1000, 1001)


def test_deep_pages_skip_deleted_rows(client: ScimClient) -> None:
    """Totals and offsets come from counts per block of 1024 rows; deletions in every block must not shift them."""
    names = [f"u{number:04}" for number in range(3000)]
    ids = create_users(client, names)
    gone = {*range(0, 3000, 7), *range(1024, 2048)}
    operations = [{"method": "DELETE", "path": f"/Users/{ids[number]}"} for number in sorted(gone)]
    for start in range(0, len(operations), 1000):
        client.post("/Bulk", {"schemas": [BULK], "Operations": operations[start : start + 1000]})
    client.post("/Groups", {"displayName": "between"})
    names = [name for number, name in enumerate(names) if number not in gone] + fill_names(client)
    for start in (1, 2, 500, 870, 878, 879, 880, 1000, len(names) - 1, len(names), len(names) + 1, len(names) + 5000):
        found = page(client, startIndex=start, count=3)
        assert found["totalResults"] == len(names)
        assert names_of(found) == names[start - 1 : start + 2], start


def test_deep_pages_work_in_a_directory_of_many_blocks(app: Flask, client: ScimClient) -> None:
    """Offsets also use counts per 32 blocks, and the gaps between these people are as wide."""
    names = []
    for number in (1, 40_000, 70_000, 200_000):
        with app.extensions["perch"].database.write() as connection:
            connection.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'resources'", (number,))
        names += [f"u{number}-{place}" for place in range(3)]
        ids = create_users(client, names[-3:])
        client.delete(f"/Users/{ids[1]}")
        del names[-2]
    for start in range(1, len(names) + 3):
        found = page(client, startIndex=start, count=3)
        assert found["totalResults"] == len(names)
        assert names_of(found) == names[start - 1 : start + 2], start


def fill_names(client: ScimClient) -> list[str]:
    names = ["late-1", "late-2"]
    create_users(client, names)
    return names


# By cursor (RFC 9865)


def walk(client: ScimClient, change: Any = None, **query: Any) -> list[str]:
    """Return all names, read page by page; call `change` between pages."""
    found, cursor = [], ""
    while True:
        body = page(client, cursor=cursor, **query)
        assert "startIndex" not in body
        found += names_of(body)
        if "nextCursor" not in body:
            return found
        cursor = body["nextCursor"]
        assert cursor.replace(".", "").replace("-", "").replace("_", "").isalnum()
        if change:
            change()


@pytest.mark.parametrize("query", [{}, {"sortBy": "userName"}, {"sortBy": "userName", "sortOrder": "descending"}])
def test_a_cursor_skips_nobody_while_others_come_and_go(client: ScimClient, query: dict[str, str]) -> None:
    names = [f"u{number:02}" for number in range(40)]
    ids = dict(zip(names, create_users(client, names), strict=True))
    passing, going = iter(range(100)), iter([*names[1:8:2], *names[38:30:-2]])

    def change() -> None:
        number = next(passing)
        create_users(client, [f"a{number}", f"u20-{number}", f"z{number}"])
        client.delete(f"/Users/{ids[next(going)]}")

    found = walk(client, change, count=7, **query)
    assert len(found) == len(set(found))
    stayed = set(names_of(page(client, count=1000))) & set(names)
    assert stayed <= set(found)
    assert found == sorted(found, reverse=query.get("sortOrder") == "descending") or not query


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize("name", ["title", "active", "emails", "meta.created", "displayName"])
def test_pages_by_cursor_equal_pages_by_index(client: ScimClient, name: str, order: str) -> None:
    for number in range(30):
        body: dict[str, Any] = {"userName": f"u{number:02}", "active": number % 2 == 0}
        if number % 3:
            body |= {
                "title": f"T{number % 5}",
                "emails": [{"value": f"e{number % 4}@x"}],
                "displayName": f"d{number % 7}",
            }
        client.post("/Users", body)
    query = {"sortBy": name, "sortOrder": order}
    by_index = names_of(page(client, count=100, **query))
    assert walk(client, count=4, **query) == by_index
    pages = [names_of(page(client, startIndex=start, count=4, **query)) for start in range(1, 31, 4)]
    assert [found for names in pages for found in names] == by_index


@pytest.mark.parametrize("name", ["title", "emails", "name.formatted", "userName"])
def test_a_cursor_over_long_values_fits_into_a_url(generic: ScimClient, name: str) -> None:
    long = "\U0001f600" * (250 if name == "userName" else 16_000)
    for number in range(4):
        person = {"title": long, "emails": [{"value": long}], "name": {"formatted": long}}
        user_name = f"{long}{number}" if name == "userName" else f"u{number}"
        assert generic.post("/Users", {"userName": user_name, **(person if number else {})}).status == 201
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        assert len(cursor) < 6000
        page = generic.get(f"/Users?sortBy={name}&cursor={cursor}&count=1&attributes=userName").body
        found += [user["userName"][-1] for user in page["Resources"]]
        cursor = page.get("nextCursor")
    assert found == (["0", "1", "2", "3"] if name == "userName" else ["1", "2", "3", "0"])


def test_a_cursor_is_valid_for_its_query_only(client: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    create_users(client, [f"u{number}" for number in range(9)])
    cursor = page(client, cursor="", count=2, filter="userName pr")["nextCursor"]
    good = {"cursor": cursor, "count": 2, "filter": "userName pr"}
    assert len(page(client, **good)["Resources"]) == 2
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({**good, "cursor": "nonsense"}, "invalidCursor"),
        ({**good, "cursor": flipped}, "invalidCursor"),
        ({**good, "filter": "title pr"}, "invalidCursor"),
        ({**good, "sortBy": "title"}, "invalidCursor"),
        ({**good, "count": "x"}, "invalidCount"),
        ({**good, "count": "-1"}, "invalidCount"),
        ({**good, "count": "0"}, "invalidCount"),
    ]
    for query, kind in wrong:
        answer = client.get(f"/Users?{urlencode(query)}")
        assert (answer.status, answer.body["scimType"]) == (400, kind), query
    answer = client.get(f"/Groups?{urlencode({'cursor': cursor, 'filter': 'displayName pr'})}")
    assert answer.body["scimType"] == "invalidCursor"
    later = time.time() + 3601
    monkeypatch.setattr("scim.service.search.time.time", lambda: later)
    answer = client.get(f"/Users?{urlencode(good)}")
    assert (answer.status, answer.body["scimType"]) == (400, "expiredCursor")


# POST /.search (RFC 7644 section 3.4.3)


@pytest.fixture
def mixed(client: ScimClient) -> ScimClient:
    """Five people and four groups, created alternately."""
    for number in range(9):
        name = f"n{number}"
        if number % 2:
            client.post("/Groups", {"displayName": name})
        else:
            client.post("/Users", {"userName": name, "displayName": name, "title": "T"})
    return client


ALL = [f"n{number}" for number in range(9)]


def search(client: ScimClient, path: str = "/.search", **request: Any) -> Any:
    answer = client.post(path, {"schemas": [SEARCH], **request})
    assert answer.status == 200, answer
    return answer.body


def test_a_root_search_covers_all_types_by_index(mixed: ScimClient) -> None:
    found = search(mixed)
    assert (found["totalResults"], names_of(found)) == (9, ALL)
    assert {thing["meta"]["resourceType"] for thing in found["Resources"]} == {"User", "Group"}
    found = search(mixed, startIndex=3, count=4, sortBy="displayName", sortOrder="descending")
    assert (found["startIndex"], names_of(found)) == (3, ALL[::-1][2:6])
    assert names_of(search(mixed, filter='displayName gt "n6"')) == ["n7", "n8"]
    assert names_of(search(mixed, filter='meta.resourceType eq "Group"')) == ALL[1::2]


def test_a_root_search_covers_all_types_by_cursor(mixed: ScimClient) -> None:
    for order in ({}, {"sortBy": "displayName", "sortOrder": "descending"}, {"sortBy": "title"}):
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            body = search(mixed, cursor=cursor, count=2, **order)
            found += names_of(body)
            cursor = body.get("nextCursor")
        assert found == names_of(search(mixed, **order))
        assert sorted(found) == ALL


@pytest.mark.parametrize("root", ["", "/"])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"filter": 'displayName gt "n3"'},
        {"filter": 'title eq "T"', "sortBy": "displayName", "sortOrder": "descending"},
        {"startIndex": 3, "count": 4},
        {"count": 0},
        {"attributes": "displayName"},
        {"excludedAttributes": "meta,members"},
        {"cursor": "", "count": 2, "filter": 'meta.resourceType eq "Group"'},
        {"filter": 'noSuchThing eq "x"'},
        {"sortBy": "noSuchThing"},
        {"count": "ten"},
        {"cursor": "", "count": 0},
        {"cursor": "changed"},
    ],
)
def test_a_get_of_the_base_url_is_a_root_search(mixed: ScimClient, root: str, asked: dict[str, Any]) -> None:
    message = {name: value.split(",") if name.endswith("ttributes") else value for name, value in asked.items()}
    found, searched = mixed.get(f"{root}?{urlencode(asked)}"), mixed.post("/.search", message)
    assert (found.status, found.body) == (searched.status, searched.body)
    head = mixed.request("HEAD", f"{root}?{urlencode(asked)}")
    assert (head.status, head.body) == (found.status, None)
    if "nextCursor" in (found.body or {}):
        following = {**asked, "cursor": found.body["nextCursor"]}
        assert mixed.get(f"{root}?{urlencode(following)}").body == mixed.post("/.search", following).body


@pytest.mark.parametrize("root", ["", "/"])
def test_only_get_is_possible_at_the_base_url(mixed: ScimClient, root: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = mixed.request(method, root, {})
        assert (answer.status, "GET" in answer.headers["Allow"]) == (405, True)
    assert mixed.get(root, {"Authorization": None}).status == 401


def test_an_attribute_of_one_type_is_unassigned_in_the_other(mixed: ScimClient) -> None:
    assert names_of(search(mixed, filter='title eq "T"')) == ALL[0::2]
    assert names_of(search(mixed, filter='not (title eq "T")')) == ALL[1::2]
    assert names_of(search(mixed, filter='userName eq "n0" or displayName eq "n1"')) == ["n0", "n1"]
    refused = mixed.post("/.search", {"schemas": [SEARCH], "filter": 'noSuchThing eq "x"'})
    assert (refused.status, refused.body["scimType"]) == (400, "invalidFilter")


def test_a_search_returns_the_requested_attributes(mixed: ScimClient) -> None:
    for path in ("/.search", "/Users/.search", "/Groups/.search"):
        for thing in search(mixed, path, attributes=["displayName"])["Resources"]:
            assert thing.keys() == {"id", "schemas", "displayName"}
        for thing in search(mixed, path, excludedAttributes=["displayName", "meta"])["Resources"]:
            assert thing.keys().isdisjoint({"displayName", "meta"})


def test_a_mixed_page_costs_few_statements(app: Flask, make_client: MakeClient) -> None:
    client = make_client("generic")
    counts = []
    for number in range(2):
        create_users(client, [f"u{number}-{place}" for place in range(20)])
        with traced(app) as statements:
            search(client)
        counts.append(len(about_resources(statements)))
    assert counts[0] == counts[1] <= 8


@pytest.mark.parametrize("path", ["/Users", "/Groups", "/.search", "/Users/.search"])
def test_an_empty_list_is_a_complete_list_response(client: ScimClient, path: str) -> None:
    body = search(client, path) if path.endswith(".search") else page(client, path)
    assert body == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 0, "itemsPerPage": 0, "startIndex": 1, "Resources": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "scim_type"),
    [
        ({"sortBy": "noSuchThing"}, "invalidPath"),
        ({"sortBy": "name"}, "invalidPath"),
        ({"sortBy": 'emails[type eq "work"]'}, "invalidPath"),
        ({"sortBy": "userName", "sortOrder": "sideways"}, "invalidValue"),
        ({"filter": "noSuchThing pr"}, "invalidFilter"),
        ({"filter": "userName eq unquoted"}, "invalidFilter"),
        ({"filter": "userName eq"}, "invalidFilter"),
    ],
)
def test_wrong_queries_are_refused(client: ScimClient, query: dict[str, str], scim_type: str) -> None:
    answer = client.get(f"/Users?{urlencode(query)}")
    assert (answer.status, answer.body["scimType"]) == (400, scim_type), answer
