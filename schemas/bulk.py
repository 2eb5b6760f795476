"""The messages of bulk operations: BulkRequest and BulkResponse (RFC 7644 section 3.7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import InvalidValue, PayloadTooLarge
from schemas.fields import Anything, Complex, Integer, String
from schemas.messages import API, Message

BULK_RESPONSE_URN = f"{API}BulkResponse"
METHODS = ("POST", "PUT", "PATCH", "DELETE")

BULK_REQUEST = Message(
    "BulkRequest",
    {
        "failOnErrors": Integer("After how many errors to stop."),
        "Operations": Complex(
            {
                "method": String("The HTTP method.", required=True, canonicalValues=METHODS),
                "bulkId": String("The client's name for a resource that the request creates.", caseExact=True),
                "version": String("The entity tag that the resource must have.", caseExact=True),
                "path": String("The resource's path relative to the base URL.", required=True, caseExact=True),
                "data": Anything("The body of the operation."),
            }
        ),
    },
)


@dataclass(frozen=True, slots=True)
class BulkOperation:
    """One operation of a BulkRequest (RFC 7644 section 3.7), as sent; the bulk plan checks it."""

    position: int
    method: str
    path: str
    bulkId: str | None = None
    version: str | None = None
    data: Any = None

    @property
    def name(self) -> str:
        """The operation's place in the body, for error messages."""
        return f"Operations[{self.position}]"


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """A bulk request (RFC 7644 section 3.7); `failOnErrors` None means never to stop."""

    operations: list[BulkOperation]
    failOnErrors: int | None = None


def read_bulk(body: Any, max_operations: int) -> BulkRequest:
    """Read a BulkRequest message of at most `max_operations` operations (RFC 7644 section 3.7).

    :raises InvalidSyntax: that names the operation by its 0-based position.
    :raises InvalidValue: when `failOnErrors` is wrong.
    :raises PayloadTooLarge: when there are more operations.
    """
    raw = BULK_REQUEST.raw(body)
    sent = raw.get("Operations")
    if isinstance(sent, list) and len(sent) > max_operations:
        raise PayloadTooLarge(
            f"The request has {len(sent)} operations; send at most {max_operations} (maxOperations) at a time."
        )
    operations = [
        BulkOperation(
            position, item["method"].strip().upper(), item["path"].strip(), item.get("bulkId") or None,
            item.get("version") or None, item.get("data"),
        )
        for position, item in BULK_REQUEST.operations(raw)
    ]  # fmt: skip
    most = BULK_REQUEST.value(raw, "failOnErrors")
    if most is not None and most < 1:
        raise InvalidValue("failOnErrors: must be 1 or more; leave it out to run all operations.")
    return BulkRequest(operations, most)


def bulk_result(
    operation: BulkOperation,
    status: int,
    *,
    location: str | None = None,
    version: str | None = None,
    response: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return one operation's entry of a BulkResponse; `status` becomes text (RFC 7644 section 3.7.3)."""
    entry = {"method": operation.method, "bulkId": operation.bulkId, "version": version, "location": location,
             "status": str(status), "response": response}  # fmt: skip
    return {key: value for key, value in entry.items() if value is not None}


def bulk_response(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a BulkResponse with the results in the order of the request (RFC 7644 section 3.7.3)."""
    return {"schemas": [BULK_RESPONSE_URN], "Operations": [dict(result) for result in results]}
