"""How requests of clients are served: whatever goes wrong is a SCIM error, and is logged, whoever serves the file."""

import logging
import os
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import create_environ, run_wsgi_app

from scim.observability import logs
from tests.conftest import MakeApp
from tests.support.client import ScimClient
from tests.support.commands import scim_path


def environ(path: str, query: str = "") -> dict[str, Any]:
    """What a server hands on; a query may hold any bytes, as no client library would send them."""
    return {**create_environ(path), "QUERY_STRING": query}


@pytest.mark.parametrize("query", ["x=\xff", "filter=\xff", "count=\xe4\xf6"])
def test_raw_bytes_in_a_query_do_no_harm(
    app: Flask, query: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    with (tmp_path / "log").open("wb") as log:
        monkeypatch.setattr(logs, "STDERR", os.dup(log.fileno()))
        monkeypatch.setattr(logs, "_requests", [logs.RequestLog("info", "json", True)])
        _, status, _ = run_wsgi_app(app.wsgi_app, environ(f"{scim_path(app)}/Users", query))
    assert status.startswith("401")
    assert '"status":401' in (tmp_path / "log").read_text()
    assert logs.request_id.get() == ""


def test_a_file_that_cannot_be_opened_is_told_as_an_error(make_app: MakeApp) -> None:
    app = make_app(PERCH_DATABASE="/nowhere/at/all/perch.db")
    for path in ("/x/scim/v2/Users", "/x/events"):
        body, status, _ = run_wsgi_app(app.wsgi_app, environ(path))
        assert status.startswith("503") and b"/nowhere/at/all" in b"".join(body)


def test_what_fails_after_an_answer_costs_no_answer(
    app: Flask, generic: ScimClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the window is broken")

    monkeypatch.setattr(app.extensions["perch.traffic"], "record", fail)
    monkeypatch.setattr(logging.getLogger("perch"), "propagate", True)
    assert generic.get("/Users").status == 200
    assert "the window is broken" in caplog.text


@pytest.mark.parametrize("host", [f"{'a' * 70}.example", "a..b"])
def test_a_host_that_cannot_be_is_refused(generic: ScimClient, host: str) -> None:
    assert generic.get("/Users", headers={"Host": host}).status == 400
