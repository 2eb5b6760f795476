"""Filters as SQL: the cases of tests/cases/filters.json, the indexes that look-ups use, the largest filters."""

import sqlite3
import time

import pytest

from schemas import ResourceType
from schemas.filters.binding import bind
from schemas.filters.parser import MAX_LENGTH, MAX_NESTING, parse_filter
from storage.search import ROLES
from storage.sql.filters import compile_filter, compile_total
from storage.sql.fragments import Sql
from storage.sql.ordering import order_by
from tests.schemas.test_filters import CORPUS, MATCHES, UNICODE_CORPUS, UNICODE_MATCHES, name_of
from tests.support.filter_corpus import BASE, Corpus, Entry, database
from tests.support.resource_types import GROUP, RESOURCE_TYPES, ROLE, USER

ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"


@pytest.fixture(scope="module")
def connection() -> sqlite3.Connection:
    connection = database()
    CORPUS.insert(connection)
    return connection


@pytest.fixture(scope="module")
def unicode_connection() -> sqlite3.Connection:
    connection = database()
    UNICODE_CORPUS.insert(connection)
    return connection


def compiled(text: str, kind: ResourceType) -> Sql:
    return compile_filter(bind(parse_filter(text), kind.schema), BASE)


def search(connection: sqlite3.Connection, text: str, kind: ResourceType) -> list[str]:
    sql = compiled(text, kind)
    statement = f"SELECT r.id FROM resources r WHERE r.type = ? AND ({sql.text}) ORDER BY r.seq"
    return [key for (key,) in connection.execute(statement, (kind.name, *sql.parameters))]


@pytest.mark.parametrize("case", MATCHES, ids=name_of)
def test_a_filter_finds_its_matches(case, connection):
    assert search(connection, case["filter"], RESOURCE_TYPES[case.get("type", "User")]) == case["matches"]


@pytest.mark.parametrize("case", UNICODE_MATCHES, ids=name_of)
def test_a_filter_finds_every_spelling_of_unicode(case, unicode_connection):
    assert search(unicode_connection, case["filter"], RESOURCE_TYPES[case.get("type", "User")]) == case["matches"]


def test_login_allowed_follows_the_roles_of_users_and_groups():
    """A role may be the user's own, its group's, or that of any group around it, on any path."""

    def user(name: str, active: bool = True, manual: tuple[str, ...] = ()) -> Entry:
        return Entry(name, "User", {"userName": name, "active": active}, manual=list(manual))

    def group(name: str, members: list[str], *slugs: str) -> Entry:
        return Entry(name, "Group", {"displayName": name}, members=members, groupRoles=list(slugs))

    people = [
        user("own", manual=("a",)),
        *map(user, ("in", "within", "deep", "without", "out")),
        user("left", False, ("a",)),
    ]
    groups = [group("plain", ["in", "without"]), group("with", ["in", "inner", "left"], "a"),
              group("inner", ["within", "inmost"]), group("inmost", ["deep"]), group("bare", ["shell"]),
              group("shell", ["without"])]  # fmt: skip
    connection = database()
    Corpus([*people, *groups], {"a": "A"}).insert(connection)
    assert search(connection, f"{ACCESS}:loginAllowed eq true", USER) == ["own", "in", "within", "deep"]
    assert search(connection, f"{ACCESS}:loginAllowed eq false", USER) == ["without", "out", "left"]


def total(case) -> Sql | None:
    kind = RESOURCE_TYPES[case.get("type", "User")]
    return compile_total(bind(parse_filter(case["filter"]), kind.schema), BASE)


@pytest.mark.parametrize("case", [case for case in MATCHES if total(case)], ids=name_of)
def test_a_total_is_the_number_of_matches(case, connection):
    sql = total(case)
    assert sql is not None
    assert connection.execute(sql.text, sql.parameters).fetchone() == (len(case["matches"]),)


