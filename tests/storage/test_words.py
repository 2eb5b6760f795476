"""The words by which the console finds people and groups: what is cut, kept with the resource, and found."""

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from storage import word_search
from storage.database import Database
from storage.search import Listing, list_page
from storage.words import of_document, typed
from tests.support.client import ScimClient
from tests.support.commands import run_command
from tests.support.resources import patch_op

METTE = {
    "userName": "mette.hansen@example.com",
    "externalId": "00uQ7-x9",
    "name": {"givenName": "Mette Marie", "familyName": "O'Brien-Åberg"},
    "displayName": "Straße, İpek (temp)",
    "emails": [{"value": "Private+mail@sub.firm.example"}, {"value": "mette.hansen@example.com"}],
}


@pytest.fixture
def database(app: Flask) -> Database:
    found: Database = app.extensions["perch"].database
    return found


@pytest.fixture
def names(database: Database) -> Callable[..., list[str]]:
    """Return a function that searches as the console does, and returns the names that it finds."""

    def search(text: str, type_name: str = "User") -> list[str]:
        with database.read() as connection:
            rows, total = list_page(connection, Listing(type_name, words=typed(text), order="created"), 0, 50)
        assert total == len(rows)
        return [row.name for row in rows]

    return search


def kept(database: Database) -> set[tuple[Any, ...]]:
    with database.read() as connection:
        return set(connection.execute("SELECT word, type, id FROM words"))


def expected(database: Database) -> set[tuple[Any, ...]]:
    """Return the words that the documents have."""
    with database.read() as connection:
        rows = connection.execute("SELECT seq, type, document FROM resources").fetchall()
    return {(word, kind, seq) for seq, kind, text in rows for word in of_document(json.loads(text))}


@pytest.mark.parametrize(
    "text",
    [
        "hansen", "HANSEN", "han", "mette", "mette.hansen", "mette.hansen@example.com", "METTE.HANSEN@EXAMPLE.COM",
        "hansen@ex", "example", "example.com", "com", "@example.com", "marie", "o'brien", "brien", "O'Brien-Aberg",
        "obrien o'brien", "Åberg", "aberg", "A\u030aberg", "ABERG", "strasse", "STRASSE", "straße", "ipek", "İPEK",
        "temp", "(temp)", "private", "private+mail", "mail@sub", "firm", "sub.firm", "00uq7", "00UQ7-X9", "x9",
        "hansen mette", "mette  hansen ", "hansen, mette", "com marie priv temp", "m h o e", "m*",
        "mette.hansen@example.com.",
    ],
)  # fmt: skip
def test_a_person_is_found_by_the_beginning_of_any_word(
    generic: ScimClient, names: Callable[..., list[str]], text: str
) -> None:
    assert generic.post("/Users", METTE).status == 201
    assert generic.post("/Users", {"userName": "ann"}).status == 201
    assert names(text) == ([] if "obrien" in text else ["mette.hansen@example.com"])


@pytest.mark.parametrize(
    "text",
    ["ansen", "hansenx", "mette ann", "mette hansen@other", "xample", "ｍette", "hansen@example.comx", "-", "@", "🚀",
     "'", "%", "*", "_ansen"],
)  # fmt: skip
def test_what_begins_no_word_finds_nobody(generic: ScimClient, names: Callable[..., list[str]], text: str) -> None:
    generic.post("/Users", METTE)
    assert names(text) == []


@pytest.mark.parametrize(
    ("name", "found", "missed"),
    [
        ("Sales – Northern Europe", ["northern", "sales", "EUROPE nor"], ["orthern"]),
        ("100% remote", ["100", "remote", "100 rem"], ["00"]),
        ("🚀", ["🚀"], ["rocket", "-"]),
        ("हिन्दी टीम", ["हिन्दी", "टीम"], []),
        ("株式会社 山田", ["株式", "山田"], ["田"]),
        ("Ελλάς", ["ΕΛΛΑΣ", "ελλάς", "ελλασ"], ["λλας"]),
        ("snake_case-name", ["snake_case", "case", "name"], ["ase"]),
    ],
)
def test_a_group_is_found_by_any_word_of_its_name(
    generic: ScimClient, names: Callable[..., list[str]], name: str, found: list[str], missed: list[str]
) -> None:
    assert generic.post("/Groups", {"displayName": name}).status == 201
    assert [names(text, "Group") for text in found] == [[name]] * len(found)
    assert [names(text, "Group") for text in missed] == [[]] * len(missed)
    assert names(found[0]) == []


def test_words_follow_each_change_of_their_resource(
    generic: ScimClient, database: Database, names: Callable[..., list[str]]
) -> None:
    ann = generic.post("/Users", {"userName": "ann", "name": {"familyName": "Hansen"}}).body
    path = f"/Users/{ann['id']}"
    generic.patch(path, patch_op({"op": "replace", "path": "name.familyName", "value": "Holm Vik"}))
    assert names("hansen") == [] and names("vik") == ["ann"]
    generic.put(path, {"userName": "ann", "emails": [{"value": "a@firm.example"}]})
    assert names("vik") == [] and names("firm") == ["ann"]
    generic.post("/Groups", {"displayName": "Team Vik"})
    assert kept(database) == expected(database) != set()
    assert generic.delete(path).status == 204
    assert names("firm") == [] and names("ann") == []
    assert {kind for _, kind, _ in kept(database)} == {"Group"}


