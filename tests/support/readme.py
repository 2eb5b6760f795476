"""Writes the generated parts of the README anew: `make readme`."""

import subprocess
import sys

from tests.support.server import ROOT, clean_environment

README = ROOT / "README.md"
BEGIN, END = "<!-- settings: begin (flask settings --markdown) -->", "<!-- settings: end -->"


def with_table(text: str, table: str) -> str:
    """The README with another table of the settings."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert rest and after, f"the README lacks {BEGIN} or {END}"
    return f"{before}{BEGIN}\n{table.strip()}\n{END}{after}"


if __name__ == "__main__":
    command = [sys.executable, "-m", "flask", "settings", "--markdown"]
    made = subprocess.run(command, cwd=ROOT, env=clean_environment({}), capture_output=True, text=True, check=True)
    README.write_text(with_table(README.read_text(encoding="utf-8"), made.stdout), encoding="utf-8")
