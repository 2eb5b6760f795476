"""Digests of the released migrations: `python -m tests.support.migrations` adds those of a release.

Run it once for each release, just before its tag. (Before the release, delete the file to make it again.)
"""

import ast
import hashlib
import json
import sys
from contextlib import closing
from pathlib import Path

from sqlite_utils import Database

from storage.migrations import MIGRATIONS
from tests.support.server import ROOT

FILE = ROOT / "tests" / "fixtures" / "migrations.json"
CHAPTERS = ROOT / "storage" / "migrations"
CHANGED = "was changed after its release, but files of users have run it; take the change back and append a migration"


def digests(folder: Path = CHAPTERS) -> dict[str, str]:
    """Return a digest of each migration's code, with all of its module that it uses; docstrings do not count."""
    found: dict[str, str] = {}
    for file in sorted(folder.glob("*.py")):
        text = file.read_text(encoding="utf-8")
        defined = definitions(ast.parse(text))
        steps = getattr(defined.get("STEPS"), "value", None)
        if isinstance(steps, ast.Dict):
            for name, step in zip(steps.keys, steps.values, strict=True):
                code = "\n".join(sorted(source(text, node) for node in used(step, defined)))
                found[ast.literal_eval(name or step)] = hashlib.sha256(code.encode()).hexdigest()
    return found


def definitions(module: ast.Module) -> dict[str, ast.stmt]:
    """Return the statements of a module that define functions, classes and values, by name."""
    found: dict[str, ast.stmt] = {}
    for each in module.body:
        if isinstance(each, ast.FunctionDef | ast.ClassDef):
            found[each.name] = each
        elif isinstance(each, ast.Assign):
            found.update((target.id, each) for target in each.targets if isinstance(target, ast.Name))
    return found


def used(step: ast.expr, defined: dict[str, ast.stmt]) -> list[ast.AST]:
    """Return a migration's expression and every definition that it needs, directly or not."""
    found: list[ast.AST] = [step]
    for node in found:
        names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} & defined.keys()
        found += [defined[name] for name in names if defined[name] not in found]
    return found


def source(text: str, node: ast.AST) -> str:
    """Return the lines of a node without docstrings, comments of their own line and empty lines."""
    if isinstance(node, ast.expr):
        return ast.get_source_segment(text, node) or ""
    lines = dict(enumerate(text.splitlines(), 1))
    wanted = range(node.lineno, node.end_lineno + 1)  # type: ignore[attr-defined]
    for each in ast.walk(node):
        if isinstance(each, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(each) is not None:
            for line in range(each.body[0].lineno, (each.body[0].end_lineno or 0) + 1):
                lines.pop(line, None)
    kept = (lines.get(line, "").rstrip() for line in wanted)
    return "\n".join(line for line in kept if line and not line.lstrip().startswith("#"))


def in_order() -> list[str]:
    """Return the names of all migrations in the order in which they run."""
    with closing(Database(memory=True)) as empty:
        return [migration.name for migration in MIGRATIONS.pending(empty)]


def recorded() -> dict[str, str]:
    """Return the digests of the released migrations, in the order in which they run."""
    return dict(json.loads(FILE.read_text(encoding="utf-8"))) if FILE.exists() else {}


def changed(now: dict[str, str]) -> list[str]:
    """Return a sentence for each released migration that is another one now, or is gone."""
    return [f"{name} {CHANGED}." for name, digest in recorded().items() if now.get(name) != digest]


if __name__ == "__main__":
    now = digests()
    if wrong := changed(now):
        sys.exit("\n".join(wrong))
    FILE.write_text(json.dumps({name: now[name] for name in in_order()}, indent=1) + "\n", encoding="utf-8")
    print(FILE)
