"""Production code uses only what the documentation of its libraries names.

Found by reading the source: names with a leading underscore that no module of the same room defines, overrides of a
library's private methods and of Flask's methods, and public names that no documentation mentions (UNDOCUMENTED).
"""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask
from werkzeug.wrappers import Request, Response

from tests.test_architecture import MODULES, ROOT, parts, room_of, tree

FILES = [*MODULES, ROOT / "gunicorn.conf.py"]
OWN = {"app", "schemas", "scim", "storage"}

# Names with an underscore that the documentation of their library names.
DOCUMENTED = {
    "_serialize": "marshmallow, Custom fields",
    "_deserialize": "marshmallow, Custom fields",
    "_replace": "collections.namedtuple",
    "_make": "collections.namedtuple",
    "_asdict": "collections.namedtuple",
    "_fields": "collections.namedtuple",
    "_get_current_object": "Flask, Notes On Proxies",
    "_exit": "os, Process Management",
    "_typeshed": "typeshed, for annotations only",
}
# Names without an underscore that no documentation names, and what to use instead.
UNDOCUMENTED = {
    "ValueClass": "prometheus_client: PROMETHEUS_MULTIPROC_DIR",
    "encode_basestring": "json: json.JSONEncoder(ensure_ascii=False).encode",
    "encode_basestring_ascii": "json: json.dumps",
    "MapAdapter": "werkzeug: request.url_rule and url_for",
    "werkzeug.url_quote": "werkzeug: request.args",
    "gunicorn.socket": "gunicorn: nothing",
    "WORKERS": "gunicorn: nothing",
    "auto_open": "http.client: nothing",
    "default_port": "http.client: HTTPSConnection",
    "will_close": "http.client: the end of the body",
    "isclosed": "http.client: the end of the body",
    "werkzeug.socket": "werkzeug: nothing",
}
# The attributes of gunicorn's server and worker that its documentation uses, and the one that the docstring of its base
# class demands of every worker; Perch's own begin with perch_.
GUNICORN = {"log", "pid", "notify"}

# Each door that stays open, with the reason; a separate test notices when the library closes it.
OPEN = {
    ("gunicorn.conf.py", "worker.alive"): "no hook tells that a worker is to stop, and long polls must end then",
    ("scim/traffic/faults.py", "gunicorn.socket"): "a planned fault breaks the connection",
    ("scim/traffic/faults.py", "werkzeug.socket"): "the same under `flask run`",
    (
        "scim/events/sender.py",
        "auto_open",
    ): "a webhook goes to the checked address; http.client must not reconnect",
    ("scim/web/bodies.py", "gunicorn.socket"): "WSGI has no deadline for reading a body",
}


BY_NAME = ("getattr", "hasattr", "setattr", "delattr")
# Classes that may be subclassed to add, not to override.
UNCHANGED = (Flask, Request, Response)
FLASK_METHODS = {name for name in dir(Flask) if callable(getattr(Flask, name))} - {"wsgi_app"}


class Door(NamedTuple):
    """A use of something undocumented."""

    file: str
    line: int
    name: str


def doors(file: Path, source: ast.Module, own: set[str]) -> Iterator[Door]:
    """Find the doors in a file; `own` are the underscored names that its room defines."""
    place = str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else file.name
    for node in ast.walk(source):
        for name in names_used(node, file.name == "gunicorn.conf.py"):
            if name not in DOCUMENTED and name not in own:
                yield Door(place, getattr(node, "lineno", 0), name)
        if isinstance(node, ast.ClassDef):
            yield from (Door(place, node.lineno, name) for name in overridden(node, names_of(source, file)))


