"""Declared attributes in the file: uniqueness, indexes, changes of a declaration and its removal."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import ResourceType
from schemas.declarations import Declaration, read_declaration
from schemas.errors import Conflict, InvalidValue, NotFound, Unavailable, Uniqueness
from schemas.filters.binding import bind
from schemas.filters.parser import parse_filter
from storage import attributes
from storage.database import Connection, Database
from storage.journal import Author, JournalQuery, entries
from storage.repository import Repository
from storage.resources import ResourceRow
from storage.sql.filters import compile_filter

URN = "urn:acme:it's:2.0:User"
AUTHOR = Author("command:test", "r1")
SHAPES: dict[str, dict[str, Any]] = {
    "text": {"type": "string"},
    "exact": {"type": "string", "caseExact": True},
    "number": {"type": "integer"},
    "when": {"type": "dateTime"},
    "link": {"type": "reference"},
    "flag": {"type": "boolean"},
    "tags": {"type": "string", "multiValued": True},
    "card": {"type": "complex", "sub": [{"name": "value", "type": "string"}, {"name": "lost", "type": "boolean"}]},
    "cards": {
        "type": "complex",
        "multiValued": True,
        "sub": [{"name": "value", "type": "integer"}, {"name": "type", "type": "string"}],
    },
}


def declaration(name: str, **more: Any) -> Declaration:
    return read_declaration({"schema": URN, "name": name, **SHAPES[name], **more})


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(Database(tmp_path / "perch.db"))


def declare(repository: Repository, *declared: Declaration) -> ResourceType:
    with repository.writing(AUTHOR) as write:
        write.declare(declared)
        return attributes.resource_types(write.connection)["User"]


def add(repository: Repository, kind: ResourceType, name: str, **values: Any) -> ResourceRow:
    with repository.writing(AUTHOR, "User") as write:
        return write.insert(kind, kind.load({"userName": name, **({URN: values} if values else {})}))


def change(repository: Repository, kind: ResourceType, row: ResourceRow, **values: Any) -> ResourceRow:
    with repository.writing(AUTHOR, "User") as write:
        row = write.get("User", row.id)
        before = row.document_with_roles
        after = kind.load({"userName": before["userName"], URN: values})
        return write.update(kind, row, before, after, action="replace")


def index(connection: Connection) -> list[Any]:
    return connection.execute("SELECT * FROM attribute_values ORDER BY attribute, resource, value").fetchall()


SAME: list[tuple[str, Any, Any]] = [
    ("text", "Straße", "STRASSE"),
    ("text", "e\u0301", "\u00c9"),
    ("exact", "e\u0301", "\u00e9"),
    ("number", 7, "7"),
    ("when", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00.000+01:00"),
    ("link", "https://x/1", "https://x/1"),
    ("tags", ["a", "b"], ["c", "B"]),
    ("card", {"value": "x"}, {"value": "X", "lost": True}),
    ("cards", [{"value": 1}, {"value": 2}], [{"value": 2, "type": "spare"}]),
]
DIFFERENT: list[tuple[str, Any, Any]] = [
    ("text", "a", "a "),
    ("exact", "a", "A"),
    ("number", 7, 70),
    ("when", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.001Z"),
    ("link", "https://x/1", "https://X/1"),
    ("tags", ["a"], ["b"]),
    ("card", {"lost": True}, {"lost": True}),
    ("cards", [{"value": 1}], [{"type": "spare"}]),
]


@pytest.mark.parametrize(("name", "first", "second"), SAME)
def test_no_two_resources_have_the_same_unique_value(
    repository: Repository, name: str, first: Any, second: Any
) -> None:
    kind = declare(repository, declaration(name, uniqueness="server"))
    ada = add(repository, kind, "ada", **{name: first})
    with pytest.raises(Uniqueness) as caught:
        add(repository, kind, "bob", **{name: second})
    assert caught.value.detail.startswith(f"{URN}:{name}") and "another user already has" in caught.value.detail
    bob = add(repository, kind, "bob")
    with pytest.raises(Uniqueness):
        change(repository, kind, bob, **{name: second})
    # Its own value in another spelling is no conflict, and a value that is given up is free.
    change(repository, kind, ada, **{name: second})
    change(repository, kind, ada)
    change(repository, kind, bob, **{name: first})
    with repository.writing(AUTHOR) as write:
        write.delete(write.get("User", bob.id))
        assert index(write.connection) == []
    add(repository, kind, "cyd", **{name: second})


@pytest.mark.parametrize(("name", "first", "second"), DIFFERENT)
def test_different_values_are_no_conflict(repository: Repository, name: str, first: Any, second: Any) -> None:
    kind = declare(repository, declaration(name, uniqueness="server"))
    add(repository, kind, "ada", **{name: first})
    add(repository, kind, "bob", **{name: second})


def test_only_unique_values_are(repository: Repository) -> None:
    kind = declare(repository, declaration("tags", indexed=True), declaration("text"))
    for name in ("ada", "bob"):
        add(repository, kind, name, tags=["a", "A", "b"], text="x")
    with repository.reading() as snapshot:
        assert len(index(snapshot.connection)) == 4


values = st.fixed_dictionaries(
    {},
    optional={
        "text": st.sampled_from(["a", "A", "ß", "SS", "e\u0301", "\u00e9"]),
        "exact": st.sampled_from(["a", "A", "e\u0301", "\u00e9"]),
        "number": st.integers(-(2**63) + 1, 2**63 - 1),
        "when": st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T01:00:00.50+01:00"]),
        "flag": st.booleans(),
        "tags": st.lists(st.sampled_from("aAbc"), max_size=4),
        "card": st.sampled_from([{"value": "x"}, {"value": "X", "lost": False}, {"lost": True}]),
        "cards": st.lists(st.fixed_dictionaries({"value": st.integers(0, 3)}), max_size=3),
    },
)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), values), max_size=8))
def test_the_index_is_kept_as_it_would_be_built(tmp_path_factory: Any, writes: list[tuple[int, Any]]) -> None:
    repository = Repository(Database(tmp_path_factory.mktemp("index") / "perch.db"))
    declared = [declaration(name, indexed=True) for name in SHAPES]
    kind = declare(repository, *declared)
    people = [add(repository, kind, str(number)) for number in range(3)]
    for number, found in writes:
        change(repository, kind, people[number], **found)
    with repository.database.write() as connection:
        kept = index(connection)
        for number, one in attributes.list_all(connection).items():
            attributes.put(connection, number, read_declaration({**one.table(), "indexed": False}))
            attributes.put(connection, number, one)
        assert index(connection) == kept


def test_an_index_is_built_of_values_that_are_there(repository: Repository) -> None:
    kind = declare(repository, *(declaration(name) for name in SHAPES))
    add(repository, kind, "ada", text="A", number=7, tags=["x", "y"], card={"value": "C"}, cards=[{"value": 1}])
    with repository.reading() as snapshot:
        assert index(snapshot.connection) == []
    declare(repository, *(declaration(name, indexed=True) for name in ("text", "number", "tags", "card", "cards")))
    with repository.reading() as snapshot:
        assert [row[2] for row in index(snapshot.connection)] == ["a", 7, "x", "y", "c", 1]
    declare(repository, *(declaration(name) for name in ("text", "number", "tags", "card", "cards")))
    with repository.reading() as snapshot:
        assert index(snapshot.connection) == []


@pytest.mark.parametrize(("name", "first", "second"), SAME)
def test_duplicates_that_are_there_are_named_and_refused(
    repository: Repository, name: str, first: Any, second: Any
) -> None:
    kind = declare(repository, declaration(name))
    add(repository, kind, "ada", **{name: first})
    add(repository, kind, "bob", **{name: second})
    with pytest.raises(Conflict) as caught:
        declare(repository, declaration(name, uniqueness="server"))
    assert "of ada and bob" in caught.value.detail and f"{URN}:{name}" in caught.value.detail
    with repository.reading() as snapshot:
        assert list(attributes.list_all(snapshot.connection).values()) == [declaration(name)]


def test_case_may_become_exact_and_then_not_exact_again(repository: Repository) -> None:
    unique = declaration("text", uniqueness="server", caseExact=True)
    kind = declare(repository, unique)
    add(repository, kind, "ada", text="a")
    add(repository, kind, "bob", text="A")
    with pytest.raises(Conflict):
        declare(repository, declaration("text", uniqueness="server"))
    declare(repository, declaration("text", indexed=True))
    with repository.reading() as snapshot:
        assert [row[2] for row in index(snapshot.connection)] == ["a", "a"]


@pytest.mark.parametrize(
    "other",
    [
        {"type": "integer"},
        {"multiValued": True},
        {"name": "Text"},
        {"schema": URN.replace("acme", "ACME")},
        {"resource": "Group"},
        {"type": "complex", "sub": [{"name": "value", "type": "string"}]},
    ],
)
def test_values_that_would_not_fit_keep_a_declaration_from_changing(
    repository: Repository, other: dict[str, Any]
) -> None:
    kind = declare(repository, declaration("text"))
    row = add(repository, kind, "ada", text="a")
    table = {**declaration("text").table(), **other}
    with pytest.raises(Conflict, match=r"has values \(1 user\)"):
        declare(repository, read_declaration(table))
    change(repository, kind, row)
    changed = declare(repository, read_declaration(table))
    assert changed.schema.extensions or other == {"resource": "Group"}


def test_declarations_that_do_not_fit_are_refused_together(repository: Repository) -> None:
    other = {**declaration("tags").table(), "schema": URN.replace("acme", "Acme")}
    with pytest.raises(InvalidValue, match="in case only"):
        declare(repository, declaration("text"), read_declaration(other))
    with repository.reading() as snapshot:
        assert attributes.list_all(snapshot.connection) == {}


def test_a_removed_declaration_takes_its_values_along(repository: Repository) -> None:
    kind = declare(repository, declaration("text", indexed=True), declaration("tags", uniqueness="server"))
    both = add(repository, kind, "both", text='ü\u2028"\\', tags=["x"])
    only = add(repository, kind, "only", text="a")
    none = add(repository, kind, "none")
    with repository.writing(AUTHOR) as write:
        assert write.undeclare(declaration("text")) == 2
        kind = attributes.resource_types(write.connection)["User"]
        rows = {row.id: row for row in (write.get("User", each.id) for each in (both, only, none))}
        assert [row[2] for row in index(write.connection)] == ["x"]
        (newest, *_) = entries(write.connection, JournalQuery(type="Attribute"), 10)
    assert newest.changes == {"values": {"before": 2, "after": 0}} and newest.resource == f"{URN}:text"
    assert [rows[each.id].version for each in (both, only, none)] == [2, 2, 1]
    assert json.loads(rows[both.id].document)[URN] == {"tags": ["x"]}
    left = json.loads(rows[only.id].document)
    assert URN not in left and URN not in left["schemas"] and len(left["schemas"]) == 2
    for row in rows.values():
        document = json.loads(row.document)
        assert row.document == kind.schema.dumps(document)
        assert kind.load_changed(document) == document
    with pytest.raises(NotFound), repository.writing(AUTHOR) as write:
        write.undeclare(declaration("text"))


@pytest.mark.parametrize("indexed", [True, False])
def test_a_write_by_outdated_types_is_refused(repository: Repository, indexed: bool) -> None:
    """Such a write would store values without their index, or lose values of which it does not know."""
    old = declare(repository, declaration("text", indexed=indexed))
    ada = add(repository, old, "ada", text="a")
    new = declare(repository, declaration("tags"))
    for write in (lambda: add(repository, old, "bob", text="b"), lambda: change(repository, old, ada, text="c")):
        with pytest.raises(Unavailable, match="send the request again"):
            write()
    change(repository, new, ada, text="c", tags=["x"])


def test_a_declaration_that_is_the_same_changes_nothing(repository: Repository) -> None:
    first = declare(repository, declaration("text"))
    assert declare(repository, declaration("text")).version == first.version
    with repository.reading() as snapshot:
        assert len(entries(snapshot.connection, JournalQuery(type="Attribute"), 10)) == 1


LOOK_UPS = [
    ':text eq "a"', ':text sw "a"', ":number eq 7", ':when eq "2026-01-01T00:00:00Z"', ':tags eq "x"',
    ':tags[value eq "x"]', ':tags eq "x" or :tags eq "y"', ':card.value eq "x"', ':cards eq 1',
    ':card[value eq "x" and lost eq true]', ':cards[value eq 1 and type eq "t"]', 'not (:text ne "a")',
    ':cards[type eq "t" and (value eq 1 or value eq 2)]', ':text eq "a" and :flag eq true',
    ':text eq "a" or :exact eq "b"', ':text eq "a" or userName eq "b"',
]  # fmt: skip
SLOW = [':text co "a"', 'not (:text eq "a")', ":number gt 7", ':cards[type eq "t"]', ":text pr", ':plain eq "a"']


@pytest.mark.parametrize("text", [*LOOK_UPS, *SLOW])
def test_look_ups_go_by_the_index(repository: Repository, text: str) -> None:
    plain = read_declaration({"schema": URN, "name": "plain", "type": "string"})
    kind = declare(repository, plain, *(declaration(name, indexed=True) for name in SHAPES))
    bound = bind(parse_filter(re.sub(r"(?<!\w):", f"{URN}:", text)), kind.schema)
    sql = compile_filter(bound, "https://x", "User")
    with repository.reading() as snapshot:
        plan = snapshot.connection.execute(
            f"EXPLAIN QUERY PLAN SELECT r.document FROM resources r WHERE {sql.text} ORDER BY r.seq LIMIT 100",
            sql.parameters,
        ).fetchall()
    steps = [step for *_, step in plan]
    found = any("attribute_values_value (attribute=? AND value" in step for step in steps)
    walked = any(step.endswith("resources_type (type=?)") or step == "SCAN r" for step in steps)
    assert (found, walked) == ((True, False) if text in LOOK_UPS else (False, True)), steps
