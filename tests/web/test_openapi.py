"""/{workspace}/openapi.json: fresh, valid, complete, the same everywhere, and true of a real server."""

import json

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import validate
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import MakeApp, MakeServer
from tests.support import openapi
from tests.support.commands import scim_path

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


def test_the_file_is_fresh(app: Flask) -> None:
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.text(app), "run make openapi"


def test_it_is_valid_openapi() -> None:
    validate(json.loads(openapi.FILE.read_text(encoding="utf-8")))


def test_it_is_public_and_differs_in_servers_only(make_app: MakeApp) -> None:
    found = []
    for given_settings in ({"PERCH_WORKSPACE": "one"}, {"PERCH_PUBLIC_URL": "https://perch.example.com"}):
        app = make_app(**given_settings)
        base = scim_path(app).removesuffix("/scim/v2")
        answer = app.test_client().get(f"{base}/openapi.json").get_json()
        origin = given_settings.get("PERCH_PUBLIC_URL", "http://localhost")
        assert answer.pop("servers") == [{"url": origin + base}]
        found.append(answer)
    assert found[0] == found[1] and found[0]["openapi"].startswith("3.1")
    assert app.test_client().get("/other/openapi.json").status_code == 404


def test_every_route_below_the_workspace_is_described(app: Flask) -> None:
    described = json.loads(openapi.FILE.read_text(encoding="utf-8"))["paths"]
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/<workspace>")]
    rules = [rule for rule in rules if rule.endpoint not in openapi.LEFT_OUT]
    assert sum(map(len, ([m for m in path if m != "parameters"] for path in described.values()))) == sum(
        len((rule.methods or set()) - {"HEAD", "OPTIONS"}) for rule in rules
    )


def test_every_operation_has_a_sentence() -> None:
    paths = json.loads(openapi.FILE.read_text(encoding="utf-8"))["paths"].values()
    summaries = [found["summary"] for path in paths for method, found in path.items() if method != "parameters"]
    assert [text for text in summaries if " " not in text or not text.endswith(".")] == []


@pytest.mark.long
def test_a_real_server_does_what_it_says(make_server: MakeServer) -> None:
    server = make_server(2, {"PERCH_FAILED_KEYS": "1000000"})
    server.start()
    url = server.base_url.removesuffix("/scim/v2")
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    headers = {"Authorization": f"Bearer {server.key}"}
    for result in schema.get_all_operations():
        operation = result.ok()  # type: ignore[union-attr]

        # The long poll waits for half a minute by design.
        def check(case: schemathesis.Case) -> None:
            if case.operation.path == "/events/poll" and isinstance(case.body, dict):
                case.body["returnImmediately"] = True
            (case.query or {}).pop("wait", None)
            case.call_and_validate(base_url=url, headers=headers, checks=CHECKS, timeout=60)

        quiet = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck),
                         phases=[Phase.explicit, Phase.generate])  # fmt: skip
        quiet(given(case=operation.as_strategy())(check))()
