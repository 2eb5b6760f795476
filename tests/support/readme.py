"""Rewrites the generated table of settings in docs/settings.md: `make readme`."""

import subprocess
import sys

from tests.support.server import ROOT, clean_environment

SETTINGS = ROOT / "docs" / "settings.md"
BEGIN, END = "<!-- settings: begin (flask settings --markdown) -->", "<!-- settings: end -->"


def with_table(text: str, table: str) -> str:
    """Return the page with a new table of settings."""
    return with_part(text, BEGIN, table.strip(), END)


def with_part(text: str, begin: str, part: str, end: str) -> str:
    """Return a page with a new part between two marks."""
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    assert rest and after, f"the page lacks {begin} or {end}"
    return f"{before}{begin}\n{part}\n{end}{after}"


if __name__ == "__main__":
    command = [sys.executable, "-m", "flask", "settings", "--markdown"]
    made = subprocess.run(command, cwd=ROOT, env=clean_environment({}), capture_output=True, text=True, check=True)
    SETTINGS.write_text(with_table(SETTINGS.read_text(encoding="utf-8"), made.stdout), encoding="utf-8")
