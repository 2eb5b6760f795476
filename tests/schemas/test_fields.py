"""Single attributes: unassigned values, whole numbers, and values that do not fit their type."""

from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.fields import Attribute, Binary, Boolean, DateTime, Integer, String, is_unassigned, whole_number

UNASSIGNED: tuple[Any, ...] = (None, "", [], {})


@pytest.mark.parametrize("value", [*UNASSIGNED, "a", " ", 0, 0.0, 1, True, False, [None], [""], {"a": None}])
def test_null_and_empty_values_are_unassigned(value: Any) -> None:
    assert is_unassigned(value) is any(value == one and type(value) is type(one) for one in UNASSIGNED)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (7, 7), ("7", 7), (" +7 ", 7), ("-7", -7), (10**30, 10**30), ("9" * 5000, 2**63 - 1),
        ("-" + "9" * 20, 1 - 2**63), (True, None), (7.0, None), ("7.0", None), ("1_0", None), ("\u0663", None),
        ("", None), (None, None), ([7], None),
    ],
)  # fmt: skip
def test_a_whole_number_is_read_from_numbers_and_text(value: object, found: int | None) -> None:
    assert whole_number(value) == found


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        (String(), 5, "must be a string, not a number"),
        (String(maxBytes=3), "éé", "longer than 3 bytes"),
        (String(), "a\0", "NUL"),
        (String(), "\ud800", "surrogate"),
        (Binary(), "?", "base64"),
        (Boolean(), "yes", "true or false, not a string"),
        (Integer(), "9" * 20, "whole number, not a string"),
        (Integer(), True, "whole number, not a boolean"),
        (DateTime(), "2026-13-01T00:00:00Z", "date and time"),
        (DateTime(), 5, "date and time"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(field: Attribute, value: Any, says: str) -> None:
    field.name = "x"
    with pytest.raises(ValidationError, match=says):
        field.read(value)
