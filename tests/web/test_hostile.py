"""Hostile requests never make Perch fail, run long or grow; every refusal is a SCIM error."""

import json
import random
import resource
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings

from tests.conftest import MakeApp, MakeClient
from tests.support.client import Answer, ScimClient
from tests.support.hostile import (
    ATTRIBUTES,
    DOCUMENTS,
    HEADERS,
    IDS,
    NASTY,
    TARGETS,
    check,
    filter_text,
    mutated,
    query,
    seeds,
)

PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
ROOMY = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# Seconds of CPU time that one request may take.
LONGEST = 5.0

Target = Callable[[], tuple[str, str]]


@pytest.fixture
def target(generic: ScimClient) -> Target:
    """Return a function for the ids of an existing user and group; it replaces deleted ones."""
    made = {"/Users": "", "/Groups": ""}
    number = iter(range(10**9))

    def ids() -> tuple[str, str]:
        for path in made:
            if generic.get(f"{path}/{made[path]}").status != 200 or not made[path]:
                name = f"target-{next(number)}"
                made[path] = generic.post(path, {"userName": name, "displayName": name}).body["id"]
        return made["/Users"], made["/Groups"]

    return ids


def send(client: ScimClient, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    """Send a request; check that the answer is well-formed and comes in time."""
    begin = time.process_time()
    answer = client.request(method, path, body, headers)
    assert time.process_time() - begin < LONGEST, (method, path[:200], body)
    check(answer, (method, path[:200], headers, json.dumps(body)[:1000]))
    return answer


def some_headers(chance: random.Random) -> dict[str, str]:
    return {name: chance.choice(HEADERS[name]) for name in chance.sample(sorted(HEADERS), chance.choice((0, 0, 1, 2)))}


@ROOMY
@given(chance=seeds)
def test_mutated_documents_cause_no_failure(chance: random.Random, generic: ScimClient, target: Target) -> None:
    user, group = target()
    kind = chance.choice(sorted(DOCUMENTS))
    text = json.dumps(DOCUMENTS[kind]).replace("{id}", user).replace("somebody", f"user-{chance.random()}")
    method, path = chance.choice(TARGETS[kind])
    path = path.format(id=user, group=group) + chance.choice(("", "", query(chance)))
    send(generic, method, path, mutated(json.loads(text), chance), some_headers(chance))


@ROOMY
@given(chance=seeds)
def test_odd_patch_paths_and_values_cause_no_failure(
    chance: random.Random, generic: ScimClient, target: Target
) -> None:
    paths = [*ATTRIBUTES, filter_text(chance), f"emails[{filter_text(chance)}].value"]
    operation = {
        "op": chance.choice(["add", "Remove", "replace"]),
        "path": chance.choice(paths),
        "value": chance.choice(NASTY),
    }
    path = chance.choice(["/Users/{}", "/Groups/{1}"]).format(*target())
    send(generic, "PATCH", path, {"schemas": [PATCH_OP], "Operations": [operation]}, some_headers(chance))


@ROOMY
@given(chance=seeds)
def test_odd_queries_paths_and_headers_cause_no_failure(
    chance: random.Random, generic: ScimClient, target: Target
) -> None:
    path = chance.choice(["/Users", "/Groups", "/Roles", "/Schemas", "/ResourceTypes", "/Users/{}", "/Groups/{1}", ""])
    path = path.format(*target()) + chance.choice(("", "", "/" + chance.choice(IDS))) + query(chance)
    method = chance.choice(["GET", "GET", "GET", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "get"])
    send(generic, method, path, None, some_headers(chance))


DEEP = 100_000
BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "blank": (b"  \r\n", 400),
    "no object": (b"[]", 400),
    "null": (b"null", 400),
    "a number": (b"1", 400),
    "a text": (b'"x"', 400),
    "deep arrays": (b"[" * DEEP + b"]" * DEEP, 400),
    "deep objects": (b'{"a":' * DEEP + b"1" + b"}" * DEEP, 400),
    "deep and never closed": (b'{"userName":' + b"[" * DEEP, 400),
    "deep in an attribute": (b'{"userName":"deep","emails":' + b"[" * 900 + b"]" * 900 + b"}", 400),
    "deep in an unknown attribute": (b'{"userName":"deep2","x":' + b"[" * 31 + b"]" * 31 + b"}", 201),
    "too deep in an unknown attribute": (b'{"userName":"deep3","x":' + b"[" * 32 + b"]" * 32 + b"}", 400),
    "NUL": (b'{"userName":"a\\u0000b"}', 400),
    "a raw NUL": (b'{"userName":"a\0b"}', 400),
    "half a surrogate pair": (b'{"userName":"\\ud800"}', 400),
    "half a pair in a key": (b'{"userName":"x1","\\udc00":1}', 400),
    "half a pair in what is ignored": (b'{"userName":"x2","nonsense":["\\uDBFF"]}', 400),
    "half a pair as bytes": (b'{"userName":"\xed\xa0\x80"}', 400),
    "a whole pair": (b'{"userName":"\\ud83d\\ude00"}', 201),
    "an escaped backslash before u": (b'{"userName":"\\\\ud800"}', 201),
    "overlong UTF-8": (b'{"userName":"\xc0\xaf"}', 400),
    "Latin-1": ('{"userName":"\u00e9"}'.encode("latin-1"), 400),
    "UTF-16": ('{"userName":"x3"}'.encode("utf-16"), 400),
    "UTF-16 without a mark": ('{"userName":"x4"}'.encode("utf-16-le"), 400),
    "UTF-32": ('{"userName":"x5"}'.encode("utf-32"), 400),
    "a byte order mark": (b'\xef\xbb\xbf{"userName":"x6"}', 201),
    "two byte order marks": (b'\xef\xbb\xbf\xef\xbb\xbf{"userName":"x7"}', 400),
    "a key twice": (b'{"userName":"x8","userName":"x9"}', 400),
    "a key twice deep inside": (b'{"userName":"x10","name":{"givenName":"a","givenName":"b"}}', 400),
    "1e400": (b'{"userName":"x11","nonsense":1e400}', 400),
    "-1e400": (b'{"userName":"x12","nonsense":[-1e400]}', 400),
    "ten thousand digits": (b'{"userName":"x13","nonsense":' + b"9" * 10_000 + b"}", 400),
    "a hundred thousand decimals": (b'{"userName":"x14","nonsense":0.' + b"9" * 100_000 + b"}", 201),
    "a large exponent": (b'{"userName":"x15","nonsense":1e' + b"9" * 5000 + b"}", 400),
    "NaN": (b'{"userName":"x16","nonsense":NaN}', 400),
    "Infinity": (b'{"userName":"x17","active":-Infinity}', 400),
    "a number as name": (b'{"userName":12}', 400),
    "two documents": (b'{"userName":"x18"}{"userName":"x19"}', 400),
    "a comma too many": (b'{"userName":"x20",}', 400),
    "a comment": (b'{"userName":"x21"/**/}', 400),
    "single quotes": (b"{'userName':'x22'}", 400),
    "a form": (b"userName=x23", 400),
    "XML": (b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]><x>&y;</x>", 400),
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", 400),
    "nineteen thousand unknown keys": (
        json.dumps({"userName": "x24", **{str(n): n for n in range(19_000)}}).encode(),
        201,
    ),
    "nine thousand emails": (
        json.dumps({"userName": "x25", "emails": [{"value": f"{n}@example.com"} for n in range(9000)]}).encode(),
        201,
    ),
    "twenty thousand unknown keys": (json.dumps({str(n): n for n in range(20_001)}).encode(), 413),
    "ten million empty addresses": (b'{"userName":"x28","addresses":[' + b"{}," * 650_000 + b"{}]}", 413),
    "twenty thousand commas in a text": (json.dumps({"userName": "x29", "title": ",[{" * 20_000}).encode(), 201),
    "more than two mebibytes": (b'{"userName":"x30","nonsense":"' + b"x" * 2_097_152 + b'"}', 413),
    "a long name": (json.dumps({"userName": "x" * 1025}).encode(), 400),
    "the longest name": (json.dumps({"userName": "x" * 1024}).encode(), 201),
    "a long text": (json.dumps({"userName": "x26", "title": "x" * 65_537}).encode(), 400),
    "prototype": (b'{"userName":"x27","__proto__":{"active":false},"__class__":"x"}', 201),
}


