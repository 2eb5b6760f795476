"""Every answer to SCIM clients and applications forbids content sniffing, frames and, but for the key set, caching."""

import pytest

from tests.conftest import MakeApp, MakeClient
from tests.support.commands import run_command, scim_path
from tests.support.resources import user

POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize("key", [True, False])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "{base}/Users"), ("GET", "{base}/Users/{id}"), ("GET", "{base}/Users/none"), ("POST", "{base}/Users"),
        ("PATCH", "{base}/Users/{id}"), ("GET", "{base}/Schemas"), ("GET", "{base}/ServiceProviderConfig"),
        ("GET", "{base}/nothing"), ("DELETE", "{base}/Users"), ("POST", "{base}/.search"), ("POST", "{base}/Bulk"),
        ("OPTIONS", "{base}/Users"), ("HEAD", "{base}/Users"), ("GET", "/other/scim/v2/Users"), ("GET", "/scim/v2"),
        ("GET", "{workspace}/events?after=latest"), ("GET", "{workspace}/events"), ("POST", "{workspace}/events/poll"),
        ("GET", "{workspace}/events/none"), ("GET", "/metrics"), ("GET", "/readyz"), ("GET", "/nothing"),
    ],
)  # fmt: skip
def test_answers_are_not_cached(make_app: MakeApp, make_client: MakeClient, method: str, path: str, key: bool) -> None:
    app = make_app()
    client = make_client(app=app)
    identifier, base = user(client, "ada")["id"], scim_path(app)
    url = path.format(base=base, id=identifier, workspace=base.removesuffix("/scim/v2"))
    headers = {"Authorization": client.key} if key else {}
    answer = app.test_client().open(url, method=method, headers={**headers, "Origin": "https://evil.example"})
    assert answer.headers.getlist("Cache-Control") == ["no-store"]
    assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert answer.headers.getlist("Content-Security-Policy") == [POLICY]
    assert [name for name, _ in answer.headers if name.startswith("Access-Control")] == []


def test_failures_and_planned_faults_are_not_cached(
    make_app: MakeApp, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(PERCH_FAULTS="on")
    client = make_client(app=app)
    run_command(app, "faults", "add", "GET /Users", "--status", "503", "--times", "1")
    answers = [client.get("/Users"), client.get("/Users", {"Authorization": "x"})]
    monkeypatch.setattr("storage.resources.get", lambda *_: 1 / 0)
    answers.append(client.get("/Users/x"))
    assert [answer.status for answer in answers] == [503, 401, 500]
    for answer in answers:
        assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert answer.headers["Content-Security-Policy"] == POLICY


def test_the_public_signing_keys_may_be_cached(make_app: MakeApp) -> None:
    app = make_app()
    answer = app.test_client().get(scim_path(app).removesuffix("/scim/v2") + "/jwks.json")
    assert answer.headers.getlist("Cache-Control") == ["public, max-age=300"]
    assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert answer.headers.getlist("Content-Security-Policy") == [POLICY]
