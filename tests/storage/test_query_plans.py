"""The statements of requests and of the console's pages use indexes, as their query plans show."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask import Flask

from schemas import ResourceType
from schemas.filters import binding
from schemas.filters.parser import parse_filter
from schemas.user import ACCESS_URN
from storage import history, members, resources, roles, statistics
from storage.database import Connection, Database
from storage.journal import JournalQuery
from storage.search import ORDERS, Listing, list_page
from storage.sql.filters import compile_filter
from storage.sql.fragments import Sql
from storage.traffic import TrafficQuery
from storage.word_search import SOURCES
from tests.conftest import MakeClient
from tests.support.client import ScimClient
from tests.support.resource_types import USER
from tests.support.resources import create_users
from tests.support.statements import traced

PlansOf = Callable[[str], dict[str, list[str]]]

# Rows of the request itself, and rows that an earlier step found, are not tables.
NO_TABLE = re.compile(r"SCAN (\w+ VIRTUAL TABLE|json_each|above|a$|d$|down|\(|CONSTANT)")
LOOK_UPS = {
    "/Users": [
        'userName eq "ann"', 'externalId eq "x"', 'emails.value eq "ann@example.com"', 'emails eq "ann@example.com"',
        'emails[type eq "work"].value eq "ann@example.com"', 'id eq "x"', 'userName sw "an"',
        'userName eq "ann" and active eq true',
        'userName eq "ann" or externalId eq "x"', 'userName eq "ann" or emails.value eq "x" or id eq "y"',
        'userName eq "ann" or (externalId eq "x" and active eq true)',
        'emails eq "x" or emails sw "y" or userName sw "z"',
        '(userName eq "ann" or userName eq "bob" or displayName eq "x") and active eq true',
        'not (userName ne "ann" and externalId ne "x")',
    ],
    "/Groups": ['displayName eq "all"', 'externalId eq "x"', 'members.value eq "x"', 'displayName sw "a"',
                'displayName eq "a" or members.value eq "x"'],
}  # fmt: skip
PAGES = ["/Users", "/Users?startIndex=1&count=100", "/Users?startIndex=1030&count=10", "/Users?cursor=&count=10",
         "/Groups?excludedAttributes=members", "/Groups?startIndex=5"]  # fmt: skip


@pytest.fixture
def plans_of(app: Flask, make_client: MakeClient) -> PlansOf:
    """Return a function that maps each statement of a GET to its query plan."""
    client = make_client("okta")
    ids = [client.post("/Users", {"userName": name, "externalId": name}).body["id"] for name in ("ann", "bob")]
    group = client.post("/Groups", {"displayName": "All", "members": [{"value": one} for one in ids]}).body["id"]

    def plans(path: str) -> dict[str, list[str]]:
        with traced(app) as statements:
            assert client.get(path.format(user=ids[0], group=group)).status == 200
        with app.extensions["perch"].database.read() as connection:
            return {
                text: [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}")]
                for text in statements
                if text.lstrip().startswith(("SELECT", "WITH"))
            }

    return plans


def scans(plans: dict[str, list[str]]) -> list[tuple[str, str]]:
    """Return the steps that read a whole table, or all rows of a type, each with its statement."""
    return [
        (step, text)
        for text, steps in plans.items()
        for step in steps
        if step.startswith("SCAN") and not NO_TABLE.match(step)
    ]


def sorts(plans: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(step, text) for text, steps in plans.items() for step in steps if "TEMP B-TREE FOR ORDER BY" in step]


@pytest.mark.parametrize(("path", "text"), [(path, text) for path, texts in LOOK_UPS.items() for text in texts])
def test_look_ups_use_indexes(plans_of: PlansOf, path: str, text: str) -> None:
    found = plans_of(f"{path}?filter={quote(text)}&startIndex=1&count=100")
    assert len(found) >= 2
    assert not scans(found)
    # With the index on the type alone a look-up would read everybody.
    assert not [step for steps in found.values() for step in steps if step.endswith("resources_type (type=?)")]


@pytest.mark.parametrize("path", [*PAGES, "/Users/{user}", "/Groups/{group}"])
def test_pages_and_single_resources_neither_scan_nor_sort(plans_of: PlansOf, path: str) -> None:
    found = plans_of(path)
    assert len(found) >= 2
    assert not scans(found)
    assert not sorts(found)


# The console

EFFECTIVE = f"{ACCESS_URN}:effectiveRoles"
SORTING = "USE TEMP B-TREE FOR ORDER BY"


@pytest.fixture
def database(app: Flask) -> Database:
    found: Database = app.extensions["perch"].database
    return found


def compiled(kind: ResourceType, text: str) -> Sql:
    return compile_filter(binding.bind(parse_filter(text), kind.schema), "http://localhost/w/scim/v2")


def plan(connection: Connection, sql: Sql) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql.text}", sql.parameters)]


def page_plan(database: Database, query: Listing | JournalQuery | TrafficQuery) -> list[str]:
    with database.read() as connection:
        statement = query.statement() if isinstance(query, Listing) else query.statement
        return plan(connection, statement + Sql(" LIMIT ? OFFSET ?", (50, 0)))


def tables_read_whole(found: list[str]) -> list[str]:
    """Return the steps that read a whole table; results of earlier steps do not count."""
    whole = tuple(f"SCAN {name}" for name in ("r", "e", "m", "a", "journal", "traffic"))
    return [step for step in found if step.startswith(whole)]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_the_list_of_users_uses_an_index_and_does_not_sort(database: Database, order: str, descending: bool) -> None:
    found = page_plan(database, Listing("User", order=order, descending=descending))
    assert tables_read_whole(found) == []
    assert not any("TEMP B-TREE" in step for step in found), found


@pytest.mark.parametrize("order", ["name", "created", "changed"])
def test_the_list_of_groups_uses_an_index_and_does_not_sort(database: Database, order: str) -> None:
    found = page_plan(database, Listing("Group", order=order))
    assert tables_read_whole(found) == []
    assert not any("TEMP B-TREE" in step for step in found), found


@pytest.mark.parametrize(
    ("type_name", "indexes"),
    [
        ("User", ["resources_userName (type=? AND userName>? AND userName<?)",
                  "resources_displayName (type=? AND displayName>? AND displayName<?)",
                  "resources_externalId (type=? AND externalId>? AND externalId<?)",
                  "emails_value (value>? AND value<?)", "words_word (type=? AND word>? AND word<?)"]),
        ("Group", ["resources_displayName (type=? AND displayName>? AND displayName<?)",
                   "resources_externalId (type=? AND externalId>? AND externalId<?)",
                   "words_word (type=? AND word>? AND word<?)"]),
    ],
)  # fmt: skip
def test_a_word_is_looked_up_in_covering_indexes(database: Database, type_name: str, indexes: list[str]) -> None:
    with database.read() as connection:
        for source, index in zip(SOURCES[type_name], indexes, strict=True):
            (step, *_) = plan(connection, Sql(source.keys, ("gra", "grb")))
            assert step.endswith(f"USING COVERING INDEX {index}")


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("words", [["a"], ["gra", "hop"]])
def test_common_words_are_tested_along_the_index_of_the_order(
    database: Database, words: list[str], order: str, descending: bool
) -> None:
    found = page_plan(database, Listing("User", [compiled(USER, "active eq true")], words, order, descending))
    assert tables_read_whole(found) == []
    assert not any("TEMP B-TREE" in step for step in found), found
    # Of the person, not of the word: else each row would take as long as the word has rows.
    searches = [step for step in found if "words" in step or "SEARCH s" in step]
    assert searches == ["SEARCH s USING PRIMARY KEY (resource=?)", "SEARCH s USING PRIMARY KEY (id=?)"] * len(words)


@pytest.mark.parametrize("order", ORDERS)
def test_what_a_search_found_is_read_by_its_numbers(database: Database, order: str) -> None:
    conditions = [compiled(USER, "active eq true"), compiled(USER, f"{EFFECTIVE} pr")]
    with database.read() as connection:
        found = plan(connection, Listing("User", conditions, ["gra"], order).statement([1, 2, 3]))
    assert "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)" in found
    assert not [step for step in found if step.startswith("SCAN r")]


def test_a_search_takes_few_statements_whatever_it_finds(app: Flask, database: Database, okta: ScimClient) -> None:
    create_users(okta, [f"ann.{number}@example.com" for number in range(60)])
    counts = []
    for words in (["ann"], ["nobody"], ["59"]):
        with traced(app) as statements, database.read() as connection:
            list_page(connection, Listing("User", words=words), 0, 50)
        counts.append(len(statements))
    assert max(counts) <= 12
    assert counts[0] == counts[2]


@pytest.mark.parametrize(
    "text",
    [f'{EFFECTIVE}.value eq "managed:admin"', 'groups.value eq "01a20c63-6d31-72fc-8e6d-29245a9ab1d1"'],
)
def test_holders_and_members_are_found_through_their_role_or_group(database: Database, text: str) -> None:
    found = page_plan(database, Listing("User", [compiled(USER, text)]))
    assert tables_read_whole(found) == [] or all("members_member" in step for step in tables_read_whole(found)), found


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (JournalQuery(), "SCAN journal"),
        (JournalQuery(before=1000), "SEARCH journal USING INTEGER PRIMARY KEY (rowid<?)"),
        (JournalQuery(resource="x"), "SEARCH journal USING INDEX journal_resource (resource=?)"),
        (JournalQuery("x", before=9, type="User", action="patch"), "SEARCH journal USING INDEX journal_resource"),
        (JournalQuery(name="x"), "SCAN journal"),
        (JournalQuery(name="x", people=["x"], crowds=[7]), "SCAN journal"),
    ],
)
def test_the_journal_is_read_from_its_end(database: Database, query: JournalQuery, index: str) -> None:
    found = page_plan(database, query)
    assert found[0].startswith(index), found
    assert SORTING not in found


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (TrafficQuery(), "SCAN traffic"),
        (TrafficQuery(before=1000), "SEARCH traffic USING INTEGER PRIMARY KEY (rowid<?)"),
        (TrafficQuery(errors=True), "SCAN traffic USING INDEX traffic_failed"),
        (TrafficQuery(key="x"), "SEARCH traffic USING INDEX traffic_key (key=?)"),
    ],
)
def test_the_traffic_is_read_from_its_end(database: Database, query: TrafficQuery, index: str) -> None:
    found = page_plan(database, query)
    assert found[0].startswith(index), found
    assert SORTING not in found


def test_pages_of_members_and_holders_scan_no_table(database: Database) -> None:
    with database.write() as connection:
        seen: list[str] = []
        connection.set_trace_callback(seen.append)
        members.page(connection, 1, 0, 50)
        roles.holders_page(connection, "managed:admin", 0, 50)
        members.counts(connection, [1, 2])
        statistics.progress(connection, "2026-11-24")
        connection.set_trace_callback(None)
        selects = [sql for sql in seen if sql.lstrip().startswith("SELECT")]
        plans = {sql: plan(connection, Sql(sql)) for sql in selects}
    assert len(plans) == 4
    for sql, found in plans.items():
        assert not [step for step in found if step.startswith("SCAN r")], (sql, found)
        assert not [step for step in found if step.startswith("SCAN members")], (sql, found)


def test_a_timeline_reads_the_journal_through_indexes(app: Flask, make_client: MakeClient) -> None:
    client = make_client("okta")
    ann = client.post("/Users", {"userName": "ann"}).body["id"]
    group = client.post("/Groups", {"displayName": "All", "members": [{"value": ann}]}).body["id"]
    with traced(app) as statements, app.extensions["perch"].database.read() as connection:
        history.trail(connection, resources.get(connection, "User", ann))
        history.names(connection, [ann, group])
        history.moves_in(connection, [1], [ann])
    with app.extensions["perch"].database.read() as connection:
        found = {text: plan(connection, Sql(text)) for text in statements if "journal" in text}
    whole = [(text, step) for text, steps in found.items() for step in steps if re.match(r"SCAN (j|m|journal)\b", step)]
    assert [step for _, step in whole] == [], whole
    assert any("USING INDEX journal_turns (resource=?" in step for steps in found.values() for step in steps)
    assert any("COVERING INDEX journal_members_member (member=?" in step for steps in found.values() for step in steps)
