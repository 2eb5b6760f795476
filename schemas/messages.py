"""The messages of RFC 7644: PatchOp, SearchRequest, BulkRequest, BulkResponse, ListResponse and Error."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marshmallow import ValidationError

from schemas.errors import InvalidSyntax, InvalidValue, PayloadTooLarge, ScimError
from schemas.fields import Anything, Attribute, Complex, Integer, Reference, String, is_unassigned, json_type
from schemas.resource import describe
from schemas.tolerances import Tolerance, note
from schemas.values import named, read_value

API = "urn:ietf:params:scim:api:messages:2.0:"
OPERATIONS = ("add", "replace", "remove")
METHODS = ("POST", "PUT", "PATCH", "DELETE")


class Message(Complex):
    """A message of RFC 7644 with its URN; names in any case, extra keys ignored, `schemas` may be missing."""

    def __init__(self, title: str, subAttributes: Mapping[str, Attribute], description: str) -> None:
        super().__init__(subAttributes, description)
        self.title = title
        self.urn = API + title

    def raw(self, body: Any) -> dict[str, Any]:
        """Return a body's known keys under their canonical names, values untouched, after checking `schemas`.

        :raises InvalidSyntax: when the body is no object or names other schemas only.
        """
        if not isinstance(body, dict):
            raise InvalidSyntax(f"The body must be a {self.title} object, not {json_type(body)}.")
        self._check_schemas(next((body[key] for key in body if key.lower() == "schemas"), None))
        return named(self, body)

    def _check_schemas(self, sent: Any) -> None:
        if is_unassigned(sent):
            note(Tolerance.MISSING_SCHEMAS, self.title)
            return
        urns = sent if isinstance(sent, list) else [sent]
        if not any(isinstance(urn, str) and urn.lower() == self.urn.lower() for urn in urns):
            raise InvalidSyntax(f"schemas: must contain {self.urn}.")


PATCH_OP = Message(
    "PatchOp",
    {
        "Operations": Complex(
            {
                "op": String("What to do.", required=True, canonicalValues=OPERATIONS),
                "path": String("The target, an attribute path or a value path."),
                "value": Anything("The value to add or to replace with."),
            },
            "The changes, applied in order, all or none.",
            multiValued=True,
            required=True,
        )
    },
    "Changes to one resource (RFC 7644 section 3.5.2).",
)

SEARCH_REQUEST = Message(
    "SearchRequest",
    {
        "attributes": String("Names of the attributes to return.", multiValued=True),
        "excludedAttributes": String("Names of the attributes to leave out.", multiValued=True),
        "filter": String("Which resources to return."),
        "sortBy": String("The attribute to sort by."),
        "sortOrder": String("ascending or descending.", canonicalValues=["ascending", "descending"]),
        "startIndex": Integer("The 1-based index of the first result."),
        "count": Integer("How many results at most."),
        "cursor": String("The position that an earlier page gave (RFC 9865); empty for the first page."),
    },
    "A query as a body (RFC 7644 section 3.4.3).",
)

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
            },
            "The operations.",
            multiValued=True,
            required=True,
        ),
    },
    "Several operations in one request (RFC 7644 section 3.7).",
)

BULK_RESPONSE = Message(
    "BulkResponse",
    {
        "Operations": Complex(
            {
                "method": String("The HTTP method.", required=True),
                "bulkId": String("The client's name for the resource.", caseExact=True),
                "version": String("The resource's entity tag.", caseExact=True),
                "location": Reference("The resource's URI."),
                "status": String("The HTTP status.", required=True),
                "response": Anything("The body that the operation alone would have had; always there for an error."),
            },
            "The results.",
            multiValued=True,
            required=True,
        )
    },
    "What became of the operations of a BulkRequest (RFC 7644 section 3.7.3).",
)

LIST_RESPONSE = Message(
    "ListResponse",
    {
        "totalResults": Integer("How many resources match.", required=True),
        "startIndex": Integer("The 1-based index of the first result; absent with a cursor."),
        "itemsPerPage": Integer("How many resources the page holds."),
        "nextCursor": String("Where the next page begins (RFC 9865); absent on the last one."),
        "Resources": Anything("The resources.", multiValued=True),
    },
    "A page of resources (RFC 7644 section 3.4.2).",
)

ERROR = Message(
    "Error",
    {
        "status": String("The HTTP status, as text.", required=True),
        "scimType": String("A keyword for the kind of error."),
        "detail": String("What went wrong and what to do about it."),
    },
    "An error (RFC 7644 section 3.12).",
)


@dataclass(frozen=True, slots=True)
class Operation:
    """One change of a PatchOp (RFC 7644 section 3.5.2); `has_value` tells a null value from none."""

    op: str
    path: str | None = None
    value: Any = None
    position: int = 0
    has_value: bool = True

    @property
    def name(self) -> str:
        """The operation's place in the body, for error messages."""
        return f"Operations[{self.position}]"


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A query, from a URL or a body (RFC 7644 section 3.4.3); numbers are as sent, for scim.paging to read."""

    attributes: list[str] | None = None
    excludedAttributes: list[str] | None = None
    filter: str | None = None
    sortBy: str | None = None
    sortOrder: str = "ascending"
    startIndex: Any = None
    count: Any = None
    cursor: Any = None

    @property
    def descending(self) -> bool:
        """Whether the highest value comes first (RFC 7644 section 3.4.2.3)."""
        return self.sortOrder == "descending"


@dataclass(frozen=True, slots=True)
class BulkOperation:
    """One operation of a BulkRequest (RFC 7644 section 3.7), as sent; scim.bulk_plan judges it."""

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


def _operations(message: Message, raw: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the position and the checked keys of each operation, with `value` and `data` as sent."""
    field = message.subAttributes["Operations"]
    sent = raw.get("Operations")
    if isinstance(sent, dict) and sent:
        note(Tolerance.LONE_ELEMENT, "Operations")
        sent = [sent]
    if not isinstance(sent, list) or not sent or not isinstance(field, Complex):
        raise InvalidSyntax("Operations: must be an array of at least one operation.")
    for position, item in enumerate(sent):
        path = f"Operations[{position}]"
        if not isinstance(item, dict):
            raise InvalidSyntax(f"{path}: must be an object, not {json_type(item)}.")
        try:
            yield position, {**named(field, item), **field.read_one(item)}
        except ValidationError as error:
            raise InvalidSyntax(describe({path: error.messages})) from None


