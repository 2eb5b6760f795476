"""Fixtures shared by all tests: the app, clients that speak like a provider, and a real server."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from werkzeug.routing import Rule

from tests.support import drills
from tests.support.client import ScimClient, wsgi_transport
from tests.support.commands import create_key, scim_path
from tests.support.server import PerchServer

# Keep the settings of the developer's own deployment away from tests.
for _name in [name for name in os.environ if name.startswith("PERCH_")]:
    del os.environ[_name]

# No deadline: the time of an example means nothing on a loaded machine.
settings.register_profile("perch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("perch")

_compile_builder = Rule._compile_builder
_builders: dict[tuple[object, ...], Callable[..., tuple[str, str]]] = {}


def _remembered_builder(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    key = tuple(rule._trace), append_unknown
    if key not in _builders:
        _builders[key] = _compile_builder(rule, append_unknown)
    return _builders[key]


# An app has 95 URL rules, and werkzeug generates and compiles two functions for each. That is nine tenths of the time
# of `create_app`, which thousands of tests call. What is compiled depends on the rule's parts alone.
Rule._compile_builder = _remembered_builder  # type: ignore[assignment,method-assign]

MakeApp = Callable[..., Flask]
MakeClient = Callable[..., ScimClient]
MakeServer = Callable[..., PerchServer]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the drills of the long tests."""
    rows = drills.recorded([report for found in terminalreporter.stats.values() for report in found])
    if rows:
        terminalreporter.section("drills")
        terminalreporter.write_line("\n".join(drills.table(rows)))


@pytest.fixture
def drill(record_property: Callable[[str, object], None]) -> drills.RecordDrill:
    """Record a drill for the closing table: `drill("kill -9 of the server", kills, lost, seconds)`."""
    return lambda name, kills, lost, seconds: record_property("drill", (name, kills, lost, seconds))


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that a first start leaves, which is copied, since each of the migrations takes a millisecond."""
    from storage.database import Database

    database = Database(tmp_path_factory.mktemp("first") / "perch.db")
    database.open()
    database.leave()
    return database.path


@pytest.fixture
def make_app(tmp_path: Path, first_start: Path) -> MakeApp:
    """Make an app on a fresh file: `make_app(PERCH_UNKNOWN_ROLES="create")`; called again, it opens the same file.

    With `opened=False` the file is neither created nor opened, as commands find it. The thread that writes traffic does
    not start, so that nothing is written while a test reads or counts; `app.extensions["perch.traffic"].writer.flush()`
    does its work.
    """
    from app import create_app  # not at the top: tests that need no app must not wait for one

    file = tmp_path / "perch.db"

    def make(opened: bool = True, **settings: str) -> Flask:
        if opened and not file.exists() and "PERCH_DATABASE" not in settings:
            shutil.copy(first_start, file)
        # Tests delete and deactivate far more people than a deployment ever does.
        app = create_app({"PERCH_DATABASE": str(file), "PERCH_FUSE": "off", **settings})
        app.extensions["perch.traffic"].writer.start = lambda: None
        if opened:
            app.extensions["perch"].open()
        return app

    return make


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """Perch with its default settings on a fresh file."""
    return make_app()


@pytest.fixture
def make_client(app: Flask) -> MakeClient:
    """Make a client with a fresh key: `make_client("okta", "--roles-as", "objects")`, `make_client(app=other)`."""
    default_app = app

    def make(provider: str = "generic", *options: str, app: Flask | None = None) -> ScimClient:
        target = app or default_app
        key = create_key(target, f"{provider} test", "--idp", provider, *options)
        return ScimClient(wsgi_transport(target), scim_path(target), key, provider)

    return make


@pytest.fixture
def okta(make_client: MakeClient) -> ScimClient:
    """Perch as Okta sees it."""
    return make_client("okta")


@pytest.fixture
def entra(make_client: MakeClient) -> ScimClient:
    """Perch as Microsoft Entra sees it."""
    return make_client("entra")


@pytest.fixture
def generic(make_client: MakeClient) -> ScimClient:
    """Perch as any client of the RFC sees it."""
    return make_client("generic")


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Make a gunicorn that is not started yet: `make_server(workers=4, settings={…})`; all end with the test."""
    made: list[PerchServer] = []

    def make(workers: int = 2, settings: dict[str, str] | None = None) -> PerchServer:
        folder = tmp_path / f"server-{len(made)}"
        folder.mkdir()
        made.append(PerchServer(folder, workers, settings))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def perch_server(make_server: MakeServer) -> PerchServer:
    """A gunicorn with two workers that is up."""
    server = make_server()
    server.start()
    return server
