"""Random filters and orders give the same result in Python over documents and in SQL over rows."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas import ResourceType
from schemas.errors import ScimError
from schemas.fields import Attribute, Complex
from schemas.filters.binding import bind
from schemas.filters.evaluation import comparable, evaluate
from schemas.filters.parser import parse_filter, parse_path
from schemas.resource import Bound
from schemas.user import ACCESS_URN, ENTERPRISE_URN
from storage.sql.filters import compile_filter, compile_total
from storage.sql.ordering import order_by
from tests.support.filter_corpus import BASE, Corpus, Entry, database
from tests.support.resource_types import GROUP, USER

TEMPLATE = database()
CATALOGUE = {"a": "Role A", "A": "ß", "b:c": "b:c", "work": "x", "é": "E\u0301"}
IDS = ["u1", "u2", "U2", "3", "u4", "g1", "g2", "G2", "u1x"]
WORDS = [
    "a",
    "A",
    "ab",
    "b",
    "ß",
    "ss",
    "SS",
    "é",
    "É",
    "work",
    "home",
    "direct",
    "indirect",
    "group",
    "manual",
    "user",
]
WORDS += [
    "😀",
    "\ue000",
    "a\\b",
    'a"b',
    "%",
    "_",
    "u1",
    "g1",
    "b:c",
    "Role A",
    "true",
    "\ud7ff",
    "\U0010ffff",
    "İ",
    "i",
    "e\u0301",
    "E\u0301b",
    "\u0301",
    "\u1100\u1161",
    "가",
    "ς",
    "Σ",
    "ﬁ",
]
INSTANTS = [
    "2026-01-01T00:00:00Z",
    "2026-01-01T00:00:00.5Z",
    "2026-01-01T01:00:00.50+01:00",
    "2026-01-01T00:00:00.123Z",
]
INSTANTS += ["2026-01-01T00:00:00.1230001Z", "2025-12-31T23:59:59.999Z", "2026-01-02T00:00:00-00:30"]
URLS = [f"{BASE}/Users/u1", f"{BASE}/Groups/g1", f"{BASE}/", "/Groups/", "g1"]
SCHEMAS = [USER.schema.urn, GROUP.schema.urn, ENTERPRISE_URN, ACCESS_URN, 'W/"1.7"', 'W/"2.7"']
OPERATORS = ["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr", "EQ", "Pr"]

words = st.sampled_from(WORDS)
instants = st.sampled_from(INSTANTS)
slugs = st.sampled_from(sorted(CATALOGUE))


def values_of(attribute: Attribute) -> st.SearchStrategy[Any]:
    if attribute.kind == "boolean":
        return st.booleans()
    return st.just("YQ==") if attribute.type == "binary" else words


@st.composite
def elements(draw, attribute: Complex):
    subs = {name: field for name, field in attribute.subAttributes.items() if not field.readOnly}
    chosen = draw(st.sets(st.sampled_from(sorted(subs)), min_size=1, max_size=3))
    return {name: draw(values_of(subs[name])) for name in sorted(chosen)}


@st.composite
def values(draw, attribute: Attribute):
    if not isinstance(attribute, Complex):
        return draw(values_of(attribute))
    if not attribute.multiValued:
        return draw(elements(attribute))
    found = draw(st.lists(elements(attribute), min_size=1, max_size=3))
    for later in found[1:]:
        later.pop("primary", None)
    return [element for element in found if element]


@st.composite
def attributes(draw, fields: dict[str, Attribute], often: str = ""):
    apart = {"roles", "groups", "members", "password", "userName", "displayName"} - {often}
    names = sorted(name for name, field in fields.items() if not field.readOnly and name not in apart)
    chosen = draw(st.sets(st.sampled_from(names), max_size=4))
    if often and draw(st.booleans()):
        chosen.add(often)
    return {name: draw(values(fields[name])) for name in sorted(chosen)}


roles = st.lists(
    st.fixed_dictionaries({"value": slugs}, optional={"display": words, "type": words}),
    max_size=2,
    unique_by=lambda role: role["value"],
)


@st.composite
def users(draw, identifier: str, place: int):
    document = draw(attributes(USER.schema.attributes, "emails"))
    document |= {"userName": draw(words) + str(place)}
    if draw(st.booleans()):
        document["displayName"] = draw(words)
    if draw(st.booleans()):
        document[ENTERPRISE_URN] = draw(attributes(USER.schema.extensions[ENTERPRISE_URN].subAttributes))
    held = draw(roles)
    if held and draw(st.booleans()):
        held[-1]["primary"] = draw(st.booleans())
    manual = draw(st.lists(slugs, max_size=1))
    return Entry(identifier, "User", document, draw(st.integers(1, 2)), *draw_instants(draw), held, manual)


@st.composite
def groups(draw, identifier: str, place: int, ids: list[str]):
    document = {"displayName": draw(words) + str(place)}
    if draw(st.booleans()):
        document["externalId"] = draw(words)
    members = draw(st.lists(st.sampled_from(ids), max_size=4, unique=True))
    given_roles = draw(st.lists(slugs, max_size=2, unique=True))
    return Entry(identifier, "Group", document, 1, *draw_instants(draw), [], [], members, given_roles)


def draw_instants(draw) -> tuple[str, str]:
    return draw(instants), draw(instants)


@st.composite
def corpora(draw):
    ids = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=6, unique=True))
    entries = []
    for place, identifier in enumerate(ids):
        strategy = users(identifier, place) if identifier[0] not in "gG" else groups(identifier, place, ids)
        entries.append(draw(strategy))
    return Corpus(entries, CATALOGUE)


def paths_of(kind: ResourceType) -> list[tuple[str, Attribute]]:
    schema = kind.schema
    found: list[tuple[str, Attribute]] = [("password", USER.schema.attributes["userName"])]
    for bound in schema.paths():
        found.append((bound.dotted, bound.leaf))
        if bound.attribute.name in schema.core and not bound.extension:
            found.append((f"{schema.urn}:{bound.dotted}", bound.leaf))
    return found


PATHS = {kind: paths_of(kind) for kind in (USER, GROUP)}
FAVOURITES = ("emails", "groups", "members", "roles", "effectiveRoles", "loginAllowed")


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def literals(attribute: Attribute) -> st.SearchStrategy[str]:
    fitting = words.map(quoted)
    if attribute.kind == "boolean":
        fitting = st.sampled_from(["true", "false", '"True"', '"fALSE"'])
    elif attribute.kind == "instant":
        fitting = instants.map(quoted)
    elif attribute.type == "reference" or attribute.name == "version":
        fitting = st.sampled_from(URLS + SCHEMAS).map(quoted) | fitting
    elif attribute.caseExact:
        fitting = st.sampled_from(IDS + sorted(CATALOGUE)).map(quoted) | fitting
    odd = st.sampled_from(["null", "true", "1", "-2.5e3", '""', "bare", '"\\u0000"', '"\\ud83d\\ude00"', '"2026"'])
    return st.integers(0, 9).flatmap(lambda chance: fitting if chance else odd)


@st.composite
def comparisons(draw, name: str, attribute: Attribute):
    operator = draw(st.sampled_from(OPERATORS))
    if draw(st.integers(0, 9)) == 0:
        name = name.upper()
    return f"{name} {operator}" if operator.lower() == "pr" else f"{name} {operator} {draw(literals(attribute))}"


def combined(leaf: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    def extend(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        joined = st.tuples(inner, st.sampled_from([" and ", " or ", " OR "]), inner).map("".join)
        return joined | joined.map(lambda text: f"({text})") | inner.map(lambda text: f"not ({text})")

    return st.recursive(leaf, extend, max_leaves=5)


@st.composite
def value_paths(draw, name: str, attribute: Complex):
    subs = sorted(attribute.subAttributes)
    leaf = st.sampled_from(subs).flatmap(lambda sub: comparisons(sub, attribute.subAttributes[sub]))
    text = f"{name}[{draw(combined(leaf))}]"
    if draw(st.booleans()):
        return text
    sub = draw(st.sampled_from(subs))
    return draw(comparisons(f"{text}.{sub}", attribute.subAttributes[sub]))


@st.composite
def leaves(draw, kind: ResourceType):
    paths = PATHS[kind]
    if draw(st.booleans()):
        paths = [path for path in paths if any(name in path[0] for name in FAVOURITES)]
    name, attribute = draw(st.sampled_from(paths))
    if isinstance(attribute, Complex) and draw(st.booleans()):
        return draw(value_paths(name, attribute))
    return draw(comparisons(name, attribute))


KINDS = {"User": USER, "Group": GROUP}
RELAXED = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@RELAXED
@given(corpora(), st.data())
def test_evaluator_and_sql_agree(corpus, data):
    connection = database(TEMPLATE)
    corpus.insert(connection)
    for name, kind in KINDS.items():
        documents = corpus.documents(name)
        for text in data.draw(st.lists(combined(leaves(kind)), min_size=4, max_size=8), label=name):
            try:
                bound = bind(parse_filter(text), kind.schema)
            except ScimError:
                continue
            expected = [key for key, document in documents.items() if evaluate(bound, document)]
            sql = compile_filter(bound, BASE)
            statement = f"SELECT r.id FROM resources r WHERE r.type = ? AND ({sql.text}) ORDER BY r.seq"
            found = [key for (key,) in connection.execute(statement, (name, *sql.parameters))]
            assert found == expected, (text, sql)
            sql = compile_filter(bound, BASE, name)
            statement = f"SELECT r.id FROM resources r WHERE {sql.text} ORDER BY r.seq"
            assert [key for (key,) in connection.execute(statement, sql.parameters)] == expected, (text, sql)
            if counting := compile_total(bound, BASE):
                assert connection.execute(counting.text, counting.parameters).fetchone() == (len(expected),), text
    connection.close()


def sort_value(document: dict[str, Any], bound: Bound) -> Any:
    owner: Any = document
    for key in Bound(bound.extension, bound.attribute).path:
        owner = owner.get(key, {}) if isinstance(owner, dict) else {}
    if bound.attribute.multiValued:
        primary = [element for element in owner if isinstance(element, dict) and element.get("primary")]
        owner = (primary or list(owner) or [{}])[0]
    sub = bound.sub.name if bound.sub else "value" if isinstance(bound.attribute, Complex) else None
    value = (owner.get(sub) if isinstance(owner, dict) else None) if sub else owner
    leaf = bound.attribute.sub("value") if sub == "value" and isinstance(bound.attribute, Complex) else bound.leaf
    assert leaf is not None
    return None if value is None or value == {} else comparable(leaf, value)


def sortable(kind: ResourceType) -> list[str]:
    plain = [name for name, field in PATHS[kind] if not isinstance(field, Complex) or field.sub("value")]
    return [name for name in plain if not name.endswith("password")]


@RELAXED
@given(corpora(), st.data())
def test_orders_and_pages_agree(corpus, data):
    connection = database(TEMPLATE)
    corpus.insert(connection)
    for name, kind in KINDS.items():
        path = parse_path(data.draw(st.sampled_from(sortable(kind)), label=name)).path
        bound = kind.schema.resolve(path.urn, path.name, path.sub)
        descending = data.draw(st.booleans())
        keys = {key: sort_value(document, bound) for key, document in corpus.documents(name).items()}
        present = sorted((key for key in keys if keys[key] is not None), key=lambda key: keys[key], reverse=descending)
        missing = [key for key in keys if keys[key] is None]
        expected = [*missing, *present] if descending else [*present, *missing]
        order = order_by(bound, descending)
        assert pages(connection, name, order) == expected, (path, order)
    connection.close()


def pages(connection, name: str, order) -> list[str]:
    """Read pages of two, each after the last one's key, and all at once."""
    terms = ", ".join((*order.terms, "r.seq"))
    select = f"SELECT r.id, {order.key}, r.seq, {order.missing} FROM resources r WHERE r.type = ?"
    whole = connection.execute(f"{select} ORDER BY {terms}", (name,)).fetchall()
    found: list[str] = []
    rows = connection.execute(f"{select} ORDER BY {terms} LIMIT 2", (name,)).fetchall()
    while rows:
        assert all(bool(missing) is (key is None) for _, key, _, missing in rows)
        found += [identifier for identifier, *_ in rows]
        beyond = order.after(rows[-1][1], rows[-1][2])
        sql = f"{select} AND {beyond.text} ORDER BY {terms} LIMIT 2"
        rows = connection.execute(sql, (name, *beyond.parameters)).fetchall()
    assert found == [row[0] for row in whole]
    return found
