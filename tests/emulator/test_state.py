"""The state file: it belongs to one server."""

from pathlib import Path

import pytest

from scim.emulator.state import InvalidState, SyncState


def test_the_file_of_another_server_and_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.jsonl"
    SyncState(path, "https://one.example/scim/v2").remember("people", "ada", {"id": "1"})
    with pytest.raises(InvalidState, match="holds ids of https://one.example/scim/v2"):
        SyncState(path, "https://two.example/scim/v2")
    assert SyncState(path, "https://one.example/scim/v2").people == {"ada": {"id": "1"}}
    path.write_text("something else\n")
    with pytest.raises(InvalidState, match="is no state file"):
        SyncState(path, "https://one.example/scim/v2")