def names_used(node: ast.AST, of_gunicorn: bool) -> Iterator[str]:
    """Yield the names that a node uses and that need documentation."""
    if isinstance(node, ast.Attribute):
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        if is_suspect(node.attr):
            yield node.attr
        elif of_gunicorn and owner in ("worker", "server"):
            if node.attr not in GUNICORN and not node.attr.startswith("perch_"):
                yield f"{owner}.{node.attr}"
        elif owner == "app" and isinstance(node.ctx, ast.Store) and node.attr in FLASK_METHODS:
            yield f"app.{node.attr}"
    elif isinstance(node, ast.Import):
        yield from filter(is_suspect, (part for alias in node.names for part in alias.name.split(".")))
    elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
        names = (*node.module.split("."), *(alias.name for alias in node.names))
        if names[0] not in OWN:
            yield from filter(is_suspect, names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in UNDOCUMENTED:
        yield node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BY_NAME:
        yield from filter(is_private, (str(each.value) for each in node.args[1:2] if isinstance(each, ast.Constant)))


def is_suspect(name: str) -> bool:
    return is_private(name) or name in UNDOCUMENTED


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name != "_"


def names_of(source: ast.Module, file: Path) -> dict[str, str]:
    """Map the names that a module imports or defines as classes to their full names."""
    module = ".".join(parts(file)) if file in MODULES else ""
    found = {node.name: f"{module}.{node.name}" for node in source.body if isinstance(node, ast.ClassDef) and module}
    for node in ast.walk(source):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


def overridden(node: ast.ClassDef, names: dict[str, str]) -> Iterator[str]:
    """Yield the library methods that a class overrides: private ones, and any of the UNCHANGED classes."""
    defined = {each.name for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    for library in (each for base in node.bases for each in library_classes(base, names)):
        strict = issubclass(library, UNCHANGED)
        yield from (
            f"{library.__name__}.{method}"
            for method in sorted(defined & vars(library).keys())
            if method not in DOCUMENTED and (is_private(method) or (strict and not method.startswith("__")))
        )


def library_classes(base: ast.expr, names: dict[str, str]) -> list[type]:
    """Return the classes of libraries that a base class is or inherits from."""
    first, _, rest = ast.unparse(base).partition("[")[0].partition(".")
    found: Any = None
    if first in names:
        module, *inner = *names[first].rsplit(".", 1), *rest.split(".")
        found = importlib.import_module(module)
        for name in filter(None, inner):
            found = getattr(found, name, found)
    return [each for each in getattr(found, "__mro__", ()) if each.__module__.partition(".")[0] not in OWN]


@cache
def underscored(room: str) -> set[str]:
    """Return the underscored names that the modules of a room define."""
    found: set[str] = set()
    for file in FILES:
        if room_of(file) == room:
            found |= defined_in(tree(file))
    return found


def defined_in(source: ast.Module) -> set[str]:
    """Return the underscored names that a module defines: functions, classes, variables, attributes, slots."""
    found = set()
    for node in ast.walk(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_own_instance(node.value):
            found.add(node.attr)
    return {name for name in found if is_private(name)}


def is_own_instance(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def all_doors() -> list[Door]:
    return [door for file in FILES for door in doors(file, tree(file), underscored(room_of(file)))]


def test_no_library_is_used_through_a_private_door() -> None:
    assert [door for door in all_doors() if (door.file, door.name) not in OPEN] == []


def test_the_list_of_open_doors_is_short_and_current() -> None:
    assert len({name.removeprefix("gunicorn.").removeprefix("werkzeug.") for _, name in OPEN}) <= 3
    assert OPEN.keys() == {(door.file, door.name) for door in all_doors()}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("request._cached_json", ["_cached_json"]),
        ("class Own:\n def __init__(self): self._mine = self._library", ["_library"]),
        ("from prometheus_client import _x", ["_x"]),
        ("import _thread", ["_thread"]),
        ("import json.encoder as e; e.encode_basestring(x)", ["encode_basestring"]),
        ("from json.encoder import encode_basestring", ["encode_basestring"]),
        ("values.ValueClass = 1", ["ValueClass"]),
        ("getattr(handler, '_gunicorn', False)", ["_gunicorn"]),
        ("unquote(text, errors='werkzeug.url_quote')", ["werkzeug.url_quote"]),
        ("from werkzeug.routing import MapAdapter", ["MapAdapter"]),
        ("from flask import Flask\nclass A(Flask):\n def wsgi_app(self): ...", ["Flask.wsgi_app"]),
        ("import flask\nclass A(flask.Response):\n def get_wsgi_headers(self): ...", ["Response.get_wsgi_headers"]),
        ("from marshmallow.fields import Field\nclass A(Field):\n def _bind_to_schema(self): ...",
         ["Field._bind_to_schema"]),
        ("app.ensure_sync = same", ["app.ensure_sync"]),
    ],
)  # fmt: skip
def test_a_private_door_is_found(source: str, names: list[str]) -> None:
    parsed = ast.parse(source)
    assert [door.name for door in doors(Path("sample.py"), parsed, defined_in(parsed))] == names


@pytest.mark.parametrize("source", ["worker.age > 1", "server.WORKERS.values()"])
def test_an_attribute_of_gunicorn_is_found(source: str) -> None:
    assert [door.line for door in doors(Path("gunicorn.conf.py"), ast.parse(source), set())] == [1]


@pytest.mark.parametrize(
    "source",
    [
        "def _own(): ...\nmodule._own()",
        "class Own:\n _kept = 1\n def read(self): return self._kept",
        "from schemas.values import _own",
        "from . import _sibling",
        "_, x = row; row._replace(a=1); obj.__class__",
        "from marshmallow.fields import Field\nclass A(Field):\n def _serialize(self): ...",
        "from flask import Flask\nclass A(Flask):\n def own(self): ...",
        "app.wsgi_app = middleware(app.wsgi_app)",
    ],
)
def test_an_ordinary_use_is_not_a_door(source: str) -> None:
    parsed = ast.parse(source)
    assert list(doors(Path("sample.py"), parsed, defined_in(parsed))) == []