def read_patch(body: Any) -> list[Operation]:
    """Read a PatchOp message (RFC 7644 section 3.5.2).

    :raises InvalidSyntax: that names the operation by its 0-based position.
    """
    operations = _operations(PATCH_OP, PATCH_OP.raw(body))
    return [
        Operation(_read_op(item["op"], at), item.get("path") or None, item.get("value"), at, "value" in item)
        for at, item in operations
    ]


def _read_op(sent: str, position: int) -> str:
    op = sent.strip().lower()
    if op not in OPERATIONS:
        raise InvalidSyntax(f"Operations[{position}].op: must be add, remove or replace, not '{sent[:40]}'.")
    if op != sent:
        note(Tolerance.OPERATION_CASE, sent)
    return op


def read_search(body: Any) -> SearchRequest:
    """Read a SearchRequest message (RFC 7644 section 3.4.3).

    :raises InvalidSyntax: when the body is no SearchRequest.
    :raises InvalidValue: that names the key that is wrong.
    """
    return _search(SEARCH_REQUEST.raw(body))


def read_query(parameters: Mapping[str, str]) -> SearchRequest:
    """Read a query from URL parameters, names in any case, unknown ones ignored (RFC 7644 section 3.4.2).

    :raises InvalidValue: that names the parameter that is wrong.
    """
    return _search(named(SEARCH_REQUEST, parameters))