def test_what_is_refused_keeps_its_words(generic: ScimClient, database: Database) -> None:
    generic.post("/Users", {"userName": "ann@firm.example"})
    before = kept(database)
    assert generic.post("/Users", {"userName": "ANN@firm.example", "displayName": "X Y"}).status == 409
    bob = generic.post("/Users", {"userName": "bob@firm.example"}).body["id"]
    assert generic.put(f"/Users/{bob}", {"userName": "ann@firm.example", "displayName": "X Y"}).status == 409
    assert {word for word, *_ in kept(database)} == {word for word, *_ in before}


def test_random_changes_leave_exactly_the_words_of_the_documents(generic: ScimClient, database: Database) -> None:
    chance, ids = random.Random(5), list[str]()
    parts = ["ann", "Ann", "bo.b", "Zoë", "x y", "o'x", "é-é", "(q)", "9"]
    for number in range(120):
        display = f"{chance.choice(parts)} {chance.choice(parts)}"
        body = {
            "userName": f"{number}.{chance.choice(parts)}",
            "displayName": display,
            "name": {"givenName": chance.choice(parts)},
            "emails": [{"value": f"{chance.choice(parts)}@x.y"}],
        }
        if ids and chance.random() < 0.5:
            generic.put(f"/Users/{chance.choice(ids)}", body)
        elif ids and chance.random() < 0.2:
            generic.delete(f"/Users/{ids.pop()}")
        else:
            ids.append(generic.post("/Users", body).body["id"])
    assert kept(database) == expected(database) != set()


def test_a_deleted_person_leaves_no_word_in_the_file(app: Flask, generic: ScimClient, database: Database) -> None:
    body = {"userName": "zeb", "name": {"givenName": "Sir Zebediah"}, "emails": [{"value": "z@quill.example"}]}
    made = generic.post("/Users", body).body
    assert b"zebediah" in _bytes(database)
    generic.delete(f"/Users/{made['id']}")
    run_command(app, "forget", "zeb")
    assert kept(database) == set()
    assert b"zebediah" not in _bytes(database) and b"quill" not in _bytes(database)


def _bytes(database: Database) -> bytes:
    files = [file for file in Path(database.file).parent.glob("perch.db*") if file.is_file()]
    return b"".join(file.read_bytes() for file in files).lower()


def test_the_words_of_one_resource_are_bounded(generic: ScimClient, database: Database) -> None:
    long = " ".join(f"a{number}" for number in range(9_000))
    dotted = ".".join(f"b{number}" for number in range(9_000))
    answer = generic.post("/Users", {"userName": "u", "name": {"givenName": long, "familyName": dotted}})
    assert answer.status == 201
    found = kept(database)
    assert 500 < len(found) <= 2001
    assert max(len(word) for word, *_ in found) <= 100
    assert generic.put(f"/Users/{answer.body['id']}", {"userName": "u"}).status == 200
    assert kept(database) == set()


@pytest.mark.parametrize("text", ["a", "team", "a team", "a b", "b a7", "a1 b2", "a b c", "zz", "a zz"])
@pytest.mark.parametrize("limits", [(1000, 2000, 15_000), (3, 5, 10), (3, 5, 0), (0, 0, 100)])
def test_rare_and_common_words_find_the_same(
    generic: ScimClient, database: Database, monkeypatch: pytest.MonkeyPatch, text: str, limits: tuple[int, int, int]
) -> None:
    people = [f"a{number % 10}.b{number % 4} c@team{number}" for number in range(40)]
    for name in people:
        generic.post("/Users", {"userName": name})
    wanted = typed(text)
    right = [name for name in people if all(any(part.startswith(w) for part in _parts(name)) for w in wanted)]
    for name, value in zip(("MOST_COUNTED", "MOST_FOUND", "MOST_ROWS"), limits, strict=True):
        monkeypatch.setattr(word_search, name, value)
    with database.read() as connection:
        rows, _ = list_page(connection, Listing("User", words=wanted, order="created"), 0, 50)
        second, total = list_page(connection, Listing("User", words=wanted, order="created"), 2, 3)
    assert [row.name for row in rows] == right
    assert [row.name for row in second] == right[2:5]
    assert (total > 5) is (len(right) > 5)


def _parts(name: str) -> list[str]:
    return name.replace(".", " ").replace("@", " ").split()


def test_a_migration_gives_words_to_those_who_were_there_before(
    app: Flask, generic: ScimClient, database: Database
) -> None:
    generic.post("/Users", METTE)
    generic.post("/Groups", {"displayName": "Team North"})
    before = kept(database)
    database.leave()
    with closing(sqlite3.connect(database.file)) as connection, connection:
        connection.execute("DROP TABLE words")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = 'm021_words'")
    # A thread of the app may have opened the file again, before the table was gone.
    again = Database(database.file)
    assert kept(again) == before != set()
    again.leave()