def test_roles_of_the_catalogue_can_be_filtered(connection):
    def found(text: str) -> list[str]:
        sql = compiled(text, ROLE)
        statement = f"SELECT r.id FROM {ROLES} r WHERE {sql.text} ORDER BY r.seq"
        return [key for (key,) in connection.execute(statement, sql.parameters)]

    assert found('id sw "managed:"') == ["managed:admin", "managed:inbox_agent"]
    assert found('displayName eq "STRASSE"') == ["Case:Slug"]
    assert found('description pr or schemas co "userName"') == []
    assert len(found('meta.created gt "2025-01-01T00:00:00Z" and schemas co "Role"')) == 4


LOOKUPS = [
    (USER, 'userName eq "x"'),
    (USER, 'userName sw "x"'),
    (USER, 'externalId eq "x"'),
    (USER, 'externalId sw "x"'),
    (USER, 'id eq "x"'),
    (USER, 'displayName eq "x"'),
    (USER, 'displayName sw "x"'),
    (USER, 'emails.value eq "x"'),
    (USER, 'emails sw "x"'),
    (USER, 'emails[type eq "work" and value eq "x"]'),
    (USER, 'emails[type eq "work"].value eq "x"'),
    (USER, 'emails.value eq "x" and active eq true'),
    (USER, 'emails.value eq "x" or emails.value eq "y" or emails[type eq "work" and value eq "z"]'),
    (USER, 'groups eq "x" or groups eq "y"'),
    (USER, 'roles eq "x"'),
    (USER, 'roles[value eq "x" and primary eq true]'),
    (USER, f'{ACCESS}:effectiveRoles.value eq "x"'),
    (USER, f'{ACCESS}:effectiveRoles[value eq "x" and type eq "manual"]'),
    (USER, f'userName eq "x" and {ACCESS}:effectiveRoles.value eq "x"'),
    (USER, f'userName eq "x" and {ACCESS}:loginAllowed eq true'),
    (USER, 'groups.value eq "x"'),
    (USER, 'groups.display eq "x"'),
    (USER, 'groups[value eq "x" and type eq "direct"]'),
    (USER, 'meta.lastModified gt "2026-01-01T00:00:00Z"'),
    (GROUP, 'displayName eq "x"'),
    (GROUP, 'members.value eq "x"'),
    (GROUP, 'members[value eq "x"]'),
    (GROUP, 'urn:perch:scim:schemas:extension:access:1.0:Group:roles eq "x"'),
]


@pytest.mark.parametrize(("kind", "text"), LOOKUPS, ids=[text for _, text in LOOKUPS])
def test_lookups_use_indexes(kind, text, connection):
    sql = compiled(text, kind)
    statement = f"SELECT r.document FROM resources r WHERE r.type = ? AND ({sql.text}) ORDER BY r.seq LIMIT 100"
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", (kind.name, *sql.parameters))]
    tables = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
    scans = [
        step for step in tables if step.startswith("SCAN") and step.split()[1] in {"r", "e", "a", "g", "m", "d", "c"}
    ]
    assert not scans, plan
    assert not [step for step in tables if step.endswith("(type=?)")], plan


def test_walks_through_members_read_only_the_groups_among_them(connection):
    texts = ('groups.value eq "x"', f'{ACCESS}:effectiveRoles.value eq "x"')
    for sql in (compiled(text, USER) for text in texts):
        statement = f"EXPLAIN QUERY PLAN SELECT r.id FROM resources r WHERE r.type = 'User' AND ({sql.text})"
        plan = [row[3] for row in connection.execute(statement, sql.parameters)]
        walked = plan.index("RECURSIVE STEP")
        assert plan[walked + 1 : walked + 3] == ["SCAN below", "SEARCH m USING INDEX members_nested (group=?)"]


COUNTED = {
    'roles eq "x"': ["SEARCH a USING COVERING INDEX sqlite_autoindex_assignments_2 (role=? AND source=?)"],
    'emails[type eq "work" and value co "x"]': ["SCAN e"],
    'groups.value eq "x"': ["SEARCH g USING INDEX sqlite_autoindex_resources_1 (id=?)"],
    f'{ACCESS}:effectiveRoles.value eq "x"': [],
}