def _search(raw: Mapping[str, Any]) -> SearchRequest:
    order = (_text(raw, "sortOrder") or "ascending").strip().lower()
    if order not in ("ascending", "descending"):
        raise InvalidValue("sortOrder: must be ascending or descending.")
    return SearchRequest(
        attributes=_names(raw, "attributes"),
        excludedAttributes=_names(raw, "excludedAttributes"),
        filter=_text(raw, "filter"),
        sortBy=_text(raw, "sortBy"),
        sortOrder=order,
        startIndex=raw.get("startIndex"),
        count=raw.get("count"),
        cursor=raw.get("cursor"),
    )


def _text(raw: Mapping[str, Any], name: str) -> str | None:
    value = raw.get(name)
    if value is None or is_unassigned(value):
        return None
    return str(read_value(SEARCH_REQUEST.subAttributes[name], value, name))


def _names(raw: Mapping[str, Any], name: str) -> list[str] | None:
    """Read names as an array or, as in a URL, separated by commas; None when there is none."""
    value = raw.get(name)
    if value is None:
        return None
    value = value.split(",") if isinstance(value, str) else value
    if is_unassigned(value):
        return None
    sent = read_value(SEARCH_REQUEST.subAttributes[name], value, name)
    parts = (part.strip() for item in sent for part in item.split(","))
    return [part for part in parts if part] or None


def read_bulk(body: Any, max_operations: int) -> BulkRequest:
    """Read a BulkRequest message of at most `max_operations` operations (RFC 7644 section 3.7).

    :raises InvalidSyntax: that names the operation by its 0-based position.
    :raises PayloadTooLarge: when there are more operations.
    """
    raw = BULK_REQUEST.raw(body)
    sent = raw.get("Operations")
    if isinstance(sent, list) and len(sent) > max_operations:
        raise PayloadTooLarge(
            f"The request has {len(sent)} operations; send at most {max_operations} (maxOperations) at a time."
        )
    operations = [_bulk_operation(position, item) for position, item in _operations(BULK_REQUEST, raw)]
    return BulkRequest(operations, _fail_on_errors(raw.get("failOnErrors")))


def _bulk_operation(position: int, item: Mapping[str, Any]) -> BulkOperation:
    method = item["method"].strip().upper()
    bulk_id, version = item.get("bulkId") or None, item.get("version") or None
    return BulkOperation(position, method, item["path"].strip(), bulk_id, version, item.get("data"))


def _fail_on_errors(sent: Any) -> int | None:
    if is_unassigned(sent):
        return None
    number = int(read_value(BULK_REQUEST.subAttributes["failOnErrors"], sent, "failOnErrors"))
    if number < 1:
        raise InvalidValue("failOnErrors: must be 1 or more; leave it out to run all operations.")
    return number


def error_document(error: ScimError) -> dict[str, Any]:
    """Return the Error message of an error; `status` is text (RFC 7644 section 3.12)."""
    kind = {"scimType": error.scimType} if error.scimType else {}
    return {"schemas": [ERROR.urn], "status": str(error.status), **kind, "detail": error.detail}


def bulk_result(
    operation: BulkOperation,
    status: int,
    *,
    location: str | None = None,
    version: str | None = None,
    response: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return one operation's entry of a BulkResponse; `status` becomes text (RFC 7644 section 3.7.3)."""
    entry = {
        "method": operation.method,
        "bulkId": operation.bulkId,
        "version": version,
        "location": location,
        "status": str(status),
        "response": dict(response) if response is not None else None,
    }
    return {key: value for key, value in entry.items() if value is not None}


def bulk_response(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a BulkResponse with the results in the order of the request (RFC 7644 section 3.7.3)."""
    return {"schemas": [BULK_RESPONSE.urn], "Operations": [dict(result) for result in results]}
