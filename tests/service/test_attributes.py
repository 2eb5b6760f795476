"""Plans of declared attributes, and that they do what they say."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.declarations import Declaration, read_declaration
from schemas.errors import Conflict
from scim.service.attributes import carry_out, changes, consequences, declared, refusals
from storage import attributes
from storage.database import Database
from storage.journal import Author
from storage.repository import Repository

URN = "urn:acme:a:User"
AUTHOR = Author("command:test", "r")


def one(name: str, type_: str = "string", **more: Any) -> Declaration:
    return read_declaration({"schema": URN, "name": name, "type": type_, **more})


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(Database(tmp_path / "perch.db"))


def apply(repository: Repository, wanted: list[Declaration], prune: bool = True) -> list[Declaration]:
    with repository.writing(AUTHOR) as write:
        carry_out(write, changes(declared(write.connection), wanted, prune))
        return declared(write.connection)


def test_a_plan_has_tables_without_defaults() -> None:
    current = [one("a"), one("b", indexed=True), one("c")]
    planned = changes(current, [one("a"), one("b"), one("d", multiValued=True)], prune=True)
    assert [(each.kind, each.action, each.name) for each in planned] == [
        ("attribute", "change", f"{URN}:b"), ("attribute", "add", f"{URN}:d"), ("attribute", "remove", f"{URN}:c"),
    ]  # fmt: skip
    b = {"schema": URN, "name": "b", "type": "string"}
    assert (planned[0].before, planned[0].after) == ({**b, "indexed": True}, b)
    assert (planned[1].before, planned[1].after) == (None, {**b, "name": "d", "multiValued": True})
    assert (planned[2].before, planned[2].after) == ({**b, "name": "c"}, None)


def test_without_prune_nothing_is_removed() -> None:
    assert changes([one("a")], [], prune=False) == []
    assert changes([one("a")], [one("a")], prune=True) == []


tables = st.lists(
    st.builds(
        lambda name, type_, indexed, text: one(name, type_, indexed=indexed, description=text),
        st.sampled_from("abcA"),
        st.sampled_from(["string", "integer"]),
        st.booleans(),
        st.sampled_from(["", "x"]),
    ),
    max_size=3,
    unique_by=lambda declaration: declaration.key,
)


@settings(max_examples=30)
@given(st.lists(tables, min_size=1, max_size=4))
def test_a_plan_that_is_carried_out_gives_what_was_wanted(
    tmp_path_factory: Any, states: list[list[Declaration]]
) -> None:
    repository = Repository(Database(tmp_path_factory.mktemp("plan") / "perch.db"))
    for wanted in states:
        assert sorted(apply(repository, wanted), key=lambda each: each.key) == sorted(wanted, key=lambda each: each.key)
        with repository.reading() as snapshot:
            assert changes(declared(snapshot.connection), wanted, prune=True) == []


@pytest.fixture
def filled(repository: Repository) -> Repository:
    """A workspace in which two of three people have the same value."""
    apply(repository, [one("a"), one("b")])
    with repository.writing(AUTHOR) as write:
        kind = attributes.resource_types(write.connection)["User"]
        for name, values in (("ada", {"a": "x"}), ("bob", {"a": "X", "b": "1"}), ("cyd", {})):
            write.insert(kind, kind.load({"userName": name, URN: values}))
    return repository


@pytest.mark.parametrize(
    ("wanted", "refused", "told"),
    [
        ([one("a", uniqueness="server"), one("b")], ["'x' of ada and bob"], ["2 users"]),
        ([one("a"), one("b", uniqueness="server")], [], ["1 user "]),
        ([one("a", "integer"), one("b")], ["has values (2 users)"], []),
        ([one("a", description="x"), one("b"), one("c", uniqueness="server")], [], []),
        ([one("b", caseExact=True, indexed=True)], [], ["1 user ", "2 users have a value; all values are lost"]),
        ([], [], ["2 users have a value; all values are lost", "1 user has a value; all values are lost"]),
    ],
)
def test_a_plan_says_what_is_refused_and_lost(
    filled: Repository, wanted: list[Declaration], refused: list[str], told: list[str]
) -> None:
    with filled.reading() as snapshot:
        planned = changes(declared(snapshot.connection), wanted, prune=True)
        reasons, sentences = refusals(snapshot.connection, planned), list(consequences(snapshot.connection, planned))
    assert len(reasons) == len(refused) and all(part in text for part, text in zip(refused, reasons, strict=True))
    assert len(sentences) == len(told) and all(part in text for part, text in zip(told, sentences, strict=True))
    if refused:
        with pytest.raises(Conflict) as caught:
            apply(filled, wanted)
        assert caught.value.detail == " ".join(reasons)
    else:
        assert apply(filled, wanted) == wanted
