"""Behind a proxy: which headers decide host, scheme and address; none of them is ever stored."""

import sqlite3
from contextlib import closing

import pytest

from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.client import ScimClient

FORWARDED = {
    "X-Forwarded-For": "198.51.100.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "public.example.com",
    "X-Forwarded-Prefix": "/elsewhere",
    "X-Forwarded-Port": "8443",
    "X-Forwarded-Ssl": "on",
    "Forwarded": "for=198.51.100.9;host=public.example.com;proto=https",
    "X-Original-Url": "/elsewhere",
    "X-Http-Method-Override": "DELETE",
}
ABSURD = [
    "",
    " ",
    "a b",
    "[",
    "[::1",
    "host:port",
    "host:99999",
    "x" * 4000,
    "..",
    "a/b",
    "a@b",
    "\xff\xfe",
    "a,b",
    "%00",
]


def location(client: ScimClient, headers: dict[str, str]) -> str:
    answer = client.get("/Users", headers)
    assert answer.status == 200, answer
    return str(answer.body["Resources"][0]["meta"]["location"]).partition(client.base_path)[0]


def test_forwarded_headers_are_ignored_by_default(generic: ScimClient) -> None:
    generic.post("/Users", {"userName": "someone"})
    assert location(generic, FORWARDED) == "http://localhost"
    assert location(generic, {"Host": "perch.example.net:8000"}) == "http://perch.example.net:8000"


def test_the_public_url_overrides_all_headers(make_app: MakeApp, make_client: MakeClient) -> None:
    app = make_app(PERCH_PUBLIC_URL="https://perch.example.com", PERCH_TRUSTED_PROXIES="1")
    client = make_client(app=app)
    client.post("/Users", {"userName": "someone"})
    for headers in (FORWARDED, {"Host": "evil.example"}, {"Host": "a b"}):
        assert location(client, headers) == "https://perch.example.com"


def test_headers_of_a_trusted_proxy_are_used(make_app: MakeApp, make_client: MakeClient) -> None:
    client = make_client(app=make_app(PERCH_TRUSTED_PROXIES="1"))
    client.post("/Users", {"userName": "someone"})
    assert location(client, FORWARDED) == "https://public.example.com"
    chain = {"X-Forwarded-Proto": "http, https", "X-Forwarded-Host": "forged.example, public.example.com"}
    assert location(client, chain) == "https://public.example.com"
    assert location(client, {"X-Forwarded-Proto": "javascript"}) == "http://localhost"


@pytest.mark.parametrize("trusted", ["0", "1"])
def test_failed_keys_are_counted_by_forwarded_address_only_behind_a_proxy(
    trusted: str, make_app: MakeApp, make_client: MakeClient
) -> None:
    client = make_client(app=make_app(PERCH_TRUSTED_PROXIES=trusted, PERCH_FAILED_KEYS="2"))
    bad = {"Authorization": "Bearer perch_x_y"}
    statuses = [client.get("/Users", {**bad, "X-Forwarded-For": f"forged, 198.51.100.{n}"}).status for n in range(6)]
    assert statuses == ([401] * 6 if trusted == "1" else [401, 401, 429, 429, 429, 429])


@pytest.mark.parametrize("host", ABSURD)
def test_an_absurd_host_is_used_as_it_is_or_400(host: str, generic: ScimClient) -> None:
    generic.post("/Users", {"userName": "someone"})
    answer = generic.get("/Users", {"Host": host})
    assert answer.status in (200, 400)
    if answer.status == 400:
        assert "Host" in answer.body["detail"]
    else:
        assert answer.body["Resources"][0]["meta"]["location"].startswith(("http://localhost", f"http://{host}"))


def test_no_stored_row_holds_a_host(generic: ScimClient, make_app: MakeApp) -> None:
    forged = {"Host": "forged.example", "X-Forwarded-Host": "forged.example", "Origin": "http://forged.example"}
    person = generic.request("POST", "/Users", {"userName": "someone"}, forged).body
    assert person["meta"]["location"].startswith("http://forged.example/")
    members = [{"value": person["id"], "$ref": person["meta"]["location"]}]
    group = generic.request("POST", "/Groups", {"displayName": "team", "members": members}, forged).body
    assert "forged.example" in group["members"][0]["$ref"]
    generic.request("PUT", f"/Users/{person['id']}", {**person, "nickName": "Bo"}, forged)
    generic.request("PUT", f"/Groups/{group['id']}", {**group, "displayName": "crew"}, forged)
    path = make_app().extensions["perch"].database.path
    with closing(sqlite3.connect(path)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        kept = {name: repr(connection.execute(f'SELECT * FROM "{name}"').fetchall()) for name in tables}
    assert "someone" in kept["resources"]
    # Only the traffic may hold a host, since it keeps answers as they were sent.
    assert [name for name, text in kept.items() if "forged.example" in text and name != "traffic"] == []


def test_a_base_url_with_a_final_slash_works(generic: ScimClient) -> None:
    assert generic.request("POST", "//Users", {"userName": "someone"}).status == 201
    assert generic.get("//Users").body["totalResults"] == 1


def test_gunicorn_ignores_forwarded_headers(make_server: MakeServer) -> None:
    server = make_server(workers=1)
    server.start()
    client = server.client(key=server.key)
    client.post("/Users", {"userName": "someone"})
    assert location(client, {**FORWARDED, "Script-Name": "/x", "Path-Info": "/y"}) == server.origin
