"""Names can neither forge lines on the operator's terminal nor steer it: all that the commands print is printable."""

import ast
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import pytest
from click.testing import Result
from flask import Flask

from schemas.datetimes import now
from scim.emulator.report import ResultTable
from scim.emulator.runner import FAILED
from scim.emulator.runner import Result as CheckResult
from scim.observability.printable import json_text, printable
from scim.traffic.replay import as_curl
from storage.traffic import TrafficEntry
from tests.conftest import MakeApp, MakeClient
from tests.support.commands import run_json
from tests.support.server import ROOT

HOSTILE = "a\x1b[2J\x07b\x9b1mc\u202ed\u2066e\u2028f\u2029g\x7f\x85\r\nFORGED \u061c\ufeffh"
SEEN = r"a\x1b[2J\x07b\x9b1mc\u202ed\u2066e\u2028f\u2029g\x7f\x85\x0d\x0aFORGED \u061c\ufeffh"
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def check(result: Result, *, names: bool = True) -> None:
    """Check that output and errors are printable, and that no line begins where a name says so."""
    shown = result.stdout + result.stderr
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    assert not UNSAFE.search(shown), shown
    assert not re.search(r"^\s*FORGED", shown, re.MULTILINE), shown
    assert not names or "FORGED" in shown, shown


class HostileServer(BaseHTTPRequestHandler):
    """Refuses every request with hostile texts."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.dumps({"detail": HOSTILE, "id": HOSTILE, "totalResults": HOSTILE, "Resources": [HOSTILE]}).encode()
        self.send_response(400)
        self.send_header("Content-Type", "application/scim+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hostile_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), HostileServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/{quote(HOSTILE)}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def world(make_app: MakeApp, make_client: MakeClient) -> Flask:
    """A deployment in which everything that takes a name has a hostile one."""
    app = make_app(PERCH_TRAFFIC="all", PERCH_FAULTS="on", PERCH_WEBHOOKS_ALLOW_PRIVATE="on")
    client = make_client("okta", app=app)
    person = {"userName": HOSTILE, "externalId": HOSTILE, "name": {"givenName": HOSTILE}, HOSTILE: 1}
    made = client.post("/Users", {**person, "emails": [{"value": HOSTILE, "type": HOSTILE}], "active": "True"})
    group = client.post("/Groups", {"displayName": HOSTILE, "members": [{"value": made.body["id"]}]})
    assert (made.status, group.status) == (201, 201)
    assert client.post("/Users", person).status == 409
    assert client.get(f"/Users/{quote(HOSTILE)}", {"User-Agent": "x\x9b1m"}).status == 404
    app.extensions["perch.traffic"].writer.flush()
    run = app.test_cli_runner()
    for arguments in (
        ["keys", "create", HOSTILE],
        ["roles", "add", "x:y", HOSTILE, "--description", HOSTILE],
        ["roles", "assign", "--user", HOSTILE, "x:y"],
        ["roles", "assign", "--group", HOSTILE, "x:y"],
        ["faults", "add", "/\x1b[2J\u202eFORGED", "--delay", "0.001"],
    ):
        assert run.invoke(args=arguments).exit_code == 0
    return app


# The arguments of each command; {name} is hostile, the other words in braces exist. After a question mark the command
# prints no name. Commands that take something away come last.
CASES: dict[str, list[str]] = {
    "init": ["?"],
    "workspace": ["?"],
    "admin-password": ["?"],
    "settings": ["?", "?--markdown"],
    "version": ["?"],
    "doctor": ["?"],
    "migrate": ["?", "?--check"],
    "apply": ["{folder}/none-{name}", "{toml}", "?{file}"],
    "export": [""],
    "backup": ["{folder}/{name}", "{folder}/{name}", "?{folder}/none/{name}"],
    "restore": ["{folder}/no {name}"],
    "deliver": ["?--once"],
    "follow": ["{name}"],
    "drill": ["--rounds {name}"],
    "events": [""],
    "events rotate-signing-key": ["?"],
    "fuse release": ["?"],
    "fuse status": ["?"],
    "journal": ["", "?--user {name}"],
    "quirks": ["", "--key {name}"],
    "keys create": ["?{name}"],
    "keys set": ["{key} --name {name}", "{name} --strict", "{key} --{name}"],
    "keys list": [""],
    "keys secrets add": ["?{client}", "{name}"],
    "keys secrets list": ["?{client}", "{name}"],
    "keys secrets revoke": ["{client} {name}", "{name} x"],
    "keys trust": ["?{client} --issuer https://x.example --subject {name} --audience {name}", "{client}", "{name}"],
    "keys revoke": ["{key}", "{name}"],
    "faults add": ["/{word} --delay 0.1", "{name} --delay 1", "/x --delay 1 --key {name}"],
    "faults list": [""],
    "faults clear": ["{name}", "?99"],
    "roles add": ["y:z {name}", "?{name} {name}"],
    "roles list": [""],
    "attributes add": [
        "?urn:acme:x:User badge --type string --description {name}",
        "?{name} {name} --type string",
        "urn:acme:x:User x --type complex --sub {name}",
        "urn:acme:x:User x --type {name}",
    ],
    "attributes list": [""],
    "attributes seen": ["?"],
    "attributes remove": ["{name}"],
    "roles edit": ["x:y --name {name}", "{name} --name x"],
    "roles assign": ["--user {name} x:y", "--group {name} x:y", "--user {name} no:{word}", "--user no{name} x:y"],
    "roles explain": ["{name}"],
    "roles remove": ["x:y"],
    "roles unassign": ["--user {name} x:y", "--group {name} x:y"],
    "traffic": [""],
    "traffic show": ["{request}", "{conflict}", "{name}"],
    "applications add": ["{name} --key {key}", "x --webhook {name}", "{name} --key {key}"],
    "applications list": [""],
    "receipts": ["?", "?--csv", "?--user {name}", "--application no{name}", "?--since {name}"],
    "receipts check": ["?--older-than 0"],
    "applications remove": ["{name}"],
    "webhooks add": ["?https://app.example.com/{name}", "https://app.example.com/ --events {name}"],
    "webhooks kinds": ["?"],
    "webhooks test": ["?{hook}", "{name}"],
    "webhooks list": ["?"],
    "webhooks pause": ["?{hook}", "{name}"],
    "webhooks resume": ["?{hook}", "{name}"],
    "webhooks rotate": ["?{hook}", "{name}"],
    "webhooks replay": ["?{hook} --from {name}", "{name} --from oldest"],
    "webhooks remove": ["?{hook}", "{name}"],
    "okta import": ["", "--url {url} --key x"],
    "okta sample": ["3 --role {name}"],
    "okta sync": [
        "{file} --dry-run",
        "{file} --url {url} --key x --state {folder}/state",
        "{wrong}",
        "{file} --{name}",
    ],
    "okta test": ["--url {url} --key x", "--url http://127.0.0.1:1/{name} --key x", "?--url {name} --key x"],
    "entra sync": ["{file} --dry-run", "{file} --url {url} --key x --state {folder}/state", "{wrong}"],
    "entra test": ["--url {url} --key x", "--url http://127.0.0.1:1/{name} --key x", "--only {name}"],
    "profile test": ["interop --url {url} --key x", "ipsie --url http://127.0.0.1:1/{name} --key x"],
    "forget": ["{name}"],
}


def leaves(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Yield each command that does something, with its path."""
    if isinstance(command, click.Group):
        if command.invoke_without_command:
            yield context.info_name or "", command
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            path = f"{context.info_name} {name}".strip()
            yield from leaves(inner, click.Context(inner, info_name=path))
    else:
        yield context.info_name or "", command


