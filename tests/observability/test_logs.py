"""The log: one line per request with the answer's id, as JSON or text, without personal data unless asked for."""

import json
import logging
import os
import pty
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from scim.observability import logs
from scim.service import resources
from scim.settings import VERSION
from tests.conftest import MakeApp, MakeServer
from tests.support.client import ScimClient
from tests.support.commands import run_json

ID = re.compile(r"[0-9a-f]{16}")
STRANGE_IDS = ["", "a b", "x" * 101, 'quote"', "line\tbreak", "perch_0123456789_" + "A" * 43, "ä"]


@pytest.fixture(autouse=True)
def reset_log() -> Iterator[None]:
    yield
    logs._requests.clear()
    logging.getLogger("perch").handlers.clear()


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines() if line.startswith("{")]


def test_a_request_is_one_line_of_json(okta: ScimClient, capfd: pytest.CaptureFixture[str]) -> None:
    made = okta.post("/Users", {"userName": "ada@example.com", "password": "a long secret"}).body
    logs.start("info", "json", personal=False)
    answer = okta.get(f"/Users/{made['id']}?attributes=userName")
    (line,) = lines(capfd)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert 0 < line.pop("ms") < 10_000
    assert line == {
        "level": "info",
        "message": "request",
        "requestId": answer.headers["X-Request-Id"],
        "method": "GET",
        "route": "/<workspace>/scim/v2/Users/<identifier>",
        "status": 200,
        "key": okta.key.split("_")[1],
        "resource": made["id"],
    }


def test_personal_data_is_logged_only_if_asked_for(okta: ScimClient, capfd: pytest.CaptureFixture[str]) -> None:
    search = "/Users?filter=userName+eq+%22zora%40example.com%22"
    for personal in (False, True):
        logs.start("debug", "json", personal)
        okta.get(search)
        okta.get("/Users/zora@example.com")
        okta.post("/Users", {"userName": "zora@example.com", "password": "a long secret", "nickName": "Zora"})
        okta.post("/Users", {"userName": "zora@example.com"})
        text = capfd.readouterr().err
        # A name that no hexadecimal id can contain.
        assert ("zora" in text.lower()) is personal
        assert ("127.0.0.1" in text) is personal
        assert "secret" not in text
        assert okta.key not in text


def test_a_sent_request_id_is_in_the_answer_and_the_journal(app: Flask, okta: ScimClient) -> None:
    sent = "9f1c:AZ/trace-1=@x"
    answer = okta.post("/Users", {"userName": "ada@example.com"}, {"X-Request-Id": sent})
    assert answer.headers["X-Request-Id"] == sent
    assert run_json(app, "journal")[0]["request"] == sent


@pytest.mark.parametrize("sent", STRANGE_IDS)
def test_an_invalid_request_id_is_replaced(sent: str, app: Flask) -> None:
    headers = {"X-Request-Id": sent.encode().decode("latin-1")}
    answered = app.test_client().get("/x/scim/v2/Users", headers=headers).headers["X-Request-Id"]
    assert ID.fullmatch(answered)


def test_every_answer_has_its_own_request_id(app: Flask) -> None:
    client = app.test_client()
    paths = ["/healthz", "/readyz", "/metrics", "/nowhere", "/console/", "/x/scim/v2/Users", "/"]
    found = {client.get(path).headers["X-Request-Id"] for path in paths}
    assert len(found) == len(paths)


