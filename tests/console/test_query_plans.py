"""Query plans of the console's lists, searches and pages: all of them use indexes."""

import pytest
from flask import Flask

from schemas import ResourceType
from schemas.filters import binding
from schemas.filters.parser import parse_filter
from schemas.user import ACCESS_URN
from storage import members, roles, statistics
from storage.database import Connection, Database
from storage.journal import JournalQuery
from storage.search import ORDERS, Listing
from storage.sql.filters import compile_filter
from storage.sql.fragments import Sql
from storage.traffic import TrafficQuery
from tests.support.resource_types import GROUP, USER

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
        return plan(connection, query.statement + Sql(" LIMIT ? OFFSET ?", (50, 0)))


def scans(found: list[str]) -> list[str]:
    """Tables read whole; what a search has found already, and tables of common expressions, are no tables."""
    whole = tuple(f"SCAN {name}" for name in ("r", "e", "m", "a", "journal", "traffic"))
    return [step for step in found if step.startswith(whole)]


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_the_whole_directory_is_listed_through_an_index_without_sorting(
    database: Database, order: str, descending: bool
) -> None:
    found = page_plan(database, Listing("User", order=order, descending=descending))
    assert scans(found) == []
    assert not any("TEMP B-TREE" in step for step in found), found


@pytest.mark.parametrize("order", ["name", "created", "changed"])
def test_groups_are_listed_through_an_index_without_sorting(database: Database, order: str) -> None:
    found = page_plan(database, Listing("Group", order=order))
    assert scans(found) == []
    assert not any("TEMP B-TREE" in step for step in found), found


@pytest.mark.parametrize("order", ORDERS)
def test_a_search_uses_an_index_for_each_attribute(database: Database, order: str) -> None:
    any_of = [compiled(USER, f'{name} sw "gra"') for name in ("userName", "displayName", "emails.value")]
    found = page_plan(database, Listing("User", any_of=any_of, order=order))
    assert scans(found) == []
    text = " ".join(found)
    assert "userName>? AND userName<?" in text
    assert "displayName>? AND displayName<?" in text
    assert "emails_value (value>? AND value<?)" in text
    assert "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)" in text


def test_a_search_of_groups_uses_the_index_of_names(database: Database) -> None:
    found = page_plan(database, Listing("Group", any_of=[compiled(GROUP, 'displayName sw "fin"')]))
    assert scans(found) == []


@pytest.mark.parametrize(
    "text",
    [f'{EFFECTIVE}.value eq "managed:admin"', 'groups.value eq "01a20c63-6d31-72fc-8e6d-29245a9ab1d1"'],
)
def test_holders_and_members_are_found_from_the_role_or_group(database: Database, text: str) -> None:
    found = page_plan(database, Listing("User", [compiled(USER, text)]))
    assert scans(found) == [] or all("members_member" in step for step in scans(found)), found


def test_a_search_narrows_the_other_filters(database: Database) -> None:
    any_of = [compiled(USER, f'{name} sw "gra"') for name in ("userName", "displayName", "emails.value")]
    conditions = [compiled(USER, "active eq true"), compiled(USER, f"{EFFECTIVE} pr")]
    found = page_plan(database, Listing("User", conditions, any_of))
    assert "SEARCH r USING INTEGER PRIMARY KEY (rowid=?)" in found


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (JournalQuery(), "SCAN journal"),
        (JournalQuery(before=1000), "SEARCH journal USING INTEGER PRIMARY KEY (rowid<?)"),
        (JournalQuery(resource="x"), "SEARCH journal USING INDEX journal_resource (resource=?)"),
        (JournalQuery("x", before=9, type="User", action="patch"), "SEARCH journal USING INDEX journal_resource"),
        (JournalQuery(name="x"), "SCAN journal"),
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


def test_pages_of_members_and_holders_cost_a_page(database: Database) -> None:
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