def found(app: Flask) -> dict[str, click.Command]:
    return dict(leaves(app.cli, click.Context(app.cli, info_name="")))


def test_every_command_has_a_case(app: Flask) -> None:
    assert found(app).keys() == CASES.keys()


@pytest.fixture
def places(world: Flask, hostile_url: str, tmp_path: Path) -> dict[str, str]:
    organisation = {
        "people": [{"id": "1", "login": HOSTILE, "givenName": HOSTILE, "familyName": HOSTILE, "email": HOSTILE}],
        "groups": [],
        "app": {"people": [{"person": HOSTILE}], "groups": [], "push": []},
    }
    file, wrong, toml = tmp_path / "org.json", tmp_path / "wrong.json", tmp_path / "workspace.toml"
    toml.write_text(
        f'[roles."x:y"]\nname = {json.dumps(HOSTILE)}\n[[group_rules]]\nroles = ["x:y"]\n'
        f"group = {json.dumps(HOSTILE)}\n"
    )
    file.write_text(json.dumps(organisation))
    wrong.write_text(json.dumps({"people": [{HOSTILE: 1}], HOSTILE: 2}))
    requests = {entry["status"]: str(entry["seq"]) for entry in run_json(world, "traffic")}
    hook = run_json(world, "webhooks", "add", "http://127.0.0.1:1/hook")["id"]
    return {
        "client": run_json(world, "keys", "create", "c", "--oauth")["id"], "name": HOSTILE,
        "word": "x\x1b\u202eFORGED", "key": run_json(world, "keys", "list")[0]["id"], "hook": hook,
        "request": requests[404], "conflict": requests[409], "url": hostile_url, "file": str(file),
        "toml": str(toml),
        "wrong": str(wrong), "folder": str(tmp_path),
    }  # fmt: skip


