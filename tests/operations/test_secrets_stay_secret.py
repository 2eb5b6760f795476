"""Keys and passwords never appear in a log, an answer, a command's output or any file."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

from tests.conftest import MakeApp, MakeServer
from tests.support.client import ScimClient, http_transport
from tests.support.commands import create_key, run_command, scim_path
from tests.support.server import PerchServer

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
# Passwords as clients send them: plain, escaped, in unusual case, with quotes, not ASCII.
PASSWORDS = [
    "Marker-Pa55word-Plain",
    "Marker-Pa55word-\u00e9\u4e16",
    'Marker-Pa55word-"quoted"',
    "Marker-Pa55word-\U0001f600",
]
MARKERS = [b"Marker-Pa55word", b"marker-pa55word"]


def bodies(number: int, password: str) -> list[tuple[str, str, Any]]:
    """Valid and invalid requests with a password in every possible place."""
    user = {"userName": f"user-{number}", "password": password}
    patch = {"schemas": [PATCH_OP], "Operations": [{"op": "replace", "path": "password", "value": password}]}
    pathless = {"schemas": [PATCH_OP], "Operations": [{"op": "add", "value": {"Password": password}}]}
    qualified = {
        "schemas": [PATCH_OP],
        "Operations": [{"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:password", "value": password}],
    }
    bulk = {"schemas": [BULK], "Operations": [{"method": "POST", "path": "/Users", "bulkId": "1", "data": user}]}
    return [
        ("POST", "/Users", user),
        ("POST", "/Users", user),
        ("POST", "/Users", {"PASSWORD": password}),
        ("POST", "/Users", {"userName": f"odd-{number}", "password": [password]}),
        ("POST", "/Users", {"userName": f"odd-{number}", "password": {"value": password}}),
        ("POST", "/Users", {"userName": f"nested-{number}", "urn:ietf:params:scim:schemas:core:2.0:User": user}),
        ("PUT", "/Users/{id}", {**user, "active": "perhaps"}),
        ("PUT", "/Users/{id}", {**user, "nickName": "Bo"}),
        ("PUT", "/Users/none", user),
        ("PATCH", "/Users/{id}", patch),
        ("PATCH", "/Users/{id}", pathless),
        ("PATCH", "/Users/{id}", qualified),
        ("PATCH", "/Users/{id}", {**patch, "schemas": ["urn:wrong"]}),
        ("POST", "/Bulk", bulk),
        ("POST", "/Bulk", {**bulk, "Operations": [{**bulk["Operations"][0], "method": "NONE"}]}),  # type: ignore[index]
        ("POST", "/Users/.search", {"filter": f"password eq {json.dumps(password)}"}),
    ]


def raw_bodies(password: str) -> list[bytes]:
    """Malformed bodies that contain a password."""
    text = json.dumps({"userName": "broken", "password": password}).encode()
    return [text[:-1], text + b"}", b'{"x": 1e999, ' + text[1:], text.replace(b'"userName"', b'"password"')]


def attack(client: ScimClient) -> list[Any]:
    """Send all requests; return the answers."""
    identifier = client.post("/Users", {"userName": "target"}).body["id"]
    answers: list[Any] = []
    for number, password in enumerate(PASSWORDS):
        for method, path, body in bodies(number, password):
            answers.append(client.request(method, path.format(id=identifier), body))
        answers += [client.request("POST", "/Users", data=data) for data in raw_bodies(password)]
        quoted = "".join(f"%{byte:02X}" for byte in password.encode())
        answers.append(client.get(f"/Users?filter=password%20eq%20%22{quoted}%22"))
        answers.append(client.get("/Users?attributes=password,userName"))
    return answers


def with_keys(client: ScimClient, keys: list[str]) -> list[Any]:
    """Send valid and revoked keys in every place where clients put them by mistake; return the answers."""
    answers: list[Any] = []
    for key in keys:
        encoded = base64.b64encode(f"user:{key}".encode()).decode()
        for header in (
            f"Bearer {key}",
            key,
            f"Basic {encoded}",
            f"Bearer {key}x",
            f"Token {key}",
            f"Bearer Bearer {key}",
        ):
            answers.append(client.get("/Users?count=0", {"Authorization": header}))
        answers.append(client.get(f"/Users?access_token={key}", {"Authorization": None}))
        answers.append(client.get(f"/Users?access_token={key}&api_key={key}"))
        answers.append(client.get(f"/Users/{key}"))
        answers.append(client.get(f"/{key}"))
        answers.append(client.get("/Users", {"X-Api-Key": key, "Cookie": f"key={key}", "X-Request-Id": key}))
        answers.append(client.post("/Users", {"userName": "with-key"}, {"X-Request-Id": key}))
    return answers


def everything(server: PerchServer) -> dict[str, bytes]:
    """All files of a deployment: the log, the database, the write-ahead log and others beside them."""
    return {file.name: file.read_bytes() for file in server.folder.iterdir() if file.is_file()}


def test_no_secret_is_written_or_answered(make_server: MakeServer, make_app: MakeApp, tmp_path: Path) -> None:
    server = make_server(
        workers=2,
        settings={"PERCH_TRAFFIC": "all", "PERCH_FAILED_KEYS": "9", "PERCH_ADMIN_PASSWORD": PASSWORDS[0]},
    )
    server.start()
    app = make_app(PERCH_DATABASE=str(server.database))
    live, revoked, reader = (create_key(app, name, *options) for name, *options in KEYS)
    run_command(app, "keys", "revoke", revoked.split("_")[1])
    guessed = "perch_0123456789_" + "MarkerGuess" * 4
    client = ScimClient(http_transport(server.origin), scim_path(app), live, "okta")
    keys = [live, revoked, reader, guessed]

    answers = attack(client) + with_keys(client, keys)
    assert {answer.status for answer in answers} >= {200, 201, 400, 401, 404, 409, 429}
    assert not [answer for answer in answers if answer.status >= 500]
    output = "".join(run_command(app, *command) for command in COMMANDS)
    assert server.stop() == 0
    output += "".join(run_command(app, *command) for command in COMMANDS)

    secrets = [key.split("_", 2)[2].encode() for key in keys] + MARKERS
    secrets += [base64.b64encode(f"user:{key}".encode()) for key in keys]
    places = {**everything(server), "answers": repr(answers).encode(), "commands": output.encode()}
    assert len(places["perch.db"]) + len(places.get("perch.db-wal", b"")) > 100_000
    assert found(secrets, places) == []


KEYS = [("live",), ("revoked",), ("reader", "--access", "read")]
COMMANDS = [
    ("keys", "list"),
    ("keys", "list", "--json"),
    ("journal", "--limit", "1000"),
    ("journal", "--limit", "1000", "--json"),
    ("workspace",),
    ("fuse", "status"),
]


def found(secrets: list[bytes], places: dict[str, bytes]) -> list[tuple[str, bytes, bytes]]:
    """The place of a secret with the text around it."""
    hits = []
    for name, content in places.items():
        for secret in secrets:
            at = content.find(secret)
            if at >= 0:
                hits.append((name, secret, content[max(0, at - 60) : at + 60]))
    return hits


def test_the_search_finds_a_planted_secret() -> None:
    assert found([b"needle"], {"hay": b"a needle in it", "other": gzip.compress(b"needle")}) == [
        ("hay", b"needle", b"a needle in it")
    ]
