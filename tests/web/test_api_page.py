"""docs/api.md is true: its requests are answered as it says, and its tables come from the code."""

import json
import re
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask

from schemas import errors
from tests.support import api_tables, readme
from tests.support.client import ScimClient
from tests.support.commands import run_command

PAGE = readme.API.read_text(encoding="utf-8")
REQUESTS = re.findall(r"^```http (\d+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
WORKSPACE = "https://HOST/WORKSPACE_ID"


class Reader:
    """Sends the page's requests one after the other; `{user}`, `{group}` and `{etag}` are of what it created first."""

    def __init__(self, client: ScimClient) -> None:
        self.client = client
        self.known: dict[str, str] = {}

    def send(self, text: str) -> tuple[int, Any]:
        for name, value in self.known.items():
            text = text.replace(f"{{{name}}}", value)
        head, _, body = text.partition("\n\n")
        line, *lines = head.splitlines()
        method, target = line.split(" ", 1)
        client = self.client.beside_scim() if target.startswith(WORKSPACE) else self.client
        headers = {name: value for name, _, value in (each.partition(": ") for each in lines) if "perch_" not in value}
        path = quote(target.removeprefix(WORKSPACE), safe="/?&=")
        answer = client.request(method, path, json.loads(body) if body else None, headers)
        if method == "POST" and answer.status == 201:
            self.known.setdefault({"/Users": "user", "/Groups": "group"}[target], answer.body["id"])
        if target == f"/Users/{self.known.get('user')}" and "ETag" in answer.headers:
            self.known["etag"] = answer.headers["ETag"]
        return answer.status, answer.body


def test_every_request_is_answered_as_the_page_says(app: Flask, generic: ScimClient) -> None:
    assert len(REQUESTS) > 20
    run_command(app, "keys", "set", generic.key.split("_")[1], "--strict")
    reader = Reader(generic)
    for status, text in REQUESTS:
        answered, body = reader.send(text)
        assert str(answered) == status, f"{text}\n{body}"
        if "totalResults" in str(body):
            assert body["totalResults"] > 0, text
        if text.startswith("POST /Bulk"):
            assert [each["status"] for each in body["Operations"]] == ["201", "201", "200"]
    ada = generic.get(f"/Users/{reader.known['user']}").body
    # The PUT has cleared her first address.
    assert [each["value"] for each in ada["emails"]] == ["countess@home.example"] and ada["title"] == "Analyst"
    assert [role["value"] for role in ada["roles"]] == ["managed:editor"]


def test_the_error_is_the_one_that_is_shown(generic: ScimClient) -> None:
    (shown,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    (asked,) = [text for status, text in REQUESTS if status == "400"]
    assert Reader(generic).send(asked)[1] == json.loads(shown)


@pytest.mark.parametrize("page", [readme.API, readme.DECISIONS], ids=lambda page: page.name)
def test_the_tables_come_from_the_code(app: Flask, page: Any) -> None:
    assert readme.with_generated(page, app) == page.read_text(encoding="utf-8"), "run: make readme"


def test_a_new_error_needs_words(monkeypatch: pytest.MonkeyPatch) -> None:
    teapot = type("Teapot", (errors.ScimError,), {"status": 418})
    monkeypatch.setattr(errors, "Teapot", teapot, raising=False)
    with pytest.raises(KeyError, match="Teapot"):
        api_tables.error_table()


def test_words_without_an_error_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(api_tables.ERRORS, "Teapot", ("it is one", "pour"))
    with pytest.raises(KeyError, match="Teapot"):
        api_tables.error_table()


def test_a_new_route_needs_words(app: Flask) -> None:
    app.add_url_rule("/<workspace>/tea", "workspace.tea.pour", lambda workspace: "")
    with pytest.raises(KeyError, match="tea.pour"):
        api_tables.endpoints(app)
