"""Pieces of SQL with their values: conditions joined, and sets of numbers."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

FEW = 4


# Not frozen: a frozen dataclass takes several times as long to make, and a search makes a dozen.
@dataclass(slots=True)
class Sql:
    """A piece of SQL with the values bound to its question marks, in order."""

    text: str
    parameters: tuple[Any, ...] = ()

    def __add__(self, other: "Sql | str") -> "Sql":
        if isinstance(other, str):
            return Sql(self.text + other, self.parameters)
        return Sql(self.text + other.text, self.parameters + other.parameters)


def where(*conditions: tuple[str, Any]) -> Sql:
    """Return those conditions that have a value, joined with AND; each question mark of one stands for its value."""
    given = [(text, value) for text, value in conditions if value]
    values = tuple(value for text, value in given for _ in range(text.count("?")))
    return Sql(" AND ".join(text for text, _ in given) or "1", values)


def in_list(numbers: Sequence[int]) -> Sql:
    """Return a set of numbers as the right side of IN.

    A few numbers are bound one by one, which takes half the time. More are one JSON array, since SQLite would have to
    prepare a statement for each length of the list.
    """
    if len(numbers) <= FEW:
        return Sql(f"({', '.join('?' * len(numbers))})", tuple(numbers))
    return Sql("(SELECT value FROM json_each(?))", (json.dumps(numbers),))
