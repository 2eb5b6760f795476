"""How a run is shown: a live table, and one JSON document."""

from collections import Counter
from collections.abc import Callable, Sequence

from scim.emulator.test_run import FAILED, PASSED, SKIPPED, WARNED, Result

MARKS = {PASSED: "✓", FAILED: "✗", WARNED: "!", SKIPPED: "-"}
ASCII_MARKS = {PASSED: "ok", FAILED: "FAILED", WARNED: "warning", SKIPPED: "skipped"}
WIDTHS = (46, 52, 46)


class Table:
    """Writes each result as soon as it is there; plain ASCII marks where the terminal has no others."""

    def __init__(self, write: Callable[[str], None], encoding: str | None) -> None:
        self.write = write
        self.encoding = encoding or "ascii"
        self.step = ""
        try:
            "✓✗".encode(self.encoding)
            self.marks, self.width = MARKS, 1
        except (UnicodeEncodeError, LookupError):
            self.marks, self.width = ASCII_MARKS, 7

    def show(self, result: Result) -> None:
        """Write one row, and for a cross what Okta would do and which sentence it breaks."""
        if result.step != self.step:
            self.step = result.step
            heads = _row(("CHECK", "REQUEST", "EXPECTED"), "GOT")
            self._line(f"\n{self.step}\n{'':<{self.width}} {heads}")
        cells = (result.title, result.request, result.expected)
        self._line(f"{self.marks[result.outcome]:<{self.width}} {_row(cells, result.got)}")
        if result.otherwise:
            self._line(f"{'':<{self.width}}   Okta:   {result.otherwise}")
            self._line(f"{'':<{self.width}}   breaks: {result.source}")

    def _line(self, text: str) -> None:
        self.write(text.encode(self.encoding, "replace").decode(self.encoding))


def _row(cells: Sequence[str], last: str) -> str:
    short = [_short(cell, width).ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)]
    return "  ".join([*short, _short(last, 120)]).rstrip()


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def first_step(results: Sequence[Result]) -> str | None:
    """Return what to correct where already the first request was refused: all else follows from that."""
    got = results[0].got if results and results[0].outcome == FAILED else ""
    if got.startswith(("401", "403")):
        return "The first request was refused already: the server does not take this --key. All else follows from that."
    if got.startswith("404"):
        return "There is nothing at the first URL already: --url is not the base URL. All else follows from that."
    return None


def counts(results: Sequence[Result]) -> dict[str, int]:
    """Return how many checks passed, failed, warned and were skipped."""
    found = Counter(result.outcome for result in results)
    return {outcome: found[outcome] for outcome in (PASSED, FAILED, WARNED, SKIPPED)}


def in_words(results: Sequence[Result]) -> str:
    """Return the counts in one line."""
    found = counts(results)
    return f"{found[PASSED]} passed, {found[FAILED]} failed, {found[WARNED]} warnings, {found[SKIPPED]} skipped"
