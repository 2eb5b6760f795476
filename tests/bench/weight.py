"""How much there is of Perch, and how fast it starts: `make weight` writes the table of docs/benchmark.md."""

import argparse
import ast
import io
import subprocess
import tempfile
import tokenize
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from scim.settings import VERSION
from tests.bench.report import table
from tests.bench.servers import ROOT, start_figures
from tests.support.readme import with_part
from tests.support.sbom import bill_of_materials

PAGE = ROOT / "docs" / "benchmark.md"
BEGIN, END = "<!-- weight: begin (make weight) -->", "<!-- weight: end -->"
NO_PRODUCTION = {"tests", "docs", "examples", "dist"}
# What a line of code has beside these.
NO_CODE = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
NOT_BUILT = "not built here"


def production(root: Path = ROOT) -> list[Path]:
    """Return the Python files of a checkout that are neither tests, documentation nor examples."""
    folders = [each for each in root.iterdir() if each.is_dir() and each.name not in NO_PRODUCTION]
    visible = [each for each in folders if not each.name.startswith(".")]
    return sorted([*root.glob("*.py"), *(file for folder in visible for file in folder.rglob("*.py"))])


def lines_of_code(text: str) -> int:
    """Return the number of lines without empty ones, comments and docstrings; all lines of a text count."""
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            found.update(range(token.start[0], token.end[0] + 1))
    return len(found - set(docstring_lines(ast.parse(text))))


def docstring_lines(module: ast.Module) -> Iterator[int]:
    """Yield the number of each line of a docstring."""
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            first = node.body[0]
            yield from range(first.lineno, (first.end_lineno or first.lineno) + 1)


def packages(requirements: str) -> tuple[int, int]:
    """Return how many packages Perch names itself, and how many are installed in all."""
    bill = bill_of_materials(requirements)
    return len(bill["dependencies"][-1]["dependsOn"]), len(bill["components"])


def image_size(builder: str, image: str) -> str:
    """Return the size of an image that docker or podman has here."""
    if builder not in ("docker", "podman"):
        return NOT_BUILT
    command = (builder, "image", "inspect", "--format", "{{.Size}}", image)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"{int(done.stdout) / 2**20:.0f} MiB" if done.returncode == 0 else NOT_BUILT


def rows(builder: str, image: str) -> list[tuple[str, str, str]]:
    """Return the rows of the table: figure, value, limit."""
    texts = [file.read_text(encoding="utf-8") for file in production()]
    named, installed = packages((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        seconds, size = start_figures(Path(folder))
    return [
        ("lines of Python that run in production", f"{sum(text.count(chr(10)) for text in texts):,}", "24,000"),
        ("the same without empty lines, comments and docstrings", f"{sum(map(lines_of_code, texts)):,}", ""),
        ("run-time packages that Perch names", str(named), "11"),
        ("run-time packages with those that they need", str(installed), ""),
        ("size of the image, with its base", image_size(builder, image), ""),
        ("memory (pss) of a worker before its first request", f"{size:.1f} MiB", "45 MiB"),
        ("first answer after the start, empty file", f"{seconds:.2f} s", "1 s"),
    ]


def part(found: Sequence[tuple[str, str, str]], day: date) -> str:
    """Return the part of docs/benchmark.md."""
    lines = table((f"Perch {VERSION}, {day.isoformat()}", "value", "at most"), found)
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make weight")
    parser.add_argument("--builder", default="")
    parser.add_argument("--image", default="perch")
    given = parser.parse_args()
    made = part(rows(given.builder, given.image), date.today())
    PAGE.write_text(with_part(PAGE.read_text(encoding="utf-8"), BEGIN, made, END), encoding="utf-8")
    print(made)
