"""The architecture: the imports and libraries that each room may use, and the size of modules and functions."""

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Each room with the rooms that it may import. `settings` may be imported by app.py and by every room of scim.
PROTOCOL = {"schemas"}
STORAGE = {"schemas"}
SERVICE = {"schemas", "storage", "scim.protocol"}
DEPLOYMENT = SERVICE | {"scim.service"}
OBSERVABILITY = SERVICE | {"scim.service"}
TRAFFIC = OBSERVABILITY | {"scim.observability"}
EVENTS = {"schemas", "storage"}
WEB = TRAFFIC | {"scim.traffic", "scim.deployment", "scim.events"}
PAGES_AND_COMMANDS = WEB | {"scim.web", "scim.emulator"}
MAY_IMPORT = {
    "schemas": set(),
    "storage": STORAGE,
    "scim.settings": set(),
    "scim.emulator": set(),
    "scim.protocol": PROTOCOL,
    "scim.service": SERVICE,
    "scim.deployment": DEPLOYMENT,
    "scim.observability": OBSERVABILITY,
    "scim.events": EVENTS,
    "scim.traffic": TRAFFIC,
    "scim.web": WEB,
    "scim.console": PAGES_AND_COMMANDS,
    "scim.cli": PAGES_AND_COMMANDS,
    "app": WEB | {"scim.web", "scim.console", "scim.cli"},
    "scim": set(),
}
FLASK_ROOMS = {"app", "scim.web", "scim.console", "scim.cli", "scim.traffic"}
MAX_MODULES_OUTSIDE_ROOMS = 4

MAX_LINES_OF_MODULE = 400
MAX_LINES_OF_FUNCTION = 40

# SQL is written in capitals, and so are HTTP methods; words that are both need a second word of SQL.
SQL = re.compile(
    r"^\s*(SELECT|PRAGMA|BEGIN|WITH|VACUUM|ATTACH|SAVEPOINT)\s+[\w\"(*]"
    r"|\bSELECT\b.+\bFROM\b|\bINSERT (OR \w+ )?INTO\b|\bDELETE FROM\b|\bUPDATE \S+ SET\b|\bORDER BY\b"
    r"|\b(CREATE|DROP|ALTER) (TEMP |UNIQUE )?(TABLE|INDEX|TRIGGER|VIEW)\b",
    re.DOTALL,
)


def modules() -> list[Path]:
    """Return every module of production code."""
    files = [ROOT / "app.py"]
    for room in ("schemas", "storage", "scim"):
        files += sorted((ROOT / room).rglob("*.py"))
    return [file for file in files if file.exists()]


MODULES = modules()


def every_module(test: Callable[[Path], None]) -> Callable[[], None]:
    """Call a test with every module; as one test, since a test of its own for each of 270 modules takes much longer."""

    def call() -> None:
        failures = []
        for file in MODULES:
            try:
                test(file)
            except AssertionError as error:
                failures.append(f"{file.relative_to(ROOT)}: {error}")
        assert not failures, "\n".join(failures)

    # Not `wraps`, from which pytest would take the parameter for a fixture.
    call.__name__, call.__doc__ = test.__name__, test.__doc__
    return call


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def parts(file: Path) -> tuple[str, ...]:
    """Return the dotted name of a module as a tuple: ("scim", "emulator", "client")."""
    names = file.relative_to(ROOT).with_suffix("").parts
    return names[:-1] if names[-1] == "__init__" else names


