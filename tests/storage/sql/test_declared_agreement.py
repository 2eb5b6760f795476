"""Random filters on declared attributes, most of them indexed, give the same result in Python and in SQL."""

import json
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.declarations import Declaration
from schemas.errors import ScimError
from schemas.fields import Complex
from schemas.filters.binding import bind
from schemas.filters.evaluation import evaluate
from schemas.filters.parser import parse_filter
from storage import attributes, resources
from storage.sql.filters import compile_filter
from tests.storage.sql import test_filter_agreement as base
from tests.storage.sql.test_filter_agreement import RELAXED, combined, leaves, words
from tests.support.copies import COPIED, COPY
from tests.support.filter_corpus import BASE, database

TAGS = Declaration("User", COPY, "tags", "string", multiValued=True, indexed=True)
PLAIN = replace(TAGS, name="plain", indexed=False)
EXACT = replace(TAGS, name="exact", caseExact=True)
TEMPLATE = database()
for _one in (*COPIED.values(), TAGS, PLAIN, EXACT):
    attributes.put(TEMPLATE, None, _one)
KIND = attributes.resource_types(TEMPLATE)["User"]
FIELDS = KIND.schema.extensions[COPY].subAttributes
LISTS = [name for name, field in FIELDS.items() if field.multiValued and not isinstance(field, Complex)]
base.PATHS[KIND] = [
    *((bound.dotted, bound.leaf) for bound in KIND.schema.paths() if bound.extension == COPY),
    ("userName", KIND.schema.attributes["userName"]),
]


@st.composite
def documents(draw: Any, place: int) -> dict[str, Any]:
    chosen = draw(base.attributes({name: field for name, field in FIELDS.items() if name not in LISTS}, "emails"))
    lists = draw(st.fixed_dictionaries({}, optional={name: st.lists(words, max_size=3) for name in LISTS}))
    found: dict[str, Any] = KIND.load({"userName": draw(words) + str(place), COPY: {**chosen, **lists}})
    return found


@st.composite
def filters(draw: Any) -> str:
    name = draw(st.sampled_from([*LISTS, ""]))
    if not name:
        return str(draw(leaves(KIND)))
    inner = draw(combined(base.comparisons("value", FIELDS[name])))
    return str(
        draw(st.sampled_from([f"{COPY}:{name}[{inner}]", draw(base.comparisons(f"{COPY}:{name}", FIELDS[name]))]))
    )


@RELAXED
@given(st.lists(st.integers(), max_size=5), st.data())
def test_evaluator_and_sql_agree(places: list[int], data: Any) -> None:
    connection = database(TEMPLATE)
    people = {}
    for place, _ in enumerate(places):
        document = data.draw(documents(place))
        seq, _ = resources.insert(connection, KIND, document)
        attributes.write_values(connection, KIND, seq, {}, document)
        people[seq] = json.loads(KIND.schema.dumps(document))
    for text in data.draw(st.lists(combined(filters()), min_size=4, max_size=8)):
        try:
            bound = bind(parse_filter(text), KIND.schema)
        except ScimError:
            continue
        expected = [seq for seq, document in people.items() if evaluate(bound, document)]
        for type_name in ("", "User"):
            sql = compile_filter(bound, BASE, type_name)
            rows = connection.execute(f"SELECT r.seq FROM resources r WHERE {sql.text} ORDER BY r.seq", sql.parameters)
            assert [seq for (seq,) in rows] == expected, (text, sql)
    connection.close()
