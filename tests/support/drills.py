"""The closing table of the long tests: what was killed or kept waiting, what was lost, and how long it took."""

from collections.abc import Callable, Iterable
from typing import Any

HEADS = ("drill", "kills", "lost", "seconds")
# Records a drill of the running test: name, kills, lost writes or events, and seconds until all was well again.
RecordDrill = Callable[[str, int, int, float], None]


def recorded(reports: Iterable[Any]) -> list[tuple[str, ...]]:
    """Return the drills of the long tests among pytest's reports, as the rows of the table."""
    return [
        (name, str(kills), str(lost), f"{seconds:.1f}")
        for report in reports
        if getattr(report, "when", "") == "call" and "long" in report.keywords
        for key, value in report.user_properties
        if key == "drill"
        for name, kills, lost, seconds in [value]
    ]


def table(rows: list[tuple[str, ...]]) -> list[str]:
    """Return the lines of the table."""
    widths = [max(len(row[column]) for row in (HEADS, *rows)) for column in range(len(HEADS))]
    return [
        "  ".join(cell.ljust(width) if place == 0 else cell.rjust(width)
                  for place, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in (HEADS, *rows)
    ]  # fmt: skip
