"""A migration stores an older file's text in the new form; when two names become one, the older resource has it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from flask import Flask

from storage.database import Database
from tests.conftest import MakeApp
from tests.make_fixture import FOLDER, WORKSPACE
from tests.storage.test_migrations import schema, unpack
from tests.support import old_file
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, run_json, scim_path
from tests.support.resources import patch, refused

PEOPLE, EVERY = 3000, 10
C, D = "\u00e9", "e\u0301"
# Names of users and groups in the order of creation; those in one row are one name now.
NAMES = {
    "composed first": [f"Ren{C}", f"ren{D}"],
    "decomposed first": [f"ad{D}le", f"Ad{C}le"],
    "three": [f"z{C}{C}", f"z{D}{C}", f"z{D}{D}"],
    "three, the last composed": [f"y{D}{D}", f"y{C}{D}", f"y{C}{C}"],
    "ASCII": ["a\u037eb", "a;b"],
    "Hangul": ["\u1112\u1161\u11ab", "\ud55c"],
}
EVERY_NAMES = pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
PATHS = pytest.mark.parametrize(("path", "key"), [("/Users", "userName"), ("/Groups", "displayName")])


@pytest.fixture
def old(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a file of version 0.1.0."""
    with closing(sqlite3.connect(unpack(FOLDER / "0.1.0.db.gz", tmp_path))) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


