"""Bodies: recorded dialogues of providers, resources, PatchOps, searches and Bulk, mutated and as JSON text."""

import copy
import json
import re
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.attack.grammar import any_filter, any_path
from tests.attack.inputs import json_body
from tests.support.hostile import API, DOCUMENTS, NASTY, mutated

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
CAPTURED = re.compile(r"\{\{(\w+)\}\}")
NAMES = re.compile(r"\b(userName|displayName)\b")
PEOPLE = {"userId", "id", "ann", "bob", "cat", "jana", "ole", "otherId", "secondId", "user", "other", "bare"}
GROUPS = {"groupId", "group", "ward"}
WIDE, DEEP = (50, 400, 3000), (5, 30, 33, 200, 5000)


class Recorded(NamedTuple):
    """A request of a provider, whose path and body have placeholders of the campaign."""

    client: str
    method: str
    path: str
    body: Any


def _placed(text: str) -> str:
    def place(found: re.Match[str]) -> str:
        name = found[1]
        kind = "USER" if name in PEOPLE else "GROUP" if name in GROUPS else ""
        return f"{{{kind}:{sum(name.encode()) % 50}}}" if kind else "1"

    return CAPTURED.sub(place, text)


@cache
def recorded() -> tuple[Recorded, ...]:
    """Return all requests of the dialogues of Okta, Entra and other clients."""
    found = []
    for file in sorted(file for name in ("okta", "entra", "others") for file in (GOLDEN / name).glob("*.json")):
        dialogue = json.loads(file.read_text(encoding="utf-8"))
        for step in dialogue["steps"]:
            request = json.loads(_placed(json.dumps(step["request"])))
            sent = Recorded(dialogue["client"], request["method"], request["path"], request.get("body"))
            found.append(sent)
    return tuple(found)


def deep(chance: Random) -> Any:
    """Return a value that is nested deeply."""
    value: Any = "x"
    for _ in range(min(chance.choice(DEEP), 900)):
        value = [value] if chance.random() < 0.5 else {"value": value}
    return value


def wide(chance: Random) -> Any:
    """Return a list or an object with many values."""
    many = chance.choice(WIDE)
    return chance.choice((
        [{"value": f"a{n}@b", "type": "work", "primary": n == 3} for n in range(many)],
        [{"value": f"{{{chance.choice(('USER', 'GROUP'))}:{n % 64}}}"} for n in range(many)],
        {f"key{n}": n for n in range(many)},
        ["managed:admin"] * many,
        "x" * many * 20,
    ))  # fmt: skip


def spoiled(document: Any, chance: Random) -> Any:
    """Return a document that is left as it is, mutated, or has a deep or a large value somewhere."""
    how = chance.random()
    if how < 0.25:
        return document
    changed = mutated(document, chance)
    if how > 0.93 and isinstance(changed, dict) and changed:
        changed[chance.choice(list(changed))] = deep(chance) if how < 0.965 else wide(chance)
    return changed


def body_text(document: Any, chance: Random) -> str:
    """Return the text of a body: JSON, at times with doubled keys, surrogates, or broken bytes."""
    text = json_body(document)
    how = chance.random()
    if how < 0.88:
        return text
    if how < 0.91:
        return text.replace('{"', chance.choice(('{"value": 1, "', '{"userName": "x", "userName": "')), 1)
    if how < 0.93:
        depth = chance.choice(DEEP)
        return '{"a":' * depth + "1" + "}" * chance.choice((depth, 0))
    if how < 0.95:
        encoding = chance.choice(("utf-16", "utf-8-sig", "utf-32-le"))
        return json.dumps(document).encode(encoding, "replace").decode("latin-1")
    pieces = chance.choice(("\xff", "\x00", "\xed\xa0\x80", "\\ud800", '"', "}", "1e999", "NaN", "\xc0\xaf", "\\u0000"))
    at, to = chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)
    return text[:at] + pieces + text[at if how < 0.98 else max(at, to) :]


def renamed(document: Any, chance: Random) -> Any:
    """Return a document with fresh names most of the time: else nearly every POST would be a duplicate."""
    if isinstance(document, dict) and chance.random() < 0.8:
        document = copy.deepcopy(document)
        for name in ("userName", "displayName", "externalId"):
            if isinstance(document.get(name), str):
                document[name] = f"{document[name]}.{chance.randrange(5000)}"
    return document


def operation(chance: Random) -> dict[str, Any]:
    """Return an operation of a PatchOp."""
    values = [*NASTY, "x", True, {"value": "{USER:2}"}, [{"value": "a@b", "type": "work"}], {"givenName": "A"}]
    found: dict[str, Any] = {"op": chance.choice(("add", "replace", "remove", "Add", "Replace", "move", ""))}
    if chance.random() < 0.85:
        found["path"] = any_path(chance)
    if chance.random() < 0.85:
        found["value"] = chance.choice(values)
    if chance.random() < 0.2:
        found["value"] = {any_path(chance): chance.choice(values) for _ in range(chance.choice((1, 3)))}
    return found


def patch_op(chance: Random) -> dict[str, Any]:
    """Return a PatchOp."""
    many = chance.choice((0, 1, 1, 1, 2, 5, 40))
    return {"schemas": [API + "PatchOp"], "Operations": [operation(chance) for _ in range(many)]}


def search_request(chance: Random) -> dict[str, Any]:
    """Return a SearchRequest."""
    document = dict(DOCUMENTS["search"], filter=any_filter(chance), sortBy=any_path(chance))
    for name in chance.sample(sorted(document), chance.randrange(5)):
        del document[name]
    return document


def resource(kind: str, chance: Random) -> Any:
    """Return a user or a group."""
    text = json.dumps(DOCUMENTS[kind]).replace("{id}", f"{{USER:{chance.randrange(64)}}}")
    document = json.loads(text)
    document["userName" if kind == "user" else "displayName"] = f"attack.{chance.randrange(5000)}"
    if kind == "group" and chance.random() < 0.5:
        # Groups in groups, and in circles.
        document["members"] = [{"value": f"{{GROUP:{chance.randrange(64)}}}"} for _ in range(chance.choice((1, 2, 9)))]
    return document


def bulk(chance: Random) -> dict[str, Any]:
    """Return a BulkRequest whose operations refer to each other, in circles at times."""
    many = chance.choice((0, 1, 2, 3, 5, 12))
    names = [f"b{n}" for n in range(many)]
    found = []
    for name in names:
        kind = chance.choice(("user", "user", "group"))
        data, other = resource(kind, chance), f"bulkId:{chance.choice([*names, 'gone'])}"
        if chance.random() < 0.5:
            data["members" if kind == "group" else "manager"] = [{"value": other}]
        method = chance.choice(("POST", "POST", "PUT", "PATCH", "DELETE", "GET"))
        path = "/Users" if kind == "user" else "/Groups"
        if method != "POST":
            path += "/" + chance.choice((other, f"{{{kind.upper()}:{chance.randrange(64)}}}"))
        found.append({"method": method, "path": path, "bulkId": name, "data": data})
        if method == "PATCH":
            found[-1]["data"] = patch_op(chance)
    return {"schemas": [API + "BulkRequest"], "failOnErrors": chance.choice((0, 1, 5)), "Operations": found}
