"""The deviations from the RFCs that Perch understands on purpose, each named once; uses are noted per request."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum


class Tolerance(Enum):
    """A deviation that a real client sends; the value says what it is and which rule it bends."""

    OPERATION_CASE = "`op` in another case than add, remove, replace (RFC 7644 section 3.5.2)"
    MISSING_SCHEMAS = "a message or resource without `schemas` (RFC 7643 section 3)"
    DOTTED_KEYS = "a value without a path whose keys are paths, such as `name.givenName` (RFC 7644 section 3.5.2)"
    TEXT_BOOLEAN = "a boolean as a string, such as \"True\" (RFC 7643 section 2.3.2)"
    TEXT_NUMBER = "a number as a string (RFC 7643 section 2.3)"
    CREATED_FROM_FILTER = "a replace through a filter that matches nothing creates the element (RFC 7644 section 3.5.2.3)"
    REMOVE_WITH_VALUE = "a remove that lists the values to remove (RFC 7644 section 3.5.2.2)"
    BARE_VALUE = "a plain value where an object with `value` is defined (RFC 7643 section 2.4)"
    SINGLE_VALUE_ARRAY = "an array around the value of a single-valued attribute (RFC 7643 section 2.4)"
    LONE_ELEMENT = "a single element where a multi-valued attribute takes an array (RFC 7643 section 2.4)"
    EMPTY_MANAGER = "an empty `manager.value` to clear the manager (RFC 7643 section 4.3)"
    ROLE_IN_JSON_TEXT = "a role as JSON inside a string (RFC 7643 section 4.1.2)"
    MISPLACED_ATTRIBUTE = "an attribute of a schema placed outside or inside its URN (RFC 7643 section 3.3)"
    IGNORED_ID = "an `id` in a value, ignored because it is readOnly (RFC 7643 section 3.1)"
    TRAILING_SLASH = "a trailing slash in the URL (RFC 7644 section 3.2)"
    TEXT_BOOLEAN_FILTER = "a boolean in quotes in a filter (RFC 7644 section 3.4.2.2)"
    REACTIVATED = "a POST for a deactivated user, taken as its re-activation (RFC 7644 section 3.3)"


_used: ContextVar[dict[Tolerance, str] | None] = ContextVar("tolerances", default=None)


def note(tolerance: Tolerance, example: str = "") -> None:
    """Record that the current request needed `tolerance`; without a collector nothing happens."""
    used = _used.get()
    if used is not None:
        used.setdefault(tolerance, example)


@contextmanager
def collect() -> Iterator[dict[Tolerance, str]]:
    """Collect the tolerances used inside the block, each with its first example."""
    used: dict[Tolerance, str] = {}
    token = _used.set(used)
    try:
        yield used
    finally:
        _used.reset(token)