def called(call: ast.Call) -> str:
    """Return the last name of what is called."""
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of each import anywhere in a module, with relative imports resolved, by name, too."""
    package = parts(file) if file.name == "__init__.py" else parts(file)[:-1]
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            yield from ((node.lineno, ".".join([*base, alias.name])) for alias in node.names)
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__"):
            yield from ((node.lineno, str(arg.value)) for arg in node.args if isinstance(arg, ast.Constant))


def offenders(file: Path, forbidden: set[str]) -> list[str]:
    """Return the imports of `file` whose first name is forbidden."""
    return [
        f"{file.relative_to(ROOT)}:{line} {name}" for line, name in imports(file) if name.split(".")[0] in forbidden
    ]


def texts(file: Path) -> Iterator[tuple[int, str]]:
    """Yield every string of a module except docstrings, with its line."""
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


def room(name: str) -> str:
    """Return the room of a dotted name of Perch: "schemas", "storage", "app" or "scim.ROOM"."""
    names = name.split(".")
    return ".".join(names[:2]) if names[0] == "scim" else names[0]


def room_of(file: Path) -> str:
    return room(".".join(parts(file)))


def rooms_imported(file: Path) -> dict[str, list[str]]:
    """Return the other rooms of Perch that a module imports, each with the imports."""
    found: dict[str, list[str]] = {}
    for line, name in imports(file):
        target = room(name)
        if target in MAY_IMPORT and target != room_of(file):
            found.setdefault(target, []).append(f"{file.relative_to(ROOT)}:{line} {name}")
    return found


def importers(target: str) -> set[str]:
    """Return the rooms that import a room."""
    return {room_of(file) for file in MODULES if target in rooms_imported(file)}


def test_every_module_lies_in_a_known_room() -> None:
    assert {room_of(file) for file in MODULES} == set(MAY_IMPORT)


def test_few_modules_of_scim_lie_outside_its_rooms() -> None:
    loose = sorted(file.name for file in (ROOT / "scim").glob("*.py") if file.name != "__init__.py")
    assert len(loose) <= MAX_MODULES_OUTSIDE_ROOMS, loose


@every_module
def test_a_room_imports_only_the_rooms_below_it(file: Path) -> None:
    allowed = MAY_IMPORT[room_of(file)]
    if room_of(file).startswith(("scim", "app")):
        allowed = allowed | {"scim.settings"}
    wrong = [line for target, lines in rooms_imported(file).items() if target not in allowed for line in lines]
    assert wrong == []


def test_deployment_is_imported_by_web_and_above_only() -> None:
    assert importers("scim.deployment") <= {"app", "scim.web", "scim.console", "scim.cli"}


def test_events_are_imported_by_web_console_and_cli_only() -> None:
    assert importers("scim.events") <= {"scim.web", "scim.console", "scim.cli"}


def test_settings_are_imported_by_app_and_scim_only() -> None:
    assert all(name.startswith(("app", "scim")) for name in importers("scim.settings"))


@every_module
def test_the_emulator_imports_only_the_test_client_of_werkzeug_and_nothing_of_perch(file: Path) -> None:
    if room_of(file) == "scim.emulator":
        assert rooms_imported(file) == {}
        assert offenders(file, {"flask", "jinja2"}) == []
        werkzeug = [name for _, name in imports(file) if name.startswith("werkzeug")]
        assert all(name.startswith("werkzeug.test.") for name in werkzeug), werkzeug


def test_the_emulator_is_imported_by_console_and_cli_only() -> None:
    assert importers("scim.emulator") <= {"scim.console", "scim.cli"}


def test_protocol_and_storage_do_not_import_each_other() -> None:
    assert "scim.protocol" not in importers("storage") | {
        target for file in MODULES if room_of(file) == "storage" for target in rooms_imported(file)
    }
    assert "storage" not in {
        target for file in MODULES if room_of(file) == "scim.protocol" for target in rooms_imported(file)
    }


@every_module
def test_no_module_imports_the_tests(file: Path) -> None:
    assert offenders(file, {"tests", "pytest", "hypothesis"}) == []


@every_module
def test_flask_is_imported_by_app_web_console_cli_and_traffic_only(file: Path) -> None:
    if room_of(file) in FLASK_ROOMS | {"scim.emulator"}:
        return
    # Password hashing lies in werkzeug and has nothing to do with requests.
    found = [line for line in offenders(file, {"flask", "werkzeug", "jinja2"}) if "werkzeug.security." not in line]
    assert found == []


def test_the_servers_configuration_knows_nothing_of_scim() -> None:
    libraries = {"flask", "werkzeug", "jinja2", "sqlite3", "sqlite_utils", "marshmallow"}
    assert offenders(ROOT / "gunicorn.conf.py", {*libraries, "schemas"}) == []


@every_module
def test_the_protocol_has_no_input_or_output(file: Path) -> None:
    if room_of(file) == "scim.protocol":
        assert offenders(file, {"requests", "socket", "urllib3", "subprocess", "tempfile", "shutil"}) == []


@every_module
def test_sql_and_sqlite_are_used_in_storage_only(file: Path) -> None:
    if parts(file)[0] != "storage":
        assert offenders(file, {"sqlite3", "sqlite_utils"}) == []
        assert [f"{file.relative_to(ROOT)}:{line} {text!r}" for line, text in texts(file) if SQL.search(text)] == []


@every_module
def test_marshmallow_is_used_in_schemas_and_the_emulators_file_reader_only(file: Path) -> None:
    if parts(file)[0] != "schemas" and parts(file) != ("scim", "emulator", "organisation"):
        assert offenders(file, {"marshmallow"}) == []


@every_module
def test_resource_types_come_from_the_deployment(file: Path) -> None:
    """A deployment may add extensions, so no module outside schemas names a resource's schema or makes types itself."""
    if parts(file)[0] == "schemas":
        return
    named = [name for _, name in imports(file) if re.fullmatch(r"schemas\.(user|group|role)\.\w+Schema", name)]
    for node in ast.walk(tree(file)):
        assert not isinstance(node, ast.Call) or called(node) != "ResourceTypes"
        assert not isinstance(node, ast.Attribute) or node.attr not in ("UserSchema", "GroupSchema", "RoleSchema")
    assert named == []


@every_module
def test_schemas_do_no_input_or_output(file: Path) -> None:
    if parts(file)[0] == "schemas":
        assert offenders(file, {"requests", "socket", "urllib3", "http", "subprocess", "tempfile", "shutil"}) == []


@every_module
def test_modules_are_short(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MAX_LINES_OF_MODULE


@every_module
def test_functions_are_short(file: Path) -> None:
    long = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name} has {lines} lines"
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > MAX_LINES_OF_FUNCTION
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
def test_prose_is_not_recognised_as_sql(text: str) -> None:
    assert not SQL.search(text)
