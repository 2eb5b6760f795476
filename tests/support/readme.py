"""Rewrites the generated tables of settings.md, api.md and decisions.md in docs/: `make readme`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from flask import Flask

from tests.support import api_tables, openapi
from tests.support.server import ROOT, clean_environment

SETTINGS, API, DECISIONS = (ROOT / "docs" / name for name in ("settings.md", "api.md", "decisions.md"))
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


def generated(app: Flask) -> Iterator[tuple[Path, str, str]]:
    """Yield the page, the name and the text of each table that comes from the code's declarations."""
    yield API, "endpoints", api_tables.endpoints(app)
    yield API, "attributes", api_tables.attributes()
    yield API, "errors", api_tables.error_table()
    yield API, "limits", api_tables.limits()
    yield DECISIONS, "tolerances", api_tables.tolerances()


def with_generated(page: Path, app: Flask) -> str:
    """Return a page with its tables made from the code."""
    text = page.read_text(encoding="utf-8")
    for owner, name, part in generated(app):
        if owner == page:
            text = with_part(text, f"<!-- {name}: begin (make readme) -->", part, f"<!-- {name}: end -->")
    return text


if __name__ == "__main__":
    for _page in (API, DECISIONS):
        _page.write_text(with_generated(_page, openapi.made()), encoding="utf-8")
    command = [sys.executable, "-m", "flask", "settings", "--markdown"]
    made = subprocess.run(command, cwd=ROOT, env=clean_environment({}), capture_output=True, text=True, check=True)
    SETTINGS.write_text(with_table(SETTINGS.read_text(encoding="utf-8"), made.stdout), encoding="utf-8")
