"""Every route needs a key or a login, unless it is on the short public list."""

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.routing import Rule

from tests.support.commands import scim_path

BASE = "/<workspace>/scim/v2"
# Routes that need neither a key nor a login.
PUBLIC = {
    f"{BASE}/ServiceProviderConfig",
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/<workspace>/jwks.json",
    "/<workspace>/oauth/token",
    "/<workspace>/openapi.json",
    "/.well-known/oauth-authorization-server/<workspace>",
}
EVENTS = "/<workspace>/events"
# Console routes that need no login.
LOGIN = ("/console/sign-in", "/console/sign-out", "/console/static/<path:filename>")
# All methods, since Flask adds some to a route by itself.
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


def rules(app: Flask, prefix: str) -> list[Rule]:
    return [rule for rule in app.url_map.iter_rules() if rule.rule.startswith(prefix)]


def urls(app: Flask, rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield each method and a URL of a rule."""
    path = rule.rule.replace(BASE, scim_path(app)).replace(EVENTS, scim_path(app)[:-8] + "/events")
    path = re.sub(r"<[^>]+>", "1", path)
    yield from ((method, path) for method in METHODS)


def test_every_route_is_scim_console_or_public(app: Flask) -> None:
    known = (BASE, "/console", EVENTS)
    strange = [rule.rule for rule in app.url_map.iter_rules() if not rule.rule.startswith(known)]
    assert set(strange) <= PUBLIC


def test_every_scim_route_needs_a_key(app: Flask) -> None:
    client = app.test_client()
    found = [rule for rule in [*rules(app, BASE), *rules(app, EVENTS)] if rule.rule not in PUBLIC]
    assert len(found) > 10
    for rule in found:
        for method, path in urls(app, rule):
            for address in (path, path + "/", path + "?x=1"):
                for key in (None, "Bearer perch_0123456789_" + "A" * 43):
                    answer = client.open(address, method=method, headers={"Authorization": key} if key else {})
                    assert answer.status_code in (401, 429), (method, address, answer.status_code)


def test_every_console_route_needs_a_login(app: Flask) -> None:
    client = app.test_client()
    for rule in rules(app, "/console"):
        if rule.rule.startswith(LOGIN):
            continue
        for method, path in urls(app, rule):
            answer = client.open(path, method=method)
            sent_to_login = answer.status_code in (302, 303) and "/console/sign-in" in answer.headers["Location"]
            refused = answer.status_code in (401, 403, 404, 405) or method == "OPTIONS"
            assert sent_to_login or refused, (method, path, answer.status_code)


@pytest.mark.parametrize("rule", sorted(PUBLIC))
def test_public_routes_show_no_secret(rule: str, app: Flask) -> None:
    answer = app.test_client().get(rule.replace(BASE, scim_path(app)))
    assert answer.status_code in (200, 302, 303, 404, 405)
    assert b"perch_" not in answer.data or rule == "/metrics"
