"""The deviations from the RFCs that Perch tolerates, each named once; a request collects those that it needed."""

from contextvars import ContextVar, Token
from enum import Enum
from typing import Any

from schemas import errors

MOST_IGNORED = 100
LONGEST_NAME = 200


class Tolerance(Enum):
    """A deviation of real clients; the value says what it is and which section of the RFCs says otherwise."""

    OPERATION_CASE = "`op` in a case other than add, remove, replace (RFC 7644 section 3.5.2)"
    MISSING_SCHEMAS = "a message or resource without `schemas` (RFC 7643 section 3)"
    DOTTED_KEYS = "a value without a path whose keys are paths, such as `name.givenName` (RFC 7644 section 3.5.2)"
    TEXT_BOOLEAN = 'a boolean as a string, such as "True" (RFC 7643 section 2.3.2)'
    TEXT_NUMBER = "a number as a string (RFC 7643 section 2.3)"
    CREATED_FROM_FILTER = "a replace whose filter matches nothing, to create the element (RFC 7644 section 3.5.2.3)"
    REMOVED_REQUIRED = "a remove of a required sub-attribute, to remove its element (RFC 7644 section 3.5.2.2)"
    REMOVE_WITH_VALUE = "a remove that lists the values to remove (RFC 7644 section 3.5.2.2)"
    BARE_VALUE = "a plain value where an object with `value` is defined (RFC 7643 section 2.4)"
    SINGLE_VALUE_ARRAY = "an array around the value of a single-valued attribute (RFC 7643 section 2.4)"
    LONE_ELEMENT = "a single element where a multi-valued attribute takes an array (RFC 7643 section 2.4)"
    SEVERAL_PRIMARIES = "several primary values in one list, of which the first counts (RFC 7643 section 2.4)"
    EMPTY_MANAGER = "an empty `manager.value` to clear the manager (RFC 7643 section 4.3)"
    JSON_TEXT = "an object or an array as JSON inside a string (RFC 7643 section 2.3)"
    MISPLACED_ATTRIBUTE = "an attribute outside its extension's URN or inside the core URN (RFC 7643 section 3.3)"
    IGNORED_ID = "an `id` in a value, ignored because it is readOnly (RFC 7643 section 3.1)"
    TRAILING_SLASH = "a trailing slash in the URL (RFC 7644 section 3.2)"
    TEXT_BOOLEAN_FILTER = "a boolean in quotes in a filter (RFC 7644 section 3.4.2.2)"
    LITERAL_CASE = "true, false or null in another case in a filter or path (RFC 7644 section 3.4.2.2)"
    FORMER_URN = "a schema's name from before the RFCs, such as `urn:scim:schemas:core:1.0` (RFC 7643 section 10.4)"
    UNKNOWN_PATH = "a PATCH path to an unknown schema or its unknown attribute, ignored (RFC 7644 section 3.5.2)"
    NO_OPERATIONS = "a message whose `Operations` are an empty array (RFC 7644 section 3.5.2)"
    REACTIVATED = "a POST for a deactivated user, to re-activate it (RFC 7644 section 3.3)"


REFUSALS: dict[Tolerance, type[errors.ScimError]] = {
    tolerance: error
    for error, tolerances in (
        (errors.InvalidPath, (Tolerance.DOTTED_KEYS, Tolerance.MISPLACED_ATTRIBUTE, Tolerance.UNKNOWN_PATH)),
        (
            errors.InvalidValue,
            (Tolerance.TEXT_BOOLEAN, Tolerance.TEXT_NUMBER, Tolerance.BARE_VALUE, Tolerance.SINGLE_VALUE_ARRAY,
             Tolerance.LONE_ELEMENT, Tolerance.SEVERAL_PRIMARIES, Tolerance.EMPTY_MANAGER, Tolerance.JSON_TEXT),
        ),
        (errors.NoTarget, (Tolerance.CREATED_FROM_FILTER,)),
        (errors.InvalidFilter, (Tolerance.TEXT_BOOLEAN_FILTER, Tolerance.LITERAL_CASE)),
        (errors.Mutability, (Tolerance.REMOVED_REQUIRED,)),
        (errors.Uniqueness, (Tolerance.REACTIVATED,)),
    )
    for tolerance in tolerances
}  # fmt: skip


class UsedTolerances(dict[Tolerance, str]):
    """The tolerances that a request needed, each with its first example, and the attributes that Perch ignored.

    `expected` tolerances are not recorded: the schemas that this key is shown require them. A `profile` key is strict,
    and unknown attributes are refused.
    """

    def __init__(self, strict: bool = False) -> None:
        super().__init__()
        self.strict = strict
        self.profile = False
        self.expected: frozenset[tuple[Tolerance, str]] = frozenset()
        self.ignored: dict[str, None] = {}
        # Attributes that no schema has, by schema and name, each with the shape of its value (schemas.dropped).
        self.dropped: dict[tuple[str, str], dict[str, Any]] = {}


_used: ContextVar[UsedTolerances | None] = ContextVar("tolerances", default=None)


def note(tolerance: Tolerance, example: str = "") -> None:
    """Record that the current request needed a tolerance; does nothing outside a request.

    :raises ScimError: for a strict key, of the kind that the RFC names; the detail names the section.
    """
    used = _used.get()
    if used is None or (tolerance, example) in used.expected:
        return
    if used.strict:
        shown = f" ({example[:LONGEST_NAME]})" if example else ""
        reason, way = ("follows a profile", "--profile none") if used.profile else ("is strict", "--no-strict")
        raise REFUSALS.get(tolerance, errors.InvalidSyntax)(
            f"This access key {reason} and the request needs a tolerance: {tolerance.value}{shown}. "
            f"Correct the request, or allow it with: flask keys set ID {way}."
        )
    used.setdefault(tolerance, example[:LONGEST_NAME])


def ignore(name: str, part: str = "") -> None:
    """Record that Perch ignored an attribute, or the `part` of one, that no schema has (RFC 7644 section 3.3).

    :raises InvalidSyntax: for a key that follows a profile.
    """
    used = _used.get()
    if used is None:
        return
    joint = "" if not part else ":" if ":" in name else "."
    full = f"{name}{joint}{part}"[:LONGEST_NAME]
    refuse_in_profile(f"{full}: /Schemas has no such attribute")
    if len(used.ignored) < MOST_IGNORED:
        used.ignored.setdefault(full)


def follows_profile() -> bool:
    """Tell whether the key of the current request follows a profile (`flask keys set ID --profile`)."""
    used = _used.get()
    return used is not None and used.profile


def refuse_in_profile(text: str) -> None:
    """Refuse what a key that follows a profile may not send; does nothing for others.

    :raises InvalidSyntax: with the text.
    """
    if follows_profile():
        raise errors.InvalidSyntax(
            f"{text}; the profile of this access key forbids that. Correct the request, or allow it with: "
            "flask keys set ID --profile none."
        )


def current() -> UsedTolerances | None:
    """Return those of the current request; None outside a request."""
    return _used.get()


def start(strict: bool = False) -> tuple[UsedTolerances, "Token[UsedTolerances | None]"]:
    """Start to collect for a request; pass the token to `stop` at its end."""
    used = UsedTolerances(strict)
    return used, _used.set(used)


def stop(token: "Token[UsedTolerances | None]") -> None:
    """Stop collecting."""
    _used.reset(token)