@pytest.fixture(scope="module")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Thousands of people, and the NAMES as users and as groups; their ids are their places."""
    path = unpack(FOLDER / "0.1.0.db.gz", tmp_path_factory.mktemp("old"))
    with closing(sqlite3.connect(path)) as connection, connection:
        old_file.insert(connection, old_file.people(PEOPLE, EVERY))
        for names in NAMES.values():
            for place, name in enumerate(names):
                user = {"id": f"u{identity(names)}{place}", "userName": name, "active": True}
                old_file.insert(connection, [user, {"id": f"g{identity(names)}{place}", "displayName": name}])
    database = Database(path)
    with database.read() as connection:
        assert connection.execute("SELECT count(*) FROM namesakes").fetchone() == (16,)
    database.close()
    return path.read_bytes()


@pytest.fixture
def migrated(migrated_file: bytes, tmp_path: Path, make_app: MakeApp) -> Flask:
    (tmp_path / "perch.db").write_bytes(migrated_file)
    app = make_app(PERCH_WORKSPACE=WORKSPACE)
    run_command(app, "workspace")
    return app


@pytest.fixture
def client(migrated: Flask) -> ScimClient:
    return ScimClient(wsgi_transport(migrated), scim_path(migrated), create_key(migrated, "after"), "generic")


def identity(names: list[str]) -> int:
    return list(NAMES.values()).index(names)


def ids(names: list[str], path: str) -> list[str]:
    return [f"{path[1].lower()}{identity(names)}{place}" for place in range(len(names))]


def found(client: ScimClient, path: str, text: str) -> list[str]:
    answer = client.get(f"{path}?filter={quote(text)}&count=1000")
    assert answer.status == 200, answer
    return [resource["id"] for resource in answer.body.get("Resources", [])]


@EVERY_NAMES
@PATHS
def test_every_spelling_finds_the_older(client: ScimClient, names: list[str], path: str, key: str) -> None:
    older, *newer = ids(names, path)
    for name in names:
        assert found(client, path, f'{key} eq "{name}"') == [older]
        refused(client.post(path, {key: name}), 409, "uniqueness", key)
    for name, identifier in zip(names, (older, *newer), strict=True):
        assert client.get(f"{path}/{identifier}").body[key] == name


@EVERY_NAMES
@PATHS
def test_all_can_be_written_under_their_own_names(client: ScimClient, names: list[str], path: str, key: str) -> None:
    for identifier, name in zip(ids(names, path), names, strict=True):
        for spelling in (name, *names):
            answer = client.put(f"{path}/{identifier}", {key: spelling, "externalId": "x"})
            assert (answer.status, answer.body[key]) == (200, spelling)
        assert client.patch(f"{path}/{identifier}", patch("replace", "externalId", "y")).status == 200
        assert found(client, path, f'{key} eq "{name}"') == ids(names, path)[:1]


@EVERY_NAMES
@PATHS
@pytest.mark.parametrize("way", ["delete", "rename"])
def test_the_name_passes_to_the_next(client: ScimClient, names: list[str], path: str, key: str, way: str) -> None:
    order = ids(names, path)
    for identifier, heir in zip(order, (*order[1:], ""), strict=True):
        assert found(client, path, f'{key} eq "{names[0]}"') == [identifier]
        if way == "delete":
            assert client.delete(f"{path}/{identifier}").status == 204
        else:
            assert client.put(f"{path}/{identifier}", {key: f"other {identifier}"}).status == 200
        assert found(client, path, f'{key} eq "{names[-1]}"') == [heir] * bool(heir)
    assert client.post(path, {key: names[0]}).status == 201


@EVERY_NAMES
@PATHS
@pytest.mark.parametrize("way", ["delete", "rename"])
def test_a_newer_one_goes_without_a_trace(client: ScimClient, names: list[str], path: str, key: str, way: str) -> None:
    older, *newer = ids(names, path)
    for identifier in newer:
        if way == "delete":
            assert client.delete(f"{path}/{identifier}").status == 204
        else:
            assert client.put(f"{path}/{identifier}", {key: f"other {identifier}"}).status == 200
            refused(client.put(f"{path}/{identifier}", {key: names[-1]}), 409, "uniqueness", key)
        assert found(client, path, f'{key} eq "{names[-1]}"') == [older]
    assert client.delete(f"{path}/{older}").status == 204
    assert found(client, path, f'{key} eq "{names[0]}"') == []


def test_the_doctor_names_both_until_one_goes(migrated: Flask, client: ScimClient) -> None:
    def texts() -> list[str]:
        findings = run_json(migrated, "doctor")["findings"]
        return [each["text"] for each in findings if each["check"] == "names" and each["level"] == "look"]

    named = texts()
    assert f"'Ren{C}' (u00) and 'ren{D}' (u01)" in named[0] and "find the first" in named[0]
    assert "11 more pairs" in named[-1]  # 8 of users and 8 of groups, of which 5 are named
    for identifier in ids(NAMES["composed first"], "/Users")[1:]:
        client.delete(f"/Users/{identifier}")
    assert not [text for text in texts() if f"Ren{C}" in text]


def test_all_text_is_folded_anew(client: ScimClient, migrated: Flask) -> None:
    decomposed = [f"id-{number}" for number in range(0, PEOPLE, EVERY)]
    assert found(client, "/Users", f'userName sw "jos{C}."') == decomposed
    assert found(client, "/Users", f'displayName sw "Jos{C}."') == decomposed
    assert found(client, "/Users", f'externalId sw "00u-jos{C}."') == decomposed
    assert found(client, "/Users", f'emails.value eq "JOS{D}.20@example.com"') == ["id-20"]
    assert found(client, "/Users", f'emails.value eq "jos{C}.20@home.example"') == ["id-20"]
    assert found(client, "/Users", 'userName eq "person.21@example.com"') == ["id-21"]
    assert client.get("/Users/id-20").body["emails"][1] == {"value": "jose\u0301.20@home.example"}
    assert client.get("/Users/id-20").body["meta"]["version"].startswith('W/"1.')
    entries = run_json(migrated, "journal", "--user", f"JOS{C}.20@example.com")
    assert [entry["resource"] for entry in entries] == ["id-20"]


def test_any_tool_can_check_the_file(migrated: Flask, tmp_path: Path, make_app: MakeApp) -> None:
    run_command(make_app(PERCH_DATABASE=str(tmp_path / "new.db")), "workspace")
    assert schema(tmp_path / "perch.db") == schema(tmp_path / "new.db")
    with closing(sqlite3.connect(tmp_path / "perch.db")) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
        assert plain.execute("SELECT count(*) FROM namesakes").fetchone() == (16,)
        assert plain.execute("SELECT userName FROM resources WHERE id = 'u11'").fetchone() == (f"ad{D}le",)
        with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
            copy.executescript("\n".join(plain.iterdump()))


def test_an_ordinary_file_has_no_namesakes(old: sqlite3.Connection, make_app: MakeApp) -> None:
    sql = "SELECT seq, version, userName, displayName, externalId, document FROM resources"
    before = old.execute(sql).fetchall()
    run_command(make_app(PERCH_WORKSPACE=WORKSPACE), "workspace")
    assert old.execute(sql).fetchall() == before
    assert old.execute("SELECT count(*) FROM namesakes").fetchone() == (0,)


def test_slugs_are_composed_unless_they_are_taken(old: sqlite3.Connection, make_app: MakeApp) -> None:
    seq = old_file.add(old, {"id": "ada", "userName": "ada", "active": True}, "ada")
    old_file.give(old, seq, [f"caf{D}", "th\u00e9", f"th{D}"])
    old.commit()
    app = make_app(PERCH_WORKSPACE=WORKSPACE)
    key = create_key(app, "after", "--idp", "generic", "--roles-as", "strings")
    client = ScimClient(wsgi_transport(app), scim_path(app), key, "generic")
    assert client.get("/Users/ada").body["roles"] == [f"caf{C}", f"th{C}", f"th{D}"]
    assert found(client, "/Users", f'roles eq "caf{D}"') == ["ada"]
    named = [each for each in run_json(app, "doctor")["findings"] if each["check"] == "names"]
    assert len(named) == 1 and r"'th\xe9' and 'the\u0301'" in named[0]["text"]
    run_command(app, "roles", "remove", "--force", f"th{D}")
    assert client.get("/Users/ada").body["roles"] == [f"caf{C}", f"th{C}"]
    with closing(sqlite3.connect(app.extensions["perch"].database.path)) as plain:
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
