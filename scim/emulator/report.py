"""Shows the results of a run: a table that grows with each result, counts, and a hint when the connection is wrong."""

from collections import Counter
from collections.abc import Callable, Sequence

from scim.emulator.runner import FAILED, NOT_JUDGED, PASSED, SKIPPED, WARNED, Result

MARKS = {PASSED: "✓", FAILED: "✗", WARNED: "!", SKIPPED: "-", NOT_JUDGED: "?"}
ASCII_MARKS = {PASSED: "ok", FAILED: "FAILED", WARNED: "warning", SKIPPED: "skipped", NOT_JUDGED: "unknown"}
WIDTHS = (46, 52, 46)
GOT = 120
EXAMPLE = "https://perch.example.com/WORKSPACE_ID/scim/v2"


class ResultTable:
    """Writes each result at once, with plain ASCII marks where the terminal cannot show others."""

    def __init__(self, write: Callable[[str], None], encoding: str | None, provider: str = "Okta") -> None:
        self.write = write
        self.provider = provider
        self.encoding = encoding or "ascii"
        self.step = ""
        try:
            "✓✗".encode(self.encoding)
            self.marks, self.width = MARKS, 1
        except (UnicodeEncodeError, LookupError):
            self.marks, self.width = ASCII_MARKS, 7

    def show(self, result: Result) -> None:
        """Write one row, and below a failed check what the provider would do and which rule is broken."""
        if result.step != self.step:
            self.step = result.step
            heads = _row(("CHECK", "REQUEST", "EXPECTED"), "GOT")
            for line in ("", self.step, f"{'':<{self.width}} {heads}"):
                self._line(line)
        cells = (result.title, result.request, result.expected)
        self._line(f"{self.marks[result.outcome]:<{self.width}} {_row(cells, result.got)}")
        if result.otherwise:
            if " {" in result.request:
                self._line(f"{'':<{self.width}}   sent:   {_short(result.request, 600)}")
            if len(result.got) > GOT and self.provider != "Okta":
                self._line(f"{'':<{self.width}}   came:   {result.got}")
            self._line(f"{'':<{self.width}}   {self.provider + ':':<7} {result.otherwise}")
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
    return "  ".join([*short, _short(last, GOT)]).rstrip()


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def connection_hint(results: Sequence[Result], better: str | None = None) -> str | None:
    """Return which option to correct when the server refused the first request, since all other checks fail too.

    `better` is a base URL at which the server does answer.
    """
    got = results[0].got if results and results[0].outcome == FAILED else ""
    if got.startswith(("401", "403")):
        return "The server refused the first request: correct --key first; the other failures follow from it."
    if got.startswith(("404", "301", "302", "307", "308", "200, text/html")):
        example = f"try --url {better}" if better else f"it has a path, such as {EXAMPLE}"
        return f"There is nothing at --url: give the SCIM base URL first; the other failures follow from it; {example}."
    return None


def unreachable_hint(base: str, cause: str) -> str:
    """Return what to do when no reply comes."""
    return f"{base}: {cause}. Nobody answers there: start the server, or correct http or https, host and port of --url."


def counts(results: Sequence[Result]) -> dict[str, int]:
    """Return how many checks have each outcome."""
    found = Counter(result.outcome for result in results)
    return {outcome: found[outcome] for outcome in (PASSED, FAILED, WARNED, SKIPPED, NOT_JUDGED)}


def in_words(results: Sequence[Result]) -> str:
    """Return the counts in one line."""
    found = counts(results)
    words = f"{found[PASSED]} passed, {found[FAILED]} failed, {found[WARNED]} warnings, {found[SKIPPED]} skipped"
    return words + (f", {found[NOT_JUDGED]} not judged" if found[NOT_JUDGED] else "")
