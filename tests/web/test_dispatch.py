"""Requests take Flask's own dispatch: its hooks, signals and error handlers see each of them."""

import logging
import os
from typing import Any

import pytest
from flask import Flask, Response, got_request_exception, request, request_finished, request_started
from werkzeug.test import create_environ, run_wsgi_app

from schemas import tolerances
from scim.observability import logs
from storage import traffic
from storage.traffic import TrafficEntry, TrafficQuery
from tests.conftest import MakeApp, MakeClient
from tests.support.client import ScimClient
from tests.support.commands import run_command, scim_path

BASE = "/<workspace>/scim/v2"


def environ(path: str, query: str = "") -> dict[str, Any]:
    """Return a WSGI environ; its query may hold any bytes, which client libraries would escape."""
    return {**create_environ(path), "QUERY_STRING": query}


@pytest.mark.parametrize("query", ["x=\xff", "filter=\xff", "count=\xe4\xf6"])
def test_raw_bytes_in_a_query_break_neither_the_answer_nor_the_log(
    app: Flask, query: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    with (tmp_path / "log").open("wb") as log:
        monkeypatch.setattr(logs, "STDERR", os.dup(log.fileno()))
        monkeypatch.setattr(logs, "_requests", [logs.RequestLog("info", "json", True)])
        _, status, _ = run_wsgi_app(app.wsgi_app, environ(f"{scim_path(app)}/Users", query))
    assert status.startswith("401")
    assert '"status":401' in (tmp_path / "log").read_text()
    assert logs.request_id.get() == ""


def test_a_database_that_cannot_be_opened_is_503(make_app: MakeApp) -> None:
    app = make_app(opened=False, PERCH_DATABASE="/nowhere/at/all/perch.db")
    for path in ("/x/scim/v2/Users", "/x/events"):
        body, status, _ = run_wsgi_app(app.wsgi_app, environ(path))
        assert status.startswith("503") and b"/nowhere/at/all" in b"".join(body)


def test_a_failing_recorder_does_not_break_the_answer(
    app: Flask, generic: ScimClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the window is broken")

    monkeypatch.setattr(app.extensions["perch.traffic"], "record", fail)
    monkeypatch.setattr(logging.getLogger("perch"), "propagate", True)
    assert generic.get("/Users").status == 200
    assert "the window is broken" in caplog.text


@pytest.mark.parametrize("host", [f"{'a' * 70}.example", "a..b"])
def test_an_impossible_host_is_400(generic: ScimClient, host: str) -> None:
    assert generic.get("/Users", headers={"Host": host}).status == 400


class Observed:
    """Hooks and signals as a Flask extension registers them, with a list of their calls."""

    def __init__(self, app: Flask) -> None:
        self.calls: list[str] = []
        self.errors: list[BaseException] = []
        app.before_request(self.before)
        app.after_request(self.after)
        app.teardown_request(lambda error: self.calls.append("teardown"))
        request_started.connect(self.started, app)
        request_finished.connect(self.finished, app)
        got_request_exception.connect(self.failed, app)

    def before(self) -> None:
        self.calls.append("before")

    def after(self, response: Response) -> Response:
        self.calls.append(f"after {response.status_code}")
        return response

    def started(self, sender: Flask, **_: object) -> None:
        self.calls.append("started")

    def finished(self, sender: Flask, response: Response, **_: object) -> None:
        self.calls.append(f"finished {response.status_code}")

    def failed(self, sender: Flask, exception: BaseException, **_: object) -> None:
        self.errors.append(exception)


def expected(status: int) -> list[str]:
    return ["started", "before", f"after {status}", f"finished {status}", "teardown"]


@pytest.fixture
def observed(app: Flask) -> Observed:
    return Observed(app)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/Users", 200),
        ("GET", '/Users/?filter=userName eq "x"', 200),
        ("POST", "/Groups", 400),
        ("GET", "/Users/nobody", 404),
        ("GET", "/Nothing", 404),
        ("GET", "/", 200),
        ("PUT", "/", 405),
        ("PUT", "/Users", 405),
        ("DELETE", "/Roles/managed:admin", 405),
        ("OPTIONS", "/Groups", 200),
        ("POST", "/Bulk", 400),
    ],
)
def test_hooks_and_signals_see_requests_of_clients(
    observed: Observed, generic: ScimClient, method: str, path: str, status: int
) -> None:
    answer = generic.request(method, path, {} if method == "POST" else None)
    assert (answer.status, observed.calls, observed.errors) == (status, expected(status), [])