def test_commands_print_no_control_characters(
    world: Flask, places: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    commands, run = found(world), world.test_cli_runner()
    for name, cases in CASES.items():
        for case in cases:
            words = [*name.split(), *(word.format_map(places) for word in case.removeprefix("?").split())]
            check(run.invoke(args=words), names=not case.startswith("?"))
            if any(option.name == "as_json" for option in commands[name].params):
                check(as_json := run.invoke(args=[*words, "--json"]), names=False)
                assert not as_json.stdout or json.loads(as_json.stdout) is not None


def test_follow_prints_no_control_characters(world: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    for options in ([], ["--json"]):
        check(world.test_cli_runner().invoke(args=["traffic", "--follow", *options]))


def test_json_holds_the_names_as_they_are(world: Flask) -> None:
    entries = run_json(world, "journal")
    assert HOSTILE in {entry["name"] for entry in entries}
    assert HOSTILE in {role["name"] for role in run_json(world, "roles", "list")}


def test_tables_stay_aligned(world: Flask) -> None:
    lines = world.test_cli_runner().invoke(args=["roles", "list"]).stdout.splitlines()
    (row,) = [line for line in lines if line.startswith("x:y")]
    assert row == f"{'x:y':<19}  {SEEN}  {SEEN}  any"
    assert lines[0].index("DESCRIPTION") == row.rindex(SEEN)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (HOSTILE, SEEN),
        ("Zoë Ångström 山田 \U0001f600 می\u200cخواهم", "Zoë Ångström 山田 \U0001f600 می\u200cخواهم"),
        ("a\tb", "a\\x09b"),
        ("\udcff", "\\udcff"),
        ("C:\\x1b", "C:\\x1b"),
        ("", ""),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert json.loads(json_text({text: [text]}, 2)) == {text: [text]}
    assert not UNSAFE.search(json_text(text))


def test_a_curl_command_is_printable_and_sends_the_same(tmp_path: Path) -> None:
    body = "it's \\ " + HOSTILE
    entry = TrafficEntry(now(), "k", "k", None, "POST", "/w/scim/v2/Users", 200, 1.0, {"If-Match": body}, request=body)
    shown = as_curl(entry, "https://h/w/scim/v2")
    assert not UNSAFE.search(shown) and not re.search("^FORGED", shown, re.MULTILINE)
    command = shown.replace("curl ", "printf '%s\\0' ", 1)
    sent = subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout.decode().split("\0")
    assert f"If-Match: {body}" in sent and body in sent
    assert "-X 'A|B`C' " in as_curl(TrafficEntry(now(), "k", "k", None, "A|B`C", "/", 200, 1.0), "")


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/Users?x=1", "'https://h/Users?x=1'"), ("//evil.example/Users", "https://h//evil.example/Users"),
        ("/scim/v2", "https://h/scim/v2"), ("/w/scim/v2/Users", "https://h/w/scim/v2/Users"),
    ],
)  # fmt: skip
def test_a_curl_command_leads_the_key_to_this_server_only(path: str, url: str) -> None:
    entry = TrafficEntry(now(), None, None, None, "GET", path, 404, 1.0)
    assert as_curl(entry, "https://h/w/scim/v2").startswith(f"curl -X GET {url} ")


def test_the_emulators_table_prints_no_line_breaks_of_a_server() -> None:
    lines: list[str] = []
    result = CheckResult("users", "Import", HOSTILE, HOSTILE, HOSTILE, HOSTILE, FAILED, HOSTILE, HOSTILE)
    ResultTable(lambda line: lines.append(printable(line)), "utf-8").show(result)
    assert len(lines) == 6 and not UNSAFE.search("\n".join(lines))


def test_commands_print_through_one_door() -> None:
    for file in sorted((ROOT / "scim").glob("**/*.py")):
        if file == ROOT / "scim" / "cli" / "common.py":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func)
            assert name not in ("click.echo", "click.secho", "print", "sys.stdout.write"), f"{file}: {name}"
            if name in ("click.command", "click.group"):
                assert "cls=Command" in ast.unparse(node) or "cls=Group" in ast.unparse(node), f"{file}: {name}"


def test_no_description_in_a_list_of_commands_is_cut(app: Flask) -> None:
    waiting: list[list[str]] = [[]]
    listed: dict[str, str] = {}
    while waiting:
        path = waiting.pop()
        shown = app.test_cli_runner().invoke(args=[*path, "--help"]).stdout.partition("\nCommands:\n")[2]
        for name, text in re.findall(r"^  ([\w-]+)  +(\S.*)$", shown, re.MULTILINE):
            listed[" ".join([*path, name])] = text
            waiting.append([*path, name])
    assert {"doctor", "keys secrets add"} <= listed.keys()
    assert [path for path, text in listed.items() if text.endswith("...")] == []
