"""Fragments of SQL: optional conditions, and lists of numbers."""

import sqlite3

import pytest

from storage.sql.fragments import FEW, Sql, in_list, where


def test_conditions_without_a_value_are_left_out() -> None:
    assert where(("a = ?", ""), ("b = ?", None), ("c > ?", 0)) == Sql("1")
    assert where(("a = ?", "x"), ("b = ?", ""), ("failed", True)) == Sql("a = ? AND failed", ("x",))
    assert where(("(a = ? OR b = ?)", "x"), ("c < ?", 3)) == Sql("(a = ? OR b = ?) AND c < ?", ("x", "x", 3))


@pytest.mark.parametrize("count", [0, 1, FEW, FEW + 1, 100])
def test_a_list_of_any_size_can_be_matched(count: int) -> None:
    listed = in_list(list(range(count)))
    sql = f"SELECT value FROM (SELECT value FROM json_each('[0, 3, 4, 99, 200]')) WHERE value IN {listed.text}"
    found = [value for (value,) in sqlite3.connect(":memory:").execute(sql, listed.parameters)]
    assert found == [value for value in (0, 3, 4, 99, 200) if value < count]