@pytest.mark.parametrize(("text", "steps"), COUNTED.items(), ids=COUNTED.keys())
def test_elements_are_counted_without_reading_resources(text, steps, connection):
    sql = compile_total(bind(parse_filter(text), USER.schema), BASE)
    assert sql is not None
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql.text}", sql.parameters)]
    assert not [step for step in plan if " r " in step], plan
    assert set(steps) <= set(plan), plan


@pytest.mark.parametrize("text", ["title pr", 'userName eq "x"', 'groups.type eq "direct"', "not (roles pr)", "ims pr"])
def test_other_filters_have_no_counting_statement(text):
    assert compile_total(bind(parse_filter(text), USER.schema), BASE) is None


def _chain(link: str, depth: int) -> str:
    """Nest brackets at the end of each link, alternating `and` and `or`."""
    text = "title pr"
    for level in range(depth):
        text = link.format(word=("and", "or")[level % 2], text=text)
    return text


def _tree(depth: int) -> str:
    if depth == 0:
        return "id pr"
    half = _tree(depth - 1)
    return f"({half} {('and', 'or')[depth % 2]} {half})"


LARGE = {
    "or": " or ".join(f'title eq "{number}"' for number in range(800)),
    "or names": " or ".join(f'userName eq "{number}"' for number in range(700)),
    "or emails": " or ".join(f'emails eq "{number}"' for number in range(700)),
    "or groups": " or ".join(f'groups eq "{number}"' for number in range(700)),
    "and not": " and ".join(f'not (roles[value eq "{number}"])' for number in range(430)),
    "or pr": " or ".join(
        f'ims.{name} pr and title ne "{n}"' for n in range(110) for name in ("type", "value", "display")
    ),
    "right": _chain("active eq true {word} ({text})", MAX_NESTING),
    "left": _chain("({text}) {word} active eq true", MAX_NESTING),
    "not": _chain("title pr {word} not ({text})", MAX_NESTING),
    "two sides": _chain('(active eq true {word} title eq "x") {word} ({text})', MAX_NESTING),
    "elements": _chain(
        'emails[type pr or display eq "x"] {word} groups[type eq "direct"] {word} ({text})', MAX_NESTING
    ),
    "in elements": f"emails[{_chain('value pr {word} ({text})', MAX_NESTING - 1).replace('title', 'display')}]",
    "tree": _tree(10),
    "deep roles": _chain(f'{ACCESS}:effectiveRoles[type eq "x" or value sw "y"] {{word}} ({{text}})', MAX_NESTING),
    "login": _chain(f"not ({ACCESS}:loginAllowed eq true {{word}} ({{text}}))", MAX_NESTING // 2),
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE.keys())
def test_the_largest_filters_run_in_time(text, connection):
    assert len(text) <= MAX_LENGTH
    start = time.perf_counter()
    sql = compiled(text, USER)
    wrapped = f"{'(' * 20}{sql.text}{')' * 20}"
    connection.execute(f"SELECT r.id FROM resources r WHERE r.type = 'User' AND {wrapped}", sql.parameters).fetchall()
    assert time.perf_counter() - start < 1.5


def test_literals_are_bound_as_parameters(connection):
    sql = compiled("""title co "'; DROP TABLE resources; --" or userName sw "?" """, USER)
    assert "DROP" not in sql.text and sql.text.count("?") == len(sql.parameters)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("name", ["displayName", "meta.lastModified"])
def test_orders_use_indexes(name, descending, connection):
    attribute, _, sub = name.partition(".")
    order = order_by(USER.schema.resolve(None, attribute, sub or None), descending)
    beyond = order.after("2026", 7)
    for condition, values in (("1", ()), (beyond.text, beyond.parameters)):
        statement = f"SELECT r.document FROM resources r WHERE r.type = 'User' AND {condition} "
        statement += f"ORDER BY {', '.join((*order.terms, 'r.seq'))} LIMIT 100"
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
        assert f"USING INDEX resources_{sub or attribute} " in plan[0]
        assert "USE TEMP B-TREE FOR ORDER BY" not in plan