@pytest.mark.parametrize("path", ["/Users", "/Users/1", "/Nothing", "/Users/1/2", "/Bulk", "/.search", "/"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "TRACE"])
def test_hooks_and_signals_see_requests_without_a_key(app: Flask, observed: Observed, method: str, path: str) -> None:
    answer = app.test_client().open(scim_path(app) + path, method=method)
    assert (answer.status_code, answer.get_json()["status"]) == (401, "401")
    assert (observed.calls, observed.errors) == (expected(401), [])


def test_hooks_and_signals_see_events_and_the_console(app: Flask, observed: Observed, generic: ScimClient) -> None:
    events = scim_path(app).removesuffix("/scim/v2") + "/events"
    for path, status in ((events, 401), (f"{events}/nothing", 401), ("/console/users", 303), ("/console/nothing", 303)):
        observed.calls.clear()
        assert app.test_client().get(path).status_code == status
        assert (observed.calls, observed.errors) == (expected(status), [])


@pytest.mark.parametrize("path", ["/Users/secret-name", '/Users?filter=userName eq "secret-name"'])
def test_a_bug_is_signalled_and_its_log_line_names_the_route(
    app: Flask, observed: Observed, generic: ScimClient, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch, path: str,
) -> None:  # fmt: skip
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("scim.web.resources.resources.retrieve", fail)
    monkeypatch.setattr("scim.web.resources.search_resources", fail)
    for name in ("perch", app.logger.name):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    answer = generic.get(path)
    assert (answer.status, answer.body["status"]) == (500, "500")
    assert "planted" not in answer.body["detail"]
    assert observed.calls == expected(500)
    assert [str(error) for error in observed.errors] == ["planted"]
    failures = [record for record in caplog.records if record.exc_info]
    assert [record.getMessage() for record in failures] == [
        f"GET {BASE}/Users{'/<identifier>' if path.startswith('/Users/') else ''} failed"
    ]
    assert "secret-name" not in "".join(record.getMessage() for record in caplog.records)


