"""Declared copies of built-in attributes behave as those: the tables of filters, PATCH and projection run again."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from schemas.errors import BadRequest, InvalidFilter
from schemas.filters.binding import bind
from schemas.filters.evaluation import evaluate
from schemas.filters.parser import parse_filter
from scim.protocol.patch import apply
from scim.protocol.projection import Projection
from storage import attributes
from storage.database import Connection, Database
from storage.journal import Author
from storage.repository import Repository
from storage.sql.filters import compile_filter
from tests.protocol import test_patch, test_projection
from tests.schemas import test_filters
from tests.support.copies import COPIED, COPIES, COPY, document, filter_of, is_copied, operation

KIND = COPIES["User"]


def of_users(cases: list[Any]) -> list[Any]:
    return [case for case in cases if case.get("type", "User") == case.get("resourceType", "User") == "User"]


def filterable(cases: list[Any]) -> list[Any]:
    return [case for case in of_users(cases) if filter_of(case["filter"]) is not None]


MATCHES, UNICODE = filterable(test_filters.MATCHES), filterable(test_filters.UNICODE_MATCHES)


def is_parsed(case: dict[str, Any]) -> bool:
    try:
        return bool(filterable([case]))
    except InvalidFilter:
        return False


ERRORS = [case for case in of_users(test_filters.ERRORS) if is_parsed(case)]


def test_most_attributes_are_copied() -> None:
    assert len(COPIED) >= 18 and {"name", "emails", "active", "externalId", "addresses"} <= COPIED.keys()
    assert len(MATCHES) >= 150 and len(UNICODE) >= 10 and len(ERRORS) >= 15


def users(corpus: Any) -> dict[str, dict[str, Any]]:
    return {entry.id: KIND.load(document(entry.document)) for entry in corpus.entries if entry.type == "User"}


@pytest.fixture(scope="module")
def connections(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[bool, tuple[Connection, list[str]]]]:
    """Connections to the two corpora by whether it is the one of Unicode, each with the ids in their order."""
    found = {}
    for unicode, corpus in ((False, test_filters.CORPUS), (True, test_filters.UNICODE_CORPUS)):
        database = Database(tmp_path_factory.mktemp("copies") / "perch.db")
        with Repository(database).writing(Author("test", "")) as write:
            write.declare(list(COPIED.values()))
            kind = attributes.resource_types(write.connection)["User"]
            for loaded in users(corpus).values():
                write.insert(kind, loaded)
        found[unicode] = (database.connection, list(users(corpus)))
    yield found


@pytest.mark.parametrize("case", [*MATCHES, *UNICODE], ids=test_filters.name_of)
def test_filters_match_alike(case: dict[str, Any], connections: dict[bool, tuple[Connection, list[str]]]) -> None:
    unicode = case in UNICODE
    corpus = test_filters.UNICODE_CORPUS if unicode else test_filters.CORPUS
    node = filter_of(case["filter"])
    assert node is not None
    bound = bind(node, KIND.schema)
    assert [key for key, loaded in users(corpus).items() if evaluate(bound, loaded)] == case["matches"]
    connection, ids = connections[unicode]
    sql = compile_filter(bound, "https://x", "User")
    rows = connection.execute(f"SELECT r.seq FROM resources r WHERE {sql.text} ORDER BY r.seq", sql.parameters)
    assert [ids[seq - 1] for (seq,) in rows] == case["matches"]


@pytest.mark.parametrize("case", ERRORS, ids=test_filters.name_of)
def test_filters_are_refused_alike(case: dict[str, Any]) -> None:
    node = filter_of(case["filter"])
    assert node is not None
    with pytest.raises(InvalidFilter):
        bind(node, KIND.schema)


def test_copies_are_found_by_their_names_in_any_case() -> None:
    for text in (f'{COPY}:TITLE eq "x"', f'{COPY.upper()}:emails[TYPE eq "x"]', f"{COPY}:Name.GivenName pr"):
        assert bind(parse_filter(text), KIND.schema)


# A declared attribute is never required, and an unknown name behind a known URN is ignored.
DIFFERENT = {
    "remove userName", "replace userName with null", "replace userName with blanks", "an unknown sub-attribute",
    "an unknown sub-attribute behind a filter",
}  # fmt: skip
PATCHES = [
    (case, operations)
    for case in of_users(test_patch.CASES)
    for operations in [[operation(sent) if isinstance(sent, dict) else None for sent in case["operations"]]]
    if operations and None not in operations and case["name"] not in DIFFERENT
]


def test_many_patches_are_rewritten() -> None:
    assert len(PATCHES) >= 60


@pytest.mark.parametrize(
    ("case", "operations"), PATCHES, ids=lambda found: found.get("name") if isinstance(found, dict) else ""
)
def test_patches_have_the_same_result(case: dict[str, Any], operations: list[Any]) -> None:
    before = document(case["document"])
    if "error" in case:
        with pytest.raises(BadRequest) as raised:
            apply(KIND.schema, before, test_patch.operations(operations))
        assert raised.value.scimType == case["error"]
        return
    patched = apply(KIND.schema, before, test_patch.operations(operations)).document
    expected = document(case["expected"])
    assert json.loads(json.dumps(patched)).get(COPY, {}) == expected.get(COPY, {})


PROJECTIONS = [
    (names, expected)
    for names, expected in test_projection.test_attributes_selects_what_it_names.pytestmark[0].args[1]
    if all(is_copied(name) for name in ",".join(names).split(",") if name.strip())
]


def renamed(names: list[str]) -> list[str]:
    return [",".join(f"{COPY}:{name.strip()}" for name in each.split(",") if name.strip()) for each in names]


@pytest.mark.parametrize(("names", "expected"), PROJECTIONS)
def test_projections_choose_alike(names: list[str], expected: dict[str, Any]) -> None:
    ada = {**document(test_projection.ADA), "schemas": [KIND.schema.urn, COPY]}
    chosen = Projection.parse(renamed(names), None, KIND.schema).apply(ada)
    assert chosen == {"schemas": ada["schemas"], "id": "1", **({COPY: expected} if expected else {})}
    left = Projection.parse(None, renamed(names), KIND.schema).apply(ada)
    built_in = Projection.parse(None, names, test_projection.USER).apply(test_projection.ADA)
    assert left.get(COPY) == document(built_in).get(COPY)


def test_many_projections_are_rewritten() -> None:
    assert len(PROJECTIONS) >= 10
