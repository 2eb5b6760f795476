"""The messages of RFC 7644: PatchOp, SearchRequest, ListResponse and Error."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from marshmallow import ValidationError

from schemas.errors import InvalidSyntax, InvalidValue, ScimError
from schemas.fields import Anything, Attribute, Complex, Integer, String, is_unassigned, json_type
from schemas.tolerances import LONGEST_NAME, Tolerance, follows_profile, note, refuse_in_profile
from schemas.urns import names_schema, unknown_schemas
from schemas.values import read_value, sentences

API = "urn:ietf:params:scim:api:messages:2.0:"
LIST_RESPONSE_URN = f"{API}ListResponse"
ERROR_URN = f"{API}Error"
OPERATIONS = ("add", "replace", "remove")
ORDERS = ("ascending", "descending")
# Names in `attributes` or `excludedAttributes`.
MAX_NAMES = 200


class Message(Complex):
    """A message of RFC 7644 with its URN; names in any case, unknown keys ignored, `schemas` may be missing."""

    def __init__(self, title: str, subAttributes: Mapping[str, Attribute]) -> None:
        super().__init__(subAttributes)
        self.title = title
        self.urn = API + title

    def raw(self, body: Any) -> dict[str, Any]:
        """Return a body's known keys under their declared names, with the values as sent, after checking `schemas`.

        :raises InvalidSyntax: when the body is no object or names other schemas only; in a profile for unknown keys.
        """
        if not isinstance(body, dict):
            raise InvalidSyntax(f"The body must be a {self.title} object, not {json_type(body)}.")
        if not names_schema(body, self.urn, self.title):
            raise InvalidSyntax(f"schemas: must contain {self.urn}.")
        if follows_profile():
            self._refuse_unknown(body)
        return self.named(body)

    def _refuse_unknown(self, body: dict[str, Any]) -> None:
        for key in body:
            if self.sub(key) is None and key.lower() != "schemas":
                refuse_in_profile(f"{key[:LONGEST_NAME]}: a {self.title} has no such attribute")
        for urn in unknown_schemas(body, {self.urn.lower()}):
            refuse_in_profile(f"schemas: {urn[:LONGEST_NAME]} is no schema of a {self.title}")

    def operations(self, raw: Mapping[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the 0-based position and the checked keys of each operation, with `value` and `data` as sent.

        :raises InvalidSyntax: that names the operation by its position.
        """
        field = cast(Complex, self.subAttributes["Operations"])
        sent = raw.get("Operations")
        if isinstance(sent, dict) and sent:
            note(Tolerance.LONE_ELEMENT, "Operations")
            sent = [sent]
        if not isinstance(sent, list):
            raise InvalidSyntax("Operations: must be an array of operations.")
        if not sent:
            note(Tolerance.NO_OPERATIONS, self.title)
        for position, item in enumerate(sent):
            path = f"Operations[{position}]"
            if not isinstance(item, dict):
                raise InvalidSyntax(f"{path}: must be an object, not {json_type(item)}.")
            try:
                yield position, {**field.named(item), **field.read_one(item)}
            except ValidationError as error:
                raise InvalidSyntax(sentences({path: error.messages})) from None

    def value(self, raw: Mapping[str, Any], name: str) -> Any:
        """Return the canonical form of a key's value, None for an unassigned one.

        :raises InvalidValue: that names the key and what is wrong.
        """
        sent = raw.get(name)
        return None if is_unassigned(sent) else read_value(self.subAttributes[name].read, sent, name)


PATCH_OP = Message(
    "PatchOp",
    {
        "Operations": Complex(
            {
                "op": String("What to do.", required=True, canonicalValues=OPERATIONS),
                "path": String("The target, an attribute path or a value path."),
                "value": Anything("The value to add or to replace with."),
            }
        )
    },
)

SEARCH_REQUEST = Message(
    "SearchRequest",
    {
        "attributes": String("Names of the attributes to return.", multiValued=True),
        "excludedAttributes": String("Names of the attributes to leave out.", multiValued=True),
        "filter": String("Which resources to return."),
        "sortBy": String("The attribute to sort by."),
        "sortOrder": String("ascending or descending.", canonicalValues=ORDERS),
        "startIndex": Integer("The 1-based index of the first result."),
        "count": Integer("How many results at most."),
        "cursor": String("The position that an earlier page gave (RFC 9865); empty for the first page."),
    },
)


@dataclass(frozen=True, slots=True)
class PatchOperation:
    """One change of a PatchOp (RFC 7644 section 3.5.2); `has_value` tells a null value from a missing one."""

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
    """A query, from a URL or a body (RFC 7644 section 3.4.3); numbers and cursor as sent, for `read_page` to check."""

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


def read_patch(body: Any) -> list[PatchOperation]:
    """Read a PatchOp message (RFC 7644 section 3.5.2).

    :raises InvalidSyntax: that names the operation by its 0-based position.
    """
    found = []
    for at, item in PATCH_OP.operations(PATCH_OP.raw(body)):
        sent = item["op"]
        op = sent.strip().lower()
        if op not in OPERATIONS:
            raise InvalidSyntax(f"Operations[{at}].op: must be add, remove or replace, not '{sent[:40]}'.")
        if op != sent:
            note(Tolerance.OPERATION_CASE, sent)
        found.append(PatchOperation(op, item.get("path") or None, item.get("value"), at, "value" in item))
    return found


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
    return _search(SEARCH_REQUEST.named(parameters))


def _search(raw: Mapping[str, Any]) -> SearchRequest:
    order = (SEARCH_REQUEST.value(raw, "sortOrder") or "ascending").strip().lower()
    if order not in ORDERS:
        raise InvalidValue("sortOrder: must be ascending or descending.")
    return SearchRequest(
        _names(raw, "attributes"), _names(raw, "excludedAttributes"), SEARCH_REQUEST.value(raw, "filter"),
        SEARCH_REQUEST.value(raw, "sortBy"), order, raw.get("startIndex"), raw.get("count"), raw.get("cursor"),
    )  # fmt: skip


def _names(raw: Mapping[str, Any], name: str) -> list[str] | None:
    """Read names from an array or, as in a URL, from text with commas between; None when there are none."""
    value = raw.get(name)
    listed = value.split(",") if value and isinstance(value, str) else value
    sent = SEARCH_REQUEST.value({name: listed}, name) or ()
    names = [part.strip() for item in sent for part in item.split(",") if part.strip()]
    if len(names) > MAX_NAMES:
        raise InvalidValue(f"{name}: has {len(names)} names; send at most {MAX_NAMES}.")
    return names or None


def error_document(error: ScimError) -> dict[str, Any]:
    """Return the Error message of an error; `status` is text (RFC 7644 section 3.12)."""
    kind = {"scimType": error.scimType} if error.scimType else {}
    return {"schemas": [ERROR_URN], "status": str(error.status), **kind, "detail": error.detail}
