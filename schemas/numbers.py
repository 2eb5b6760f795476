"""Whole numbers that clients send as JSON numbers or as text."""

import re

WHOLE_NUMBER = re.compile(r"[+-]?[0-9]+")
# The largest integer of SQLite, which has 64 bits.
LARGEST_INTEGER = 2**63 - 1


def whole_number(value: object) -> int | None:
    """Return a whole number that is a JSON number or decimal text, None for anything else.

    Text of 20 digits and more gives the largest or smallest integer of 64 bits.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else ""
    if not WHOLE_NUMBER.fullmatch(text):
        return None
    # Python refuses to convert thousands of digits.
    return int(text) if len(text) < 20 else -LARGEST_INTEGER if text.startswith("-") else LARGEST_INTEGER
