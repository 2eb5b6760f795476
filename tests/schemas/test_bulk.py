"""The messages of bulk operations as clients send and get them (RFC 7644 section 3.7)."""

import re
from typing import Any

import pytest

from schemas.bulk import BulkOperation, BulkRequest, bulk_response, bulk_result, read_bulk
from schemas.errors import InvalidSyntax, InvalidValue, PayloadTooLarge, ScimError
from schemas.messages import error_document

POST = {"method": "POST", "path": "/Groups", "bulkId": "a", "data": {"displayName": "a"}}


def test_a_bulk_request_is_read_in_any_case() -> None:
    body = {"failonerrors": 1, "OPERATIONS": [{"METHOD": "post", "Path": "/Users", "BulkID": "q", "Data": {"A": []}}]}
    assert read_bulk(body, 1) == BulkRequest([BulkOperation(0, "POST", "/Users", "q", None, {"A": []})], 1)


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        ({}, InvalidSyntax, "Operations"),
        ({"Operations": {}}, InvalidSyntax, "Operations"),
        ({"Operations": None}, InvalidSyntax, "Operations"),
        ({"schemas": ["urn:x"], "Operations": [POST]}, InvalidSyntax, "schemas"),
        ({"Operations": [POST, {"path": "/Users"}]}, InvalidSyntax, "Operations[1].method"),
        ({"Operations": [POST, {"method": "POST"}]}, InvalidSyntax, "Operations[1].path"),
        ({"Operations": [POST, 7]}, InvalidSyntax, "Operations[1]"),
        ({"Operations": [POST], "failOnErrors": "many"}, InvalidValue, "failOnErrors"),
        ({"Operations": [POST], "failOnErrors": 0}, InvalidValue, "failOnErrors"),
        ({"Operations": [POST, POST, POST]}, PayloadTooLarge, "at most 2"),
    ],
)
def test_a_wrong_bulk_request_is_refused(body: Any, error: type[ScimError], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)):
        read_bulk(body, 2)


def test_a_bulk_response_holds_results_and_errors() -> None:
    operation = BulkOperation(0, "POST", "/Users", "q")
    error = error_document(InvalidValue("userName: is required."))
    assert error == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "400",
        "scimType": "invalidValue",
        "detail": "userName: is required.",
    }
    created = bulk_result(operation, 201, location="/Users/1", version='W/"1.1"')
    assert created == {
        "method": "POST", "bulkId": "q", "version": 'W/"1.1"', "location": "/Users/1", "status": "201",
    }  # fmt: skip
    failed = bulk_result(operation, 400, response=error)
    assert failed == {"method": "POST", "bulkId": "q", "status": "400", "response": error}
    assert bulk_response([created, failed])["Operations"] == [created, failed]
