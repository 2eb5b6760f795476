"""What providers ask every day is found through indexes: the plans of all statements that the requests really run."""

import re
from collections.abc import Callable
from urllib.parse import quote

import pytest
from flask import Flask

from tests.conftest import MakeClient
from tests.support.statements import traced

PlansOf = Callable[[str], dict[str, list[str]]]

# Rows that come from the request itself, or were found by a step before, are no table.
NO_TABLE = re.compile(r"SCAN (\w+ VIRTUAL TABLE|json_each|above|a$|d$|down|\(|CONSTANT)")
LOOK_UPS = {
    "/Users": [
        'userName eq "ann"', 'externalId eq "x"', 'emails.value eq "ann@example.com"', 'emails eq "ann@example.com"',
        'emails[type eq "work"].value eq "ann@example.com"', 'id eq "x"', 'userName sw "an"',
        'userName eq "ann" and active eq true',
    ],
    "/Groups": ['displayName eq "all"', 'externalId eq "x"', 'members.value eq "x"', 'displayName sw "a"'],
}  # fmt: skip
PAGES = ["/Users", "/Users?startIndex=1&count=100", "/Users?startIndex=1030&count=10", "/Users?cursor=&count=10",
         "/Groups?excludedAttributes=members", "/Groups?startIndex=5"]  # fmt: skip


@pytest.fixture
def plans_of(app: Flask, make_client: MakeClient) -> PlansOf:
    """Return a function that gives the plans of the statements of one GET, each below its statement."""
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
    # Through the index on the type alone a look-up would read everybody.
    assert not [step for steps in found.values() for step in steps if step.endswith("resources_type (type=?)")]


@pytest.mark.parametrize("path", [*PAGES, "/Users/{user}", "/Groups/{group}"])
def test_pages_and_single_resources_neither_scan_nor_sort(plans_of: PlansOf, path: str) -> None:
    found = plans_of(path)
    assert len(found) >= 2
    assert not scans(found)
    assert not sorts(found)