def test_each_level_logs_its_requests(okta: ScimClient, app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    client = app.test_client()
    for level, expected in (("debug", 2), ("info", 1), ("warning", 0), ("error", 0)):
        logs.start(level, "json", personal=False)
        client.get("/healthz")
        client.get("/nowhere")
        assert len(lines(capfd)) == expected


def test_a_bug_is_one_traceback_with_the_request_id_and_without_the_body(
    okta: ScimClient, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(resources, "create", broken)
    logs.start("error", "json", personal=False)
    answer = okta.post("/Users", {"userName": "ada@example.com", "nickName": "Countess"})
    assert answer.status == 500
    event, request = lines(capfd)
    assert event["message"] == "POST /<workspace>/scim/v2/Users failed"
    assert event["exc_info"].count("Traceback") == 1
    assert "KeyError: 'a bug'" in event["exc_info"]
    assert event["requestId"] == request["requestId"] == answer.headers["X-Request-Id"]
    assert (request["level"], request["status"]) == ("error", 500)
    assert "Countess" not in str(event) and "ada@" not in str(event)


def test_the_text_format_has_one_short_line_per_request(okta: ScimClient, capfd: pytest.CaptureFixture[str]) -> None:
    logs.start("info", "text", personal=False)
    answer = okta.get("/Users/01a20c66-5a0e-7d53-8d0c-54a1f4a3a0a5")
    mark = re.escape(answer.headers["X-Request-Id"])
    path = "/<workspace>/scim/v2/Users/01a20c66-5a0e-7d53-8d0c-54a1f4a3a0a5"
    text = capfd.readouterr().err
    assert re.fullmatch(rf"\d\d:\d\d:\d\d 404 GET    {path} [\d.]+ ms key \w+ \[{mark}\]\n", text), text
    logging.getLogger("perch").warning("something %s", "odd")
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning: something odd\n", capfd.readouterr().err)


def test_a_terminal_gets_text_and_anything_else_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    inner, outer = pty.openpty()
    with os.fdopen(outer, "w") as terminal, (tmp_path / "log").open("w") as file:
        monkeypatch.setattr("sys.stderr", terminal)
        assert logs.resolve_format("auto") == "text"
        assert logs.resolve_format("json") == "json"
        monkeypatch.setattr("sys.stderr", file)
        assert logs.resolve_format("auto") == "json"
    os.close(inner)


def test_the_whole_log_of_a_server_is_json(make_server: MakeServer) -> None:
    server = make_server(workers=1, settings={"PERCH_TRAFIC": "all"})
    server.start()
    server.client(key=server.key).get("/Users")
    assert server.stop() == 0
    found = [json.loads(line) for line in server.log().splitlines()]
    messages = [line["message"] for line in found]
    assert f"Perch {VERSION}, file {server.database}" in messages
    assert messages.count("request") == 1
    assert len([message for message in messages if "PERCH_TRAFIC" in message]) == 1
    assert all({"time", "level", "message"} <= line.keys() for line in found)


def test_what_is_printed_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    stream: Any = logs.JsonStream(sys.stderr)
    print("two", "words", file=stream)
    stream.write('{"message": "as it is"}\nhalf a line')
    stream.write(" and the rest\n\nnot yet ended")
    messages = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["message"] for line in messages] == ["two words", "as it is", "half a line and the rest"]
    assert messages[0]["level"] == "error"
    assert stream.isatty() is False


@pytest.mark.parametrize("chosen", ["json", "auto"])
def test_the_log_of_a_start_that_fails_is_json(chosen: str, make_server: MakeServer) -> None:
    server = make_server(workers=1, settings={"PERCH_LOG_FORMAT": chosen, "PERCH_TRAFIC": "all"})
    server.application = "tests.support.no_such_module:app"
    server.start(wait=False)
    assert server.process is not None and server.process.wait(40) == 3
    found = [json.loads(line) for line in server.log().splitlines()]
    assert all({"time", "level", "message"} <= line.keys() for line in found)
    assert "Starting gunicorn" in found[0]["message"]
    assert any("no_such_module" in line["message"] for line in found)


def test_text_is_text_from_the_first_line_on(make_server: MakeServer) -> None:
    server = make_server(workers=1, settings={"PERCH_LOG_FORMAT": "text"})
    server.database.mkdir()
    server.start(wait=False)
    assert server.process is not None and server.process.wait(40) == 3
    assert "{" not in server.log()
    assert re.search(r"^\d\d:\d\d:\d\d error: Perch cannot start: ", server.log(), re.MULTILINE)


def test_an_app_under_test_logs_no_requests(make_app: MakeApp, capfd: pytest.CaptureFixture[str]) -> None:
    make_app().test_client().get("/nowhere")
    assert capfd.readouterr().err == ""
