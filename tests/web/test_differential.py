"""Random operations have the same results on Perch and on scim2-server, except for the table DIFFERENCES."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from schemas.text import fold
from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.oracle import Outcome, Pair, oracle_client
from tests.support.random_operations import Operation, Operations

SEQUENCES, LENGTH = 12, 60


@dataclass(frozen=True)
class Difference:
    """A difference on purpose: what Perch does, the rule behind it, and a function that recognises it."""

    what: str
    because: str
    applies: Callable[[Operation, Outcome], bool]


def scim_types(outcome: Outcome) -> tuple[str | None, str | None]:
    """Return the scimType of each server's error."""
    perch, oracle = (answer.body.get("scimType") if answer.status >= 400 else None for answer in outcome[:2])
    return perch, oracle


def patches(operation: Operation) -> list[dict[str, Any]]:
    return operation.body["Operations"] if operation.method == "PATCH" else []


def is_group_name_taken(operation: Operation, outcome: Outcome) -> bool:
    return operation.path.startswith("/Groups") and scim_types(outcome) == ("uniqueness", None)


def is_created_from_filter(operation: Operation, outcome: Outcome) -> bool:
    sets = any(op["op"] != "remove" and "[" in op.get("path", "") for op in patches(operation))
    return sets and outcome.perch.status == 200 and scim_types(outcome) == (None, "noTarget")


def is_unknown_op(operation: Operation, outcome: Outcome) -> bool:
    return scim_types(outcome) == ("invalidSyntax", "invalidValue") and any(
        op["op"] == "move" for op in patches(operation)
    )


def is_first_of_several_errors(operation: Operation, outcome: Outcome) -> bool:
    return len(patches(operation)) > 1 and outcome.statuses == (400, 400)


def is_pair_held_once(operation: Operation, outcome: Outcome) -> bool:
    """Tell whether the elements are the same, apart from the oracle's copies with another `primary` or `display`."""
    if not any(op["op"] == "add" for op in patches(operation)) or None in outcome.documents:
        return False
    perch, oracle = (
        {key: distinct(value) if isinstance(value, list) else value for key, value in document.items()}
        for document in outcome.documents
    )
    return perch == oracle


def distinct(elements: list[Any]) -> list[Any]:
    without = [
        {k: v for k, v in e.items() if k not in ("primary", "display")} if isinstance(e, dict) else e for e in elements
    ]
    return [element for place, element in enumerate(without) if element not in without[:place]]


def is_replaced_through_filter(operation: Operation, outcome: Outcome) -> bool:
    whole = any(op["op"] == "replace" and op.get("path", "").endswith("]") for op in patches(operation))
    return whole and max(outcome.statuses) < 300


def is_missing_primary(operation: Operation, outcome: Outcome) -> bool:
    return "primary" in operation.path and outcome.statuses == (200, 200)


def is_label_of_nothing(operation: Operation, outcome: Outcome) -> bool:
    labels = any(op.get("path") == "emails.display" for op in patches(operation))
    return labels and outcome.oracle.status == 204 and scim_types(outcome)[0] == "noTarget"


def is_schema_without_data(operation: Operation, outcome: Outcome) -> bool:
    return "schemas+eq" in operation.path and outcome.statuses == (200, 200)


def is_role_held_once(operation: Operation, outcome: Outcome) -> bool:
    return any(op.get("path") == "roles" and op["op"] == "add" for op in patches(operation)) and without_roles(outcome)


def without_roles(outcome: Outcome) -> bool:
    """Tell whether only `roles` differ."""
    perch, oracle = ({**(document or {}), "roles": None} for document in outcome.documents)
    return perch == oracle


def is_deleted_member(operation: Operation, outcome: Outcome) -> bool:
    return operation.path.startswith("/Groups") and "members" in operation.path and outcome.statuses == (200, 200)