@pytest.mark.parametrize("name", BODIES)
def test_each_body_gets_its_status(name: str, generic: ScimClient) -> None:
    data, status = BODIES[name]
    begin = time.process_time()
    answer = generic.request("POST", "/Users", data=data)
    assert time.process_time() - begin < LONGEST
    assert answer.status == status, answer
    check(answer, name)
    if status == 201:
        assert generic.get("/Users?count=1").status == 200
    for path in ("/Bulk", "/.search", "/Groups"):
        check(generic.request("POST", path, data=data), (name, path))


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("APPLICATION/SCIM+JSON; Charset=UTF-8", 201),
        ("application/scim+json; charset=iso-8859-1", 201),
        ("application/scim+json; charset=utf-16", 201),
        ("application/scim+json;;;=", 201),
        ("text/json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("multipart/form-data", 415),
        ("\xff\xfe", 415),
    ],
)
def test_each_media_type_gets_its_status(content_type: str, status: int, generic: ScimClient) -> None:
    answer = generic.request("POST", "/Users", {"userName": "someone"}, {"Content-Type": content_type})
    assert answer.status == status
    check(answer, content_type)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + 'userName eq "x"' + ")" * 5000,
        "not (" * 2000 + 'userName eq "x"' + ")" * 2000,
        " or ".join(['userName eq "x"'] * 20_000),
        " and ".join([f'emails[value eq "{n}"]' for n in range(2000)]),
        'userName eq "' + "x" * 1_000_000 + '"',
        'userName co "' + "%_" * 5000 + '"',
        "userName eq " + "9" * 10_000,
        "active eq 1e400",
        'meta.lastModified gt "' + "9" * 5000 + '"',
        'userName eq "\ud800"',
        'userName eq "\\ud800"',
        'userName eq "\0"',
        "a." * 10_000 + 'b eq "x"',
        "urn:" * 10_000 + 'x eq "x"',
        "[" * 10_000,
        "\u2003userName\u2003eq\u2003\u201cx\u201d",
    ],
    ids=range(16),
)
def test_huge_filters_cause_no_failure(text: str, generic: ScimClient) -> None:
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": text}
    for path in ("/Users/.search", "/Groups/.search", "/.search"):
        send(generic, "POST", path, body)
    path = f"emails[{text}].value"
    person = generic.post("/Users", {"userName": "someone"}).body
    operations = [{"op": "replace", "path": path, "value": "x"}]
    send(generic, "PATCH", f"/Users/{person['id']}", {"schemas": [PATCH_OP], "Operations": operations})


