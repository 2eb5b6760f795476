"""Single attributes: unassigned values, whole numbers, and values that do not fit their type."""

from typing import Any

import pytest
from marshmallow import ValidationError

from schemas.fields import (
    Attribute,
    Binary,
    Boolean,
    Complex,
    DateTime,
    Integer,
    String,
    is_unassigned,
)
from schemas.numbers import whole_number
from schemas.tolerances import Tolerance
from tests.support.tolerances import collect

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
        (Binary(), "QQ=", "base64"),
        (Binary(), "Q", "base64"),
        (Binary(), "QUJDR", "base64"),
        (Binary(), "QQ==QQ==", "base64"),
        (Binary(), "Q-_Q", "base64"),
        (String(multiValued=True), '["a"', "JSON text with an error"),
        (String(multiValued=True), '[{"a": 1}]', "must be a string, not an object"),
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


@pytest.mark.parametrize("text", ["", "QUJD", "QUI", "QUI=", "QQ", "QQ==", "QU\nI", " QQ "])
def test_base64_is_kept_as_sent_with_and_without_padding(text: str) -> None:
    assert Binary().read(text) == text


@pytest.mark.parametrize(
    ("text", "found", "used"),
    [
        ('["a", "b"]', ["a", "b"], [Tolerance.JSON_TEXT]),
        ("[]", [], [Tolerance.JSON_TEXT]),
        ("[a, b]", ["[a, b]"], [Tolerance.LONE_ELEMENT]),
        ("a", ["a"], [Tolerance.LONE_ELEMENT]),
    ],
)
def test_strings_are_read_from_json_text(text: str, found: list[str], used: list[Tolerance]) -> None:
    field = String(multiValued=True)
    field.name = "x"
    with collect() as tolerances:
        assert field.read(text) == found
    assert list(tolerances) == used


def test_only_elements_with_required_parts_must_not_be_empty() -> None:
    """The rule comes from the declaration of the sub-attributes, whatever their names."""
    free = Complex({"key": String(), "note": String()}, multiValued=True)
    strict = Complex({"key": String(required=True), "note": String()}, multiValued=True)
    computed = Complex({"key": String(required=True, mutability="readOnly")}, multiValued=True)
    free.name = strict.name = computed.name = "x"
    sent: list[Any] = [{"key": "a"}, {}, None, "", [], {"key": ""}]
    assert free.read(sent) == [{"key": "a"}] and free.is_cleared_by({}) and computed.is_cleared_by({})
    assert computed.read([{}]) == []
    with pytest.raises(ValidationError) as raised:
        strict.read(sent)
    assert [str(index) for index in raised.value.messages_dict] == list("12345")
    assert [value for value in UNASSIGNED if not strict.is_cleared_by(value)] == [{}]