DIFFERENCES = [
    Difference(
        "A group's displayName is unique, ignoring case.",
        "The design: Okta links a pushed group by its name, so two of one name would be mixed up (409 uniqueness).",
        is_group_name_taken,
    ),
    Difference(
        "A path with a filter that matches nothing creates the element from the filter's eq terms.",
        "The design: Entra sets emails[type eq \"work\"].value of users without one; RFC 7644 section 3.5.2.3 "
        "would have noTarget, which Perch keeps for filters that describe no element.",
        is_created_from_filter,
    ),
    Difference(
        "An unknown op is invalidSyntax.",
        "RFC 7644 table 9: invalidSyntax is for a body that does not conform to the request schema.",
        is_unknown_op,
    ),
    Difference(
        "A PATCH with several errors reports that of its first operation.",
        "RFC 7644 section 3.5.2: operations are applied in the order in which they appear.",
        is_first_of_several_errors,
    ),
    Difference(
        "An added element with the type and value of an existing one is the same element.",
        "RFC 7643 section 2.4: a multi-valued attribute should not hold the same (type, value) twice; "
        "RFC 7644 section 3.5.2.1: adding a value that exists changes nothing.",
        is_pair_held_once,
    ),
    Difference(
        "A replace through a filter replaces the whole element; the oracle merges.",
        "RFC 7644 section 3.5.2.3: all matching record values SHALL be replaced.",
        is_replaced_through_filter,
    ),
    Difference(
        "A missing primary compares as false.",
        "RFC 7643 section 2.4: if not specified, the value of primary SHALL be assumed to be false.",
        is_missing_primary,
    ),
    Difference(
        "A label such as display cannot be set where there is no element to label.",
        "RFC 7644 section 3.5.2.3 has noTarget for what matches nothing; silence would hide a lost change.",
        is_label_of_nothing,
    ),
    Difference(
        "schemas names the extensions that a resource has values of, not those that a client listed.",
        "RFC 7643 section 3: schemas holds the URIs of the schemas that define the attributes present.",
        is_schema_without_data,
    ),
    Difference(
        "A user holds a role once; adding it again replaces its type, display and primary.",
        "The design, section 6: a role is known by its slug; type, display and primary are what the client said of it.",
        is_role_held_once,
    ),
    Difference(
        "A deleted resource is no longer a member; the oracle keeps its id.",
        "The design, section 7, and RFC 7644 section 3.6: a deleted resource is not found any more.",
        is_deleted_member,
    ),
]  # fmt: skip


@pytest.fixture
def perch(make_app: MakeApp, make_client: MakeClient) -> ScimClient:
    return make_client("generic", app=make_app(PERCH_FUSE="off"))


@pytest.mark.parametrize("start", range(0, SEQUENCES, 3))
def test_random_operations_have_the_same_results(start: int, perch: ScimClient) -> None:
    for seed in range(start, start + 3):
        pair, operations = Pair(perch, oracle_client()), Operations(seed)
        for number in range(LENGTH):
            operation = operations.next()
            if pair.can(operation):
                outcome = with_ties_in_one_order(operation, pair.send(operation))
                if not outcome.agrees:
                    assert explained(operation, outcome), report(seed, number, operation, outcome)
                    pair.follow(operation)
        pair.clear()


def with_ties_in_one_order(operation: Operation, outcome: Outcome) -> Outcome:
    """Return the outcome with resources of equal sort values in the same order: the RFC leaves that order free."""
    if operation.method != "GET" or "Resources" not in (outcome.documents[0] or ()):
        return outcome
    key = parse_qs(urlsplit(operation.path).query).get("sortBy", [""])[0]
    perch, oracle = (
        {**document, "Resources": untied(document["Resources"], key)} if document else None
        for document in outcome.documents
    )
    return outcome._replace(documents=(perch, oracle))


def untied(documents: list[Any], key: str) -> list[Any]:
    runs = groupby(documents, lambda document: sort_value(document, key))
    return [document for _, run in runs for document in sorted(run, key=lambda document: document["id"])]


def sort_value(document: dict[str, Any], key: str) -> Any:
    """Return the folded value of `title`, `name.familyName` or `urn:…:User:employeeNumber`; None if missing."""
    value: Any = document
    urn, _, name = key.rpartition(":")
    for step in [urn, *name.split(".")] if urn else name.split("."):
        value = value.get(step) if value else None
    return fold(value) if isinstance(value, str) else value


def explained(operation: Operation, outcome: Outcome) -> bool:
    return any(difference.applies(operation, outcome) for difference in DIFFERENCES)


def report(seed: int, number: int, operation: Operation, outcome: Outcome) -> str:
    lines = [f"seed {seed}, operation {number}: {operation}"]
    for name, answer, document in zip(("Perch", "oracle"), outcome[:2], outcome.documents, strict=True):
        detail = answer.body.get("detail") if answer.status >= 400 else ""
        lines.append(f"{name}: {answer.status} {detail}\n  {document}")
    return "\n".join(lines)


@pytest.mark.parametrize("difference", DIFFERENCES, ids=[difference.what for difference in DIFFERENCES])
def test_every_difference_names_its_rule(difference: Difference) -> None:
    assert difference.because.startswith(("The design", "RFC "))