@pytest.mark.parametrize("identifier", IDS)
def test_odd_ids_are_not_found(identifier: str, generic: ScimClient) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = {"userName": "x", "Operations": [{"op": "add", "path": "title", "value": "x"}]}
        answer = send(generic, method, f"/Users/{identifier}", None if method in ("GET", "DELETE") else body)
        assert answer.status in (400, 404, 405), (method, identifier, answer)


def test_methods_without_a_route_are_405(generic: ScimClient) -> None:
    person = generic.post("/Users", {"userName": "someone"}).body["id"]
    for method in ("TRACE", "PROPFIND", "CONNECT", "X" * 100, "POST", "post"):
        answer = send(generic, method, f"/Users/{person}", {})
        assert answer.status == 405
        assert "GET" in answer.headers["Allow"]
    for header in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert send(generic, "POST", f"/Users/{person}?_method=DELETE", {}, {header: "DELETE"}).status == 405
        assert send(generic, "GET", f"/Users/{person}", None, {header: "DELETE"}).status == 200
    head = send(generic, "HEAD", f"/Users/{person}")
    assert (head.status, head.body) == (200, None)
    assert send(generic, "OPTIONS", "/Users").status == 200


def test_a_body_over_the_limit_is_413(make_app: MakeApp, make_client: MakeClient) -> None:
    client = make_client(app=make_app(PERCH_MAX_BODY="1000"))
    assert client.post("/Users", {"userName": "fits", "title": "x" * 900}).status == 201
    answer = client.post("/Users", {"userName": "fits not", "title": "x" * 1000})
    assert answer.status == 413
    assert "PERCH_MAX_BODY" in answer.body["detail"]
    assert client.get("/ServiceProviderConfig").body["bulk"]["maxPayloadSize"] == 1000


def test_a_group_may_have_a_hundred_thousand_members(generic: ScimClient, app: Flask) -> None:
    fill(app, 100_000)
    ids = [f"u{number}" for number in range(100_000)]
    group = generic.post("/Groups", {"displayName": "everyone"}).body["id"]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.process_time()
    put = generic.put(f"/Groups/{group}", {"displayName": "everyone", "members": [{"value": one} for one in ids]})
    assert put.status == 200
    assert len(put.body["members"]) == 100_000
    assert time.process_time() - begin < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600 * 1024
    begin = time.process_time()
    operations = [{"op": "remove", "path": "members", "value": [{"value": one} for one in ids[:50_000]]}]
    assert send(generic, "PATCH", f"/Groups/{group}", {"schemas": [PATCH_OP], "Operations": operations}).status == 204
    assert generic.get(f"/Groups/{group}?excludedAttributes=members").status == 200


def fill(app: Flask, number: int) -> None:
    """Insert users directly into the file."""
    rows = ((f"u{n}", f"user-{n}", f'{{"schemas":[],"userName":"user-{n}"}}') for n in range(number))
    with app.extensions["perch"].database.write() as connection:
        connection.executemany(
            "INSERT INTO resources (id, type, version, created, lastModified, userName, active, document) "
            "VALUES (?, 'User', 1, '2026-01-01T00:00:00', '2026-01-01T00:00:00', ?, 1, ?)",
            rows,
        )


def test_a_bug_is_a_short_answer_and_one_log_entry(
    generic: ScimClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("the secret cause")

    monkeypatch.setattr("storage.resources.get", fail)
    answer = generic.get("/Users/a%0AFORGED%20LINE")
    assert answer.status == 500
    assert "secret cause" not in str(answer.body)
    (record,) = [entry for entry in caplog.records if entry.name == "perch"]
    assert "\nFORGED" not in record.getMessage()