def test_a_bug_on_a_page_is_signalled_and_its_log_line_names_the_route(
    app: Flask, observed: Observed, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("scim.console.signing.page", fail)
    for name in ("perch", app.logger.name):
        monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    answer = app.test_client().get("/console/sign-in?next=/console/secret-name")
    assert (answer.status_code, observed.calls) == (500, expected(500))
    assert [str(error) for error in observed.errors] == ["planted"]
    assert [record.getMessage() for record in caplog.records if record.exc_info] == ["GET /console/sign-in failed"]
    assert "secret-name" not in caplog.text


def test_a_bug_is_raised_again_with_TESTING(app: Flask, generic: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("scim.web.resources.resources.retrieve", fail)
    monkeypatch.setitem(app.config, "TESTING", True)
    with pytest.raises(ZeroDivisionError):
        generic.get("/Users/1")
    monkeypatch.undo()
    assert generic.get("/Users/1").status == 404


def test_a_bug_in_a_bulk_operation_is_signalled(
    observed: Observed, generic: ScimClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("scim.service.bulk.resources.create", fail)
    operation = {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "ann"}}
    answer = generic.post("/Bulk", {"Operations": [operation, {**operation, "path": "/Nothing", "bulkId": "2"}]})
    assert [result["status"] for result in answer.body["Operations"]] == ["500", "400"]
    assert [str(error) for error in observed.errors] == ["planted"]


def test_an_error_that_an_extension_logs_stays_in_the_log(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ZeroDivisionError("planted")
    except ZeroDivisionError:
        app.logger.exception("The extension failed")
    assert [(record.getMessage(), record.exc_info is not None) for record in caplog.records] == [
        ("The extension failed", True)
    ]


def test_a_hook_of_an_extension_may_answer_before_perch(app: Flask, generic: ScimClient) -> None:
    app.before_request(lambda: Response("closed for today", 503))
    answer = generic.get("/Users")
    assert (answer.status, answer.headers.get("X-Request-Id") is not None) == (503, True)


def test_a_query_that_is_not_utf_8_is_400(app: Flask, generic: ScimClient) -> None:
    sent = {**environ(f"{scim_path(app)}/Users", "filter=\xff"), "HTTP_AUTHORIZATION": f"Bearer {generic.key}"}
    body, status, _ = run_wsgi_app(app.wsgi_app, sent)
    assert status.startswith("400") and b"percent-encode" in b"".join(body)


def recorded(app: Flask) -> list[TrafficEntry]:
    """The traffic entries of an application, the oldest first."""
    app.extensions["perch.traffic"].writer.flush()
    with app.extensions["perch"].database.read() as connection:
        return sorted(traffic.entries(connection, TrafficQuery(), limit=100), key=lambda entry: entry.seq)


@pytest.mark.parametrize("register", ["before_request", "after_request"])
@pytest.mark.parametrize("path", ["/Groups", None])
def test_a_hook_may_send_a_request_while_another_is_served(
    make_app: MakeApp, make_client: MakeClient, register: str, path: str | None
) -> None:
    app = make_app(PERCH_TRAFFIC="all")
    client = make_client(app=app)
    inner = f"{client.base_path}{path}" if path else "/healthz"

    def send(response: Response | None = None) -> Response | None:
        if "X-Inner" not in request.headers:
            sent = {"Authorization": request.headers["Authorization"], "X-Inner": "yes"}
            assert app.test_client().get(inner, headers=sent).status_code == 200
        return response

    getattr(app, register)(send)
    for status in (201, 409):
        assert client.post("/Users", {"userName": "ada"}).status == status
    outer = [entry for entry in recorded(app) if entry.method == "POST"]
    assert [(entry.status, entry.request) for entry in outer] == [(s, '{"userName": "ada"}') for s in (201, 409)]
    assert all("MISSING_SCHEMAS" in entry.tolerances for entry in outer)
    assert [entry.request for entry in recorded(app) if entry.method == "GET"] == [None] * (2 if path else 0)


def test_requests_in_one_application_context_share_nothing(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_TRAFFIC="all")
    client = make_client(app=app)
    with app.app_context():
        client.post("/Users", {"userName": "ada"})
        client.get("/Users")
        client.get("/Users", headers={"Authorization": None})
    assert [(entry.method, entry.status, entry.request) for entry in recorded(app)] == [
        ("POST", 201, '{"userName": "ada"}'), ("GET", 200, None), ("GET", 401, None)
    ]  # fmt: skip


def test_a_failing_teardown_leaves_no_strictness_behind(app: Flask, okta: ScimClient) -> None:
    """Without the hook of Perch that runs last, a strict key must not become the key of a thread."""

    def fail(error: BaseException | None) -> None:
        raise ZeroDivisionError("planted")

    run_command(app, "keys", "set", okta.key.split("_")[1], "--strict")
    app.teardown_request(fail)
    with pytest.raises(ZeroDivisionError):
        okta.get("/Users")
    tolerances.note(tolerances.Tolerance.TEXT_NUMBER)


@pytest.mark.parametrize("path", ["/Users", "/Users/1", "", "/Nothing", '/Users?filter=userName eq "x"'])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_the_consoles_address_as_a_base_url_is_a_scim_error(
    app: Flask, generic: ScimClient, method: str, path: str
) -> None:
    answer = generic.transport(method, f"/console/scim/v2{path}", {"Authorization": f"Bearer {generic.key}"}, None)
    assert answer[0] == 404 and answer[1]["Content-Type"] == "application/scim+json"
    assert b"base URL" in answer[2]
