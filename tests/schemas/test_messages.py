"""The messages PatchOp, SearchRequest and Error of RFC 7644."""

import re
from typing import Any

import pytest

from schemas.errors import InvalidSyntax, InvalidValue, NotFound
from schemas.messages import PatchOperation, SearchRequest, error_document, read_patch, read_query, read_search
from schemas.tolerances import Tolerance
from tests.support.tolerances import collect


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "PatchOp"),
        ({}, "Operations"),
        ({"Operations": {}}, "Operations"),
        ({"Operations": ""}, "Operations"),
        ({"Operations": None}, "Operations"),
        ({"Operations": "x"}, "Operations"),
        ({"Operations": [{"op": "add"}, "x"]}, "Operations[1]"),
        ({"Operations": [{"op": "add"}, None]}, "Operations[1]"),
        ({"Operations": [{}]}, "Operations[0].op"),
        ({"Operations": [{"op": "add"}, {"op": "add"}, {"op": "copy"}]}, "Operations[2].op"),
        ({"Operations": [{"op": 1}]}, "Operations[0].op"),
        ({"Operations": [{"op": "add", "path": 1}]}, "Operations[0].path"),
        ({"schemas": ["urn:x"], "Operations": [{"op": "add", "value": {}}]}, "schemas"),
        ({"schemas": "urn:x", "Operations": [{"op": "add", "value": {}}]}, "schemas"),
    ],
)
def test_a_wrong_message_is_refused(body: Any, says: str) -> None:
    with pytest.raises(InvalidSyntax) as raised:
        read_patch(body)
    assert says in raised.value.detail


def test_a_message_in_other_case_without_schemas_is_read() -> None:
    with collect() as used:
        read = read_patch({"OPERATIONS": [{"OP": "Remove", "Path": "members", "VALUE": [], "x": 1}]})
    assert read == [PatchOperation("remove", "members", [], 0, True)]
    assert set(used) == {Tolerance.MISSING_SCHEMAS, Tolerance.OPERATION_CASE}


def test_a_null_value_differs_from_a_missing_one() -> None:
    sent = read_patch({"Operations": [{"op": "remove", "path": "x", "value": None}, {"op": "remove", "path": "x"}]})
    assert [operation.has_value for operation in sent] == [True, False]


def test_a_search_request_is_read_in_any_case() -> None:
    body = {
        "SCHEMAS": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "Attributes": ["userName", "name, emails"],
        "excludedAttributes": [], "FILTER": "active eq true", "sortby": "userName", "sortOrder": "Descending", "x": 1,
    }  # fmt: skip
    expected = SearchRequest(["userName", "name", "emails"], None, "active eq true", "userName", "descending")
    assert read_search(body) == expected
    assert expected.descending
    assert read_query({"attributes": "userName,,name", "SortOrder": "ascending"}).attributes == ["userName", "name"]


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        ([], InvalidSyntax, "SearchRequest"),
        ({"schemas": ["urn:x"]}, InvalidSyntax, "schemas"),
        ({"filter": 1}, InvalidValue, "filter"),
        ({"sortOrder": "up"}, InvalidValue, "sortOrder"),
        ({"attributes": [1]}, InvalidValue, "attributes[0]"),
    ],
)
def test_a_wrong_search_request_is_refused(body: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)):
        read_search(body)


def test_an_error_may_have_no_scim_type() -> None:
    assert error_document(NotFound("Gone.")) == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": "404", "detail": "Gone.",
    }  # fmt: skip
