"""Holds the arrows of the house: app -> scim -> storage -> schemas, and each tool in its one room."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = {"schemas": 0, "storage": 1, "scim": 2, "app": 3}

# What a module of the protocol works out from plain data, without Flask and without the database.
PURE = {"patch", "projection", "preconditions", "paging", "bulk_plan"}
# One straight chain per operation: it may ask the storage, never the web framework.
SERVICE = {"service"}

LINES_OF_MODULE = 400
LINES_OF_FUNCTION = 40

# SQL is written in capitals here; so are HTTP's methods, hence the second word of what both share.
SQL = re.compile(
    r"^\s*(SELECT|PRAGMA|BEGIN|WITH|VACUUM|ATTACH|SAVEPOINT)\s+[\w\"(*]"
    r"|\bSELECT\b.+\bFROM\b|\bINSERT (OR \w+ )?INTO\b|\bDELETE FROM\b|\bUPDATE \S+ SET\b|\bORDER BY\b"
    r"|\b(CREATE|DROP|ALTER) (TEMP |UNIQUE )?(TABLE|INDEX|TRIGGER|VIEW)\b",
    re.DOTALL,
)


def modules() -> list[Path]:
    """Every module of the product."""
    files = [ROOT / "app.py"]
    for room in ("schemas", "storage", "scim"):
        files += sorted((ROOT / room).rglob("*.py"))
    return [file for file in files if file.exists()]


MODULES = modules()
every_module = pytest.mark.parametrize("file", MODULES, ids=lambda file: str(file.relative_to(ROOT)))


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def parts(file: Path) -> tuple[str, ...]:
    """The dotted name of a module, as a tuple: ("scim", "okta", "client")."""
    names = file.relative_to(ROOT).with_suffix("").parts
    return names[:-1] if names[-1] == "__init__" else names


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of all that a module imports, wherever in it, relative imports resolved."""
    package = parts(file) if file.name == "__init__.py" else parts(file)[:-1]
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)


def offenders(file: Path, forbidden: set[str]) -> list[str]:
    """Imports of `file` whose first name is forbidden there."""
    return [
        f"{file.relative_to(ROOT)}:{line} {name}" for line, name in imports(file) if name.split(".")[0] in forbidden
    ]


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """Every string of a module but its docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree(file))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def test_there_is_a_house() -> None:
    assert {parts(file)[0] for file in MODULES} == set(LAYERS)


@every_module
def test_arrows_point_down(file: Path) -> None:
    higher = {name for name, level in LAYERS.items() if level > LAYERS[parts(file)[0]]}
    assert offenders(file, higher) == []


@every_module
def test_no_module_imports_the_tests(file: Path) -> None:
    assert offenders(file, {"tests", "pytest", "hypothesis"}) == []


@every_module
def test_flask_stays_in_scim(file: Path) -> None:
    room, *inner = parts(file)
    pure = room == "scim" and bool((PURE | SERVICE) & set(inner))
    if room in ("schemas", "storage") or pure:
        assert offenders(file, {"flask", "werkzeug", "jinja2", "gunicorn"}) == []


@every_module
def test_the_pure_protocol_knows_no_database(file: Path) -> None:
    room, *inner = parts(file)
    if room == "scim" and PURE & set(inner):
        assert offenders(file, {"storage", "requests", "sqlite3", "sqlite_utils"}) == []


@every_module
def test_sqlite_stays_in_storage(file: Path) -> None:
    if parts(file)[0] != "storage":
        assert offenders(file, {"sqlite3", "sqlite_utils"}) == []
        assert [f"{file.relative_to(ROOT)}:{line} {text!r}" for line, text in texts(file) if SQL.search(text)] == []


@every_module
def test_marshmallow_stays_in_schemas(file: Path) -> None:
    if parts(file)[0] != "schemas":
        assert offenders(file, {"marshmallow"}) == []


@every_module
def test_schemas_do_no_input_or_output(file: Path) -> None:
    if parts(file)[0] == "schemas":
        assert offenders(file, {"requests", "socket", "urllib3", "http", "subprocess", "tempfile", "shutil"}) == []


@every_module
def test_modules_are_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LINES_OF_MODULE


@every_module
def test_functions_are_short(file: Path) -> None:
    long = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name} has {lines} lines"
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LINES_OF_FUNCTION
    ]
    assert long == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM resources",
        "  INSERT INTO keys VALUES (?)",
        'UPDATE "group" SET x = 1',
        "PRAGMA journal_mode",
        "BEGIN IMMEDIATE",
        "WITH RECURSIVE above AS (SELECT 1)",
        "x = ? ORDER BY seq",
        "INSERT OR IGNORE INTO roles VALUES (?)",
        "CREATE UNIQUE INDEX x ON y (z)",
    ],
)
def test_sql_is_recognised(text: str) -> None:
    assert SQL.search(text)


@pytest.mark.parametrize(
    "text",
    ["Select a role from the list", "Update available", "DELETE of a group that is gone", "GET, POST, DELETE", ""],
)
def test_prose_is_not_taken_for_sql(text: str) -> None:
    assert not SQL.search(text)
