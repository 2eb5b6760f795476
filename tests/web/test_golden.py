"""Golden dialogues: requests of real clients and of the RFC's examples, with the answers that they must get."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeApp, MakeClient, MakeServer
from tests.support.client import Answer
from tests.support.commands import run_command
from tests.support.dialogue import capture, differences, fill, load, replay

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = sorted(GOLDEN.rglob("*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(GOLDEN).with_suffix("")))
def test_a_dialogue_gets_the_expected_answers(file: Path, make_app: MakeApp, make_client: MakeClient) -> None:
    dialogue = load(file)
    app = make_app(**dialogue.get("settings", {}))
    for command in dialogue.get("commands", []):
        run_command(app, *command)
    replay(dialogue, make_client(dialogue["client"], *dialogue.get("keyOptions", []), app=app))


def test_a_dialogue_works_through_two_workers(make_server: MakeServer) -> None:
    """Replay a dialogue over HTTP: each worker reads what the other wrote."""
    server = make_server(workers=2)
    server.start()
    key = server.create_key("Okta", "--idp", "okta")
    replay(load(GOLDEN / "okta" / "assign.json"), server.client("okta", key))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(GOLDEN).with_suffix("")))
def test_a_dialogue_file_is_well_formed(file: Path) -> None:
    dialogue = load(file)
    assert dialogue.keys() >= {"title", "client", "source", "steps"}
    assert dialogue.keys() <= {"title", "client", "source", "steps", "settings", "keyOptions", "commands"}
    assert dialogue["client"] in ("okta", "entra", "generic")
    for step in dialogue["steps"]:
        assert step.keys() <= {"name", "request", "expect", "capture", "repeat"}, step
        assert step["request"].keys() <= {"method", "path", "headers", "body"}, step
        assert step["request"]["path"].startswith("/"), step
        assert step["expect"].keys() <= {"status", "headers", "body", "distinct"}, step
        assert "status" in step["expect"], step


def test_no_dialogue_of_okta_is_missing() -> None:
    wanted = {
        "test-connector",
        "assign",
        "update",
        "deactivate",
        "reactivate",
        "reprovision",
        "group-push-put",
        "group-push-patch",
        "import",
        "roles-strings",
    }
    assert wanted <= {file.stem for file in (GOLDEN / "okta").iterdir()}


# The expected body, the actual body, the number of differences.
COMPARISONS: list[tuple[Any, Any, int]] = [
    ({"a": 1}, {"a": 1, "b": 2}, 0),
    ({"a": 1}, {"a": "1"}, 1),
    ({"a": 1}, {"a": True}, 1),
    ({"a": {"b": [1, 2]}}, {"a": {"b": [1]}}, 1),
    ({"a": "$string"}, {"a": ""}, 1),
    ({"a": "$number"}, {"a": False}, 1),
    ({"a": "$any"}, {"a": None}, 0),
    ({"a": "$any"}, {}, 1),
    ({"a": "$absent"}, {"a": None}, 1),
    ({"a": "$empty"}, {"a": []}, 0),
    ({"a": "$empty"}, {"a": ["x"]}, 1),
    ({"a": {"$contains": [{"v": 2}]}}, {"a": [{"v": 1, "w": 0}, {"v": 2, "w": 0}]}, 0),
    ({"a": {"$contains": [3]}}, {"a": [1]}, 1),
    ({"a": {"$contains": "lug"}}, {"a": "a slug"}, 0),
    ({"a": {"$members": [2, 1]}}, {"a": [1, 2]}, 0),
    ({"a": {"$members": [2]}}, {"a": [1, 2]}, 1),
    ({"a": {"$length": 2}}, {"a": [1, 2]}, 0),
    ({"a": [1]}, None, 1),
]


@pytest.mark.parametrize(("wanted", "got", "count"), COMPARISONS)
def test_a_comparison_is_partial(wanted: Any, got: Any, count: int) -> None:
    assert len(list(differences({"status": 200, "body": wanted}, Answer(200, {}, got), {}))) == count


def test_captured_values_are_filled_into_later_steps() -> None:
    variables: dict[str, Any] = {}
    answer = Answer(200, {"ETag": 'W/"1.1"'}, {"id": "7", "Resources": [{"id": "a"}, {"id": "b"}]})
    capture({"id": "/id", "tag": "ETag", "ids+": "/Resources/*/id", "all": ""}, answer, variables)
    assert variables == {"id": "7", "tag": 'W/"1.1"', "ids": ["a", "b"], "all": answer.body}
    assert fill({"path": "/Users/{{id}}", "ids": "{{ids}}"}, variables) == {"path": "/Users/7", "ids": ["a", "b"]}
