"""Filters as text, as trees and over documents: the cases of tests/cases/filters.json, limits, paths, tolerances."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import InvalidFilter, InvalidPath
from schemas.filters.binding import bind, bind_value_filter
from schemas.filters.evaluation import evaluate, evaluate_element
from schemas.filters.nodes import And, AttrPath, Comparison, Constant, Not, Or, ValuePath
from schemas.filters.parser import MAX_LENGTH, MAX_NESTING, parse_filter, parse_path
from schemas.tolerances import Tolerance
from tests.support.filter_corpus import Corpus, Entry
from tests.support.resource_types import GROUP, RESOURCE_TYPES, USER
from tests.support.tolerances import collect

TABLE = json.loads((Path(__file__).parents[1] / "cases" / "filters.json").read_text(encoding="utf-8"))


def corpus_of(table: dict[str, Any]) -> Corpus:
    return Corpus([Entry(**entry) for entry in table["corpus"]["entries"]], table["corpus"]["catalogue"])


CORPUS, UNICODE_CORPUS = corpus_of(TABLE), corpus_of(TABLE["unicode"])
MATCHES = [case for case in TABLE["cases"] if "matches" in case]
UNICODE_MATCHES = TABLE["unicode"]["cases"]
ERRORS = [case for case in TABLE["cases"] if "error" in case]


def name_of(case: dict[str, Any]) -> str:
    return f"{case.get('type', 'User')}: {ascii(case['filter'])[1:-1]}"


def matching(corpus: Corpus, case: dict[str, Any]) -> list[str]:
    kind = RESOURCE_TYPES[case.get("type", "User")]
    bound = bind(parse_filter(case["filter"]), kind.schema)
    return [key for key, document in corpus.documents(kind.name).items() if evaluate(bound, document)]


@pytest.mark.parametrize("case", MATCHES, ids=name_of)
def test_a_filter_matches_its_documents(case):
    assert matching(CORPUS, case) == case["matches"]


@pytest.mark.parametrize("case", UNICODE_MATCHES, ids=name_of)
def test_a_filter_matches_every_spelling_of_unicode(case):
    assert matching(UNICODE_CORPUS, case) == case["matches"]


@pytest.mark.parametrize("case", ERRORS, ids=name_of)
def test_a_wrong_filter_is_refused(case):
    with pytest.raises(InvalidFilter) as caught:
        bind(parse_filter(case["filter"]), RESOURCE_TYPES[case.get("type", "User")].schema)
    assert case["error"] in caught.value.detail
    assert caught.value.detail.startswith("Column ")
    assert len(caught.value.detail) < 600


@pytest.mark.parametrize(
    "text",
    [
        "x" * 100_000,
        'userName eq "' + "x" * 100_000 + '"',
        "(" * 3000 + "title pr" + ")" * 3000,
        "(" * 3000,
        "[" * 3000,
        "not (" * 500 + "title pr" + ")" * 500,
        "not " * 500 + "title pr",
        "emails[" * 500,
        "(" * (MAX_NESTING + 1) + "title pr" + ")" * (MAX_NESTING + 1),
        "a" + ".b" * 4000 + " pr",
        "-" * 9000,
        "9" * 9000,
        "userName eq " + "9" * 9000,
    ],
    ids=lambda text: f"{text[:12]}… {len(text)}",
)
def test_too_long_or_too_deep_filters_are_refused_quickly(text):
    start = time.thread_time()
    with pytest.raises(InvalidFilter) as caught:
        bind(parse_filter(text), USER.schema)
    assert time.thread_time() - start < 0.1
    assert len(caught.value.detail) < 600


def test_the_longest_and_deepest_filters_are_accepted():
    deep = "(" * MAX_NESTING + "title pr" + ")" * MAX_NESTING
    assert bind(parse_filter(deep), USER.schema) == bind(parse_filter("title pr"), USER.schema)
    long = " or ".join(["title pr"] * 1300)
    node = parse_filter(long)
    assert len(long) < MAX_LENGTH
    assert isinstance(node, Or) and len(node.terms) == 1300


def test_a_path_is_parsed():
    urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    assert parse_path("userName").path == AttrPath(None, "userName", None, 1)
    assert parse_path("name.familyName").sub == "familyName"
    assert parse_path(f"{urn}:manager.value").path == AttrPath(urn, "manager", "value", 1)
    assert parse_path(urn).path.text == urn
    path = parse_path('emails[type eq "work" and not (primary eq true)].value')
    assert (path.path.name, path.sub) == ("emails", "value")
    assert isinstance(path.filter, And)
    assert parse_path('members[value eq "x"]').filter == Comparison(AttrPath(None, "value", None, 9), "eq", "x", 18)
    assert parse_path("members.$ref").sub == "$ref"


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", "Column 1 of the path"),
        ("emails[", "Column 8 of the path, at the end"),
        ('emails[type eq "work"', "closing ']'"),
        ('emails[type eq "work"].', "a sub-attribute"),
        ('emails[type eq "work"].value.x', "a sub-attribute"),
        ('emails[type eq "work"]value', "Column 23"),
        ("emails[type eq work]", 'write type eq "work"'),
        ("name.familyName.x", "at most one sub-attribute"),
        ("userName eq", "the end of the path"),
        ("emails[type.x.y pr]", "at most one sub-attribute"),
        ("(" * 3000, "an attribute"),
        ("x" * 100_000, "100000 characters"),
    ],
)
def test_a_wrong_path_is_refused(text, detail):
    with pytest.raises(InvalidPath) as caught:
        parse_path(text)
    assert detail in caught.value.detail


def test_a_comparison_after_a_value_path_is_about_the_same_element():
    node = parse_filter('emails[type eq "work"].value eq "x"')
    assert node == ValuePath(
        AttrPath(None, "emails", None, 1),
        And(
            (
                Comparison(AttrPath(None, "type", None, 8), "eq", "work", 16),
                Comparison(AttrPath(None, "value", None, 24), "eq", "x", 33),
            )
        ),
    )
    assert isinstance(parse_filter('emails[type eq "work"].value ne "x"'), Not)


def test_text_booleans_are_noted_as_a_tolerance():
    with collect() as used:
        bind(parse_filter('active eq "True"'), USER.schema)
    assert list(used) == [Tolerance.TEXT_BOOLEAN_FILTER]
    with collect() as used:
        bind(parse_filter("active eq true"), USER.schema)
    assert not used


def test_a_value_path_matches_elements():
    for text, expected in [
        ('type eq "WORK"', True),
        ("primary eq false", True),
        ('value sw "b" and primary eq true', False),
        ("display pr", False),
        ("not (display pr)", True),
    ]:
        path = parse_path(f"emails[{text}]")
        assert path.filter is not None
        bound = bind_value_filter(path.filter, USER.schema, USER.schema.resolve(None, "emails"))
        assert evaluate_element(bound, {"value": "b@x", "type": "work"}) is expected


def test_a_value_path_matches_a_single_valued_attribute():
    bound = USER.schema.resolve("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", "manager")
    inner = bind_value_filter(parse_filter('value eq "7"'), USER.schema, bound)
    assert evaluate_element(inner, {"value": "7"})
    assert not evaluate_element(inner, {"value": "8"})


def test_a_search_over_all_types_takes_attributes_of_any_type():
    node = parse_filter('userName eq "x" or not (members eq "y")')
    schemas = [kind.schema for kind in RESOURCE_TYPES.values()]
    on_user, on_group = (bind(node, schema, schemas) for schema in schemas[:2])
    assert evaluate(on_user, {"userName": "z"})
    assert evaluate(on_group, {"members": [{"value": "z"}]})
    assert not evaluate(on_group, {"members": [{"value": "y"}]})
    assert bind(parse_filter('members[value eq "x"]'), USER.schema, [GROUP.schema]) == Constant(False)
    for text in ('nowhere eq "x"', 'password eq "x"', "members.nothing pr"):
        with pytest.raises(InvalidFilter):
            bind(parse_filter(text), USER.schema, [GROUP.schema])
