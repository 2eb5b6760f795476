"""Shows the results of a run: a table that grows with each result, counts, and a hint when the connection is wrong."""

from collections import Counter
from collections.abc import Callable, Sequence

from scim.emulator.runner import FAILED, PASSED, SKIPPED, WARNED, Result

MARKS = {PASSED: "✓", FAILED: "✗", WARNED: "!", SKIPPED: "-"}
ASCII_MARKS = {PASSED: "ok", FAILED: "FAILED", WARNED: "warning", SKIPPED: "skipped"}
WIDTHS = (46, 52, 46)


class ResultTable:
    """Writes each result at once, with plain ASCII marks where the terminal cannot show others."""

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
        """Write one row, and below a failed check what Okta would do and which rule is broken."""
        if result.step != self.step:
            self.step = result.step
            heads = _row(("CHECK", "REQUEST", "EXPECTED"), "GOT")
            for line in ("", self.step, f"{'':<{self.width}} {heads}"):
                self._line(line)
        cells = (result.title, result.request, result.expected)
        self._line(f"{self.marks[result.outcome]:<{self.width}} {_row(cells, result.got)}")
        if result.otherwise:
            self._line(f"{'':<{self.width}}   Okta:   {result.otherwise}")
            self._line(f"{'':<{self.width}}   breaks: {result.source}")

    def list_failures(self, results: Sequence[Result]) -> None:
        """Write a line for each failed check: the table may be long past the screen."""
        for result in results:
            if result.outcome == FAILED:
                self._line(f"{self.marks[FAILED]} {result.step}: {result.title}: {result.got}")

    def _line(self, text: str) -> None:
        self.write(text.encode(self.encoding, "replace").decode(self.encoding))


def _row(cells: Sequence[str], last: str) -> str:
    short = [_short(cell, width).ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)]
    return "  ".join([*short, _short(last, 120)]).rstrip()


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def connection_hint(results: Sequence[Result]) -> str | None:
    """Return which option to correct when the server refused the first request, since all other checks fail too."""
    got = results[0].got if results and results[0].outcome == FAILED else ""
    if got.startswith(("401", "403")):
        return "The server refused the first request: correct --key first; the other failures follow from it."
    if got.startswith("404"):
        return "There is nothing at --url: give the SCIM base URL first; the other failures follow from it."
    return None


def counts(results: Sequence[Result]) -> dict[str, int]:
    """Return how many checks have each outcome."""
    found = Counter(result.outcome for result in results)
    return {outcome: found[outcome] for outcome in (PASSED, FAILED, WARNED, SKIPPED)}


def in_words(results: Sequence[Result]) -> str:
    """Return the counts in one line."""
    found = counts(results)
    return f"{found[PASSED]} passed, {found[FAILED]} failed, {found[WARNED]} warnings, {found[SKIPPED]} skipped"
