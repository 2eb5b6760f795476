"""SCIM errors, one class per row of RFC 7644 section 3.12 (tables 8 and 9) and RFC 9865 section 2.1."""

from collections.abc import Mapping
from difflib import get_close_matches

from schemas.text import fold

LONGEST_COMPARED = 255


class ScimError(Exception):
    """An error that becomes a SCIM Error message (RFC 7644 section 3.12); `detail` says what to correct."""

    status = 500
    scimType: str | None = None

    def __init_subclass__(cls, status: int | None = None, scimType: str | None = None) -> None:
        cls.status = status or cls.status
        cls.scimType = scimType or cls.scimType

    def __init__(self, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})


class BadRequest(ScimError, status=400): ...


class InvalidFilter(BadRequest, scimType="invalidFilter"): ...


class InvalidSyntax(BadRequest, scimType="invalidSyntax"): ...


class InvalidPath(BadRequest, scimType="invalidPath"): ...


class InvalidValue(BadRequest, scimType="invalidValue"): ...


class NoTarget(BadRequest, scimType="noTarget"): ...


class Mutability(BadRequest, scimType="mutability"): ...


class TooMany(BadRequest, scimType="tooMany"): ...


class InvalidCursor(BadRequest, scimType="invalidCursor"): ...


class ExpiredCursor(BadRequest, scimType="expiredCursor"): ...


class InvalidCount(BadRequest, scimType="invalidCount"): ...


class Unauthorized(ScimError, status=401): ...


class Forbidden(ScimError, status=403): ...


class NotFound(ScimError, status=404): ...


class MethodNotAllowed(ScimError, status=405): ...


class RequestTimeout(ScimError, status=408): ...


class Uniqueness(ScimError, status=409, scimType="uniqueness"): ...


class Conflict(ScimError, status=409): ...


class Gone(ScimError, status=410): ...


class PreconditionFailed(ScimError, status=412): ...


class PayloadTooLarge(ScimError, status=413): ...


class UnsupportedMediaType(ScimError, status=415): ...


class NotSupported(ScimError, status=501): ...


class RetryLater(ScimError):
    """An error that passes; `retry_after`, else `wait`, is how many whole seconds to wait (RFC 9110 10.2.3)."""

    wait = 5

    def __init__(self, detail: str, retry_after: int = 0) -> None:
        super().__init__(detail, {"Retry-After": str(retry_after or self.wait)})


class TooManyRequests(RetryLater, status=429): ...


class Unavailable(RetryLater, status=503): ...


class InsufficientStorage(ScimError, status=507): ...


def did_you_mean(wanted: str, known: Mapping[str, str], most: int = 2, cutoff: float = 0.75) -> str:
    """Return a sentence with the nearest known names, with a space before it; "" when no name is near.

    `known` maps folded names, which are compared, to the names to show; `cutoff` is from 0 (all are near) to 1 (equal).
    """
    near = get_close_matches(fold(wanted)[:LONGEST_COMPARED], known, most, cutoff)
    return f" Did you mean {' or '.join(known[name] for name in near)}?" if near else ""
