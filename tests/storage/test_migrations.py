"""A database of each released version can be migrated and answers as before."""

import gzip
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from scim.settings import VERSION
from storage.errors import NewerFile
from storage.migrations import known
from tests.conftest import MakeApp, MakeServer
from tests.make_fixture import FOLDER, PEOPLE, WORKSPACE, fill
from tests.support import migrations
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, run_command, run_json, scim_path

FILES = sorted(FOLDER.glob("*.db.gz"))
ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"
Upgraded = Callable[..., Flask]


def unpack(packed: Path, folder: Path) -> Path:
    target = folder / "perch.db"
    target.write_bytes(gzip.decompress(packed.read_bytes()))
    return target


@pytest.fixture(params=FILES, ids=lambda path: path.name.removesuffix(".db.gz"))
def upgraded(request: pytest.FixtureRequest, tmp_path: Path, make_app: MakeApp) -> Flask:
    """Open an old version's file with this version."""
    unpack(request.param, tmp_path)
    return make_app(PERCH_WORKSPACE=WORKSPACE)


def client(app: Flask, *options: str) -> ScimClient:
    return ScimClient(wsgi_transport(app), scim_path(app), create_key(app, "after", *options), "okta")


def test_this_version_has_a_fixture() -> None:
    assert FILES
    assert f"{VERSION}.db.gz" in {path.name for path in FILES}, "python -m tests.make_fixture makes it"


def test_resources_survive_the_migration(upgraded: Flask) -> None:
    okta = client(upgraded)
    users = okta.get("/Users?count=1000").body
    assert users["totalResults"] == PEOPLE - 1
    assert len(users["Resources"]) == PEOPLE - 1
    found = okta.get('/Users?filter=userName eq "PERSON1@example.com"').body["Resources"][0]
    assert found["name"] == {"givenName": "Zoë 1", "familyName": "Ångström"}
    assert found["groups"][0]["display"] == "Support"
    reasons = {(role["value"], role["type"]) for role in found[ACCESS]["effectiveRoles"]}
    assert reasons == {("billing:reader", "manual"), ("managed:viewer", "group")}
    assert okta.get("/Groups").body["totalResults"] == 2
    assert okta.get(f"/Users?filter={ACCESS}:loginAllowed eq true").body["totalResults"] == 17


def test_a_migrated_file_can_be_written(upgraded: Flask) -> None:
    okta = client(upgraded)
    made = okta.post("/Users", {"userName": "new@example.com", "roles": ["billing:reader"]})
    assert made.status == 201
    assert okta.delete(f"/Users/{made.body['id']}").status == 204
    assert okta.post("/Users", {"userName": "PERSON2@EXAMPLE.COM"}).status == 409


def test_keys_journal_and_console_survive_the_migration(upgraded: Flask) -> None:
    keys = {key["name"]: key for key in run_json(upgraded, "keys", "list")}
    assert keys.keys() == {"Okta", "Application", "Old key"}
    entries = run_json(upgraded, "journal", "--limit", "1000")
    assert len(entries) >= PEOPLE + 5
    assert "first" not in run_command(upgraded, "init").lower()


def test_the_journal_of_an_older_version_says_why(upgraded: Flask) -> None:
    def told(number: int) -> str:
        return run_command(upgraded, "roles", "explain", f"person{number}@example.com").splitlines()[0]

    assert " because key Okta created Zoë 0 Ångström with the role Editor." in told(0)
    assert " gave the role Viewer to the group Everybody." in told(39)
    assert " gave the role Viewer to the group Everybody." in told(2)
    assert " may not log in. Deactivated by key Okta on 20" in told(21)
    assert told(22) == "person22@example.com may not log in. Never had a role."
    okta = client(upgraded)
    person = okta.get('/Users?filter=userName eq "person2@example.com"').body["Resources"][0]
    support = person["groups"][0]["value"]
    okta.patch(f"/Groups/{support}", {"Operations": [{"op": "remove", "path": f'members[value eq "{person["id"]}"]'}]})
    assert told(2).endswith("because key after took Zoë 2 Ångström out of Support.")


def test_a_migrated_file_is_sound_and_has_the_schema_of_a_new_one(
    upgraded: Flask, tmp_path: Path, make_app: MakeApp
) -> None:
    run_command(upgraded, "workspace")
    new = make_app(PERCH_DATABASE=str(tmp_path / "new.db"))
    run_command(new, "workspace")
    assert schema(tmp_path / "perch.db") == schema(tmp_path / "new.db")
    with closing(sqlite3.connect(tmp_path / "perch.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


def test_migrations_are_only_appended() -> None:
    released = list(migrations.recorded())
    assert migrations.in_order()[: len(released)] == released
    assert known() == set(migrations.in_order()) == migrations.digests().keys()


def test_no_released_migration_changes() -> None:
    """Before a release, `python -m tests.support.migrations` makes the file again once it is deleted."""
    assert migrations.changed(migrations.digests()) == []


CHAPTER = '''"""Two migrations."""

LATER = script("SELECT 2")


def fill(db):
    """Fill the table."""
    # Why.
    _each(db, "x")


def _each(db, word):
    db.execute(word)


STEPS = {"m1_fill": fill, "m2_later": LATER}
'''


@pytest.mark.parametrize(
    ("old", "new", "differ"),
    [
        ('"""Fill the table."""', '"""Make the rows."""', set()), ("    # Why.\n", "", set()),
        ("\n\n\n", "\n\n", set()),
        ("Two", "Three", set()), ('"m2_later": LATER', '"m2_later": LATER, "m3_x": fill', {"m3_x"}),
        ('"x"', '"y"', {"m1_fill"}), ("execute(word)", "execute(word, 1)", {"m1_fill"}),
        ("SELECT 2", "SELECT 3", {"m2_later"}),
        (', "m2_later": LATER', "", {"m2_later"}),
    ],
)  # fmt: skip
def test_a_digest_changes_with_the_code_that_a_migration_uses(
    old: str, new: str, differ: set[str], tmp_path: Path
) -> None:
    found = []
    for text in (CHAPTER, CHAPTER.replace(old, new)):
        (tmp_path / "chapter.py").write_text(text)
        found.append(migrations.digests(tmp_path))
    assert {name for name in found[0].keys() | found[1].keys() if found[0].get(name) != found[1].get(name)} == differ


def test_a_file_of_a_newer_version_is_refused(upgraded: Flask, tmp_path: Path, make_app: MakeApp) -> None:
    run_command(upgraded, "workspace")
    with closing(sqlite3.connect(tmp_path / "perch.db")) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('perch', 'm999_x', '')"
        )
    with pytest.raises(NewerFile, match="newer Perch \\(m999_x\\)"):
        make_app()


def schema(path: Path) -> set[tuple[str, str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
        return {(kind, name, " ".join(sql.split())) for kind, name, sql in rows}


@pytest.mark.parametrize("packed", FILES, ids=lambda path: path.name.removesuffix(".db.gz"))
def test_workers_that_start_together_migrate_once(packed: Path, make_server: MakeServer) -> None:
    server = make_server(workers=4, settings={"PERCH_WORKSPACE": WORKSPACE})
    unpack(packed, server.folder)
    server.start()
    assert server.client("okta", server.key).get("/Users?count=0").body["totalResults"] == PEOPLE - 1
    assert "Traceback" not in server.log()


def test_the_fixture_script_works(make_app: MakeApp) -> None:
    app = make_app(PERCH_WORKSPACE=WORKSPACE)
    fill(app)
    assert client(app).get("/Users?count=0").body["totalResults"] == PEOPLE - 1
