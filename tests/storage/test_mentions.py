"""A person is found in recorded requests by whole values; neighbours whose names only contain the name are not."""

import json
import time
from urllib.parse import quote

import pytest

from storage.mentions import Mentions

ID = "01a20c66-5a0e-7d53-8d0c-54a1f4a3a0a5"
NAMES = ["ann@x.org", "Ann", ID, "Ärmel+1@x.org", "7", 'a"b', "O'Neil"]
NEIGHBOURS = ["joann@x.org", "jo.ann@x.org", "ann@x.org.uk", "Ann Lee", "Joann", ID[:-1] + "6", "77", "ann+1@x.org"]


@pytest.fixture
def person() -> Mentions:
    return Mentions(NAMES)


@pytest.mark.parametrize("name", [*NAMES, "ANN@X.ORG", "ann", "ÄRMEL+1@X.ORG"])
def test_names_are_found_as_values_of_json_and_in_filters(person: Mentions, name: str) -> None:
    literal = json.dumps(name)
    assert person.in_body(json.dumps({"userName": name}))
    assert person.in_body(json.dumps({"emails": [{"value": name}]}, ensure_ascii=False))
    assert person.in_body(json.dumps({"Operations": [{"path": f"members[value eq {literal}]"}]}))
    assert person.in_body(json.dumps({"value": json.dumps({"value": name})}))
    assert person.in_body(json.dumps({"Operations": [{"path": f"/Users/{quote(name)}"}]})) or name == "7"
    assert person.in_body(f'{{"userName": {literal}, "displayName": "cut o')
    assert person.in_path(f"/w/scim/v2/Users/{quote(name)}")
    assert person.in_path(f"/w/scim/v2/Users?filter={quote(f'userName eq {literal}')}&count=2")
    assert person.in_path(f"/w/scim/v2/Users?FILTER=x+eq+{quote(literal)}")
    assert person.in_text(f"There is no User with the id '{name}'; it may have been deleted.")


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbours_are_not_found(person: Mentions, name: str) -> None:
    literal = json.dumps(name)
    document = {"userName": name, "emails": [{"value": name}], "detail": f"'{name}' is taken.", "note": f"for {name}"}
    assert not person.in_body(json.dumps(document))
    assert not person.in_body(json.dumps(document)[:-1])
    assert not person.in_body(json.dumps({"Operations": [{"path": f"members[value eq {literal}]"}]}))
    assert not person.in_path(f"/w/scim/v2/Users/{quote(name)}")
    assert not person.in_path(f"/w/scim/v2/Users?filter={quote(f'userName eq {literal}')}")
    assert not person.in_text(f"userName: another user already has '{name}', ignoring case.")


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (True, f"members: no user or group has the id {ID}, x; push these people first."),
        (True, "There is nothing at /w/scim/v2/Users/ann@x.org; check the path."),
        (True, "GET /Users?filter=userName%20eq%20%22ann%40x.org%22"),
        (True, "GET /Users?filter=userName%20eq%20ann@x.org"),
        (True, f"https://perch.example.com/w/scim/v2/Users/{ID}"),
        (False, "7 of 9 operations failed; the first: x"),
        (False, "count: must be between 0 and 7."),
        (False, None),
    ],
)  # fmt: skip
def test_sentences(person: Mentions, found: bool, text: str | None) -> None:
    assert person.in_text(text) is found


@pytest.mark.parametrize(
    ("found", "path"),
    [
        (False, "/w/scim/v2/Users?startIndex=7&count=7"),
        (False, "/w/scim/v2/Users?attributes=Ann"),
        (True, "/w/scim/v2/Users?filter=userName+eq+%22%C3%84rmel+1@x.org%22"),
        (True, "/w/scim/v2/Users?filter=userName eq ann@x.org"),
        (True, "/w/scim/v2/Users?ann@x.org"),
        (False, "/w/scim/v2/Users?filter=userName eq joann@x.org"),
    ],
)  # fmt: skip
def test_paths(person: Mentions, found: bool, path: str) -> None:
    assert person.in_path(path) is found


@pytest.mark.parametrize(
    ("found", "body"),
    [
        (False, '{"status": "7"}'),
        (False, '{"schemas": ["Ann"]}'),
        (True, r'{"userName": "\u0061nn@x.org"}'),
        (True, r'{"userName": "\u0061nn@x.org", "cut'),
        (True, "userName=ann%40x.org&a=b"),
        (False, "userName=joann%40x.org&a=b"),
        (True, f'{{"$ref": "https://h/w/scim/v2/Users/{ID}"}}'),
        (False, None),
    ],
)
def test_bodies(person: Mentions, found: bool, body: str | None) -> None:
    assert person.in_body(body) is found


@pytest.mark.parametrize(
    "text", ["/?=" * 2700, '{"a":' * 3000 + '"\\"' + "}" * 3000, '["' + "\\" * 16_000, "'" * 16_000, "%27" * 2700]
)
def test_hostile_texts_take_linear_time(person: Mentions, text: str) -> None:
    began = time.thread_time()
    for look in (person.in_body, person.in_path, person.in_text):
        assert not look(text)
    assert time.thread_time() - began < 1
