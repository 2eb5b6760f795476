"""The example in examples/ against a real server: its advice for applications works."""

import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest
import requests

from examples.read_roles import Perch
from storage.locks import followed_path
from tests.conftest import MakeServer
from tests.support.server import ROOT, PerchServer, clean_environment


@pytest.fixture
def people(make_server: MakeServer) -> tuple[PerchServer, str]:
    """A server with people, and an application's key on it."""
    server = make_server(workers=2)
    server.start()
    okta = server.client("okta", server.create_key("Okta"))
    for name, roles in (("ann@example.com", ["managed:admin"]), ("bob@example.com", []), ('q"\\', ["managed:viewer"])):
        okta.post("/Users", {"userName": name, "roles": roles})
    cid = okta.post("/Users", {"userName": "cid@example.com"}).body["id"]
    okta.post("/Users", {"userName": "off@example.com", "active": False, "roles": ["managed:admin"]})
    okta.post("/Groups", {"displayName": "Support", "members": [{"value": cid}]})
    server.flask("roles", "assign", "--group", "Support", "managed:admin")
    server.flask("roles", "assign", "--user", "ann@example.com", "managed:editor")
    return server, server.create_key("My application", "--idp", "generic", "--access", "read")


def test_an_application_reads_roles(people: tuple[PerchServer, str]) -> None:
    server, key = people
    perch = Perch(server.base_url, key)
    perch.session.trust_env = False
    assert perch.roles_of("ANN@example.com") == {"managed:admin", "managed:editor"}
    assert perch.roles_of("cid@example.com") == {"managed:admin"}
    assert perch.roles_of('q"\\') == {"managed:viewer"}
    for refused in ("bob@example.com", "off@example.com", "nobody@example.com"):
        assert perch.roles_of(refused) is None
    assert list(perch.holders_of("managed:admin")) == ["ann@example.com", "cid@example.com"]
    assert list(perch.holders_of("managed:analyst")) == []
    assert perch.session.delete(f"{server.base_url}/Users/1", timeout=10).status_code == 403
    with pytest.raises(requests.HTTPError):
        Perch(server.base_url, key + "x").roles_of("ann@example.com")
    # Run as a program, too; in this test, because starting another server takes longer than the whole test.
    assert run(server, key, "may", "ann@example.com") == "yes: managed:admin managed:editor\n"
    assert run(server, key, "may", "bob@example.com") == "no\n"
    assert run(server, key, "holders", "managed:admin") == "ann@example.com\ncid@example.com\n"


def run(server: PerchServer, key: str, *arguments: str) -> str:
    environment = clean_environment({"PERCH_BASE_URL": server.base_url, "PERCH_KEY": key, "NO_PROXY": "127.0.0.1"})
    command = [sys.executable, "examples/read_roles.py", *arguments]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stderr, result.returncode) == ("", 0)
    return result.stdout


def test_an_application_turns_to_the_follower(people: tuple[PerchServer, str], make_server: MakeServer) -> None:
    server, key = people
    follower = make_server(settings={"PERCH_FOLLOW": "on"})
    with closing(sqlite3.connect(server.database)) as source, closing(sqlite3.connect(follower.database)) as copy:
        source.backup(copy)
    followed_path(follower.database).write_text("1")
    follower.start()
    perch = Perch(server.base_url, key, follower.origin + server.scim_path + "/")
    perch.session.trust_env = False
    assert perch.roles_of("ann@example.com") == {"managed:admin", "managed:editor"}
    assert "GET" not in follower.log().partition("/Users")[2]
    wrong = Perch(server.base_url, "perch_x", follower.origin + server.scim_path)
    with pytest.raises(requests.HTTPError):
        wrong.roles_of("ann@example.com")
    server.kill()
    assert perch.roles_of("ann@example.com") == {"managed:admin", "managed:editor"}
    assert perch.roles_of("bob@example.com") is None
    assert list(perch.holders_of("managed:admin")) == ["ann@example.com", "cid@example.com"]
    with pytest.raises(requests.ConnectionError):
        Perch(server.base_url, key).roles_of("ann@example.com")
