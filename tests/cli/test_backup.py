"""`flask backup` and `flask restore` name the workspace as every other command does."""

from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import MakeApp
from tests.support.commands import run_command, run_json


def named(text: str) -> str:
    """Return the workspace that a command named."""
    return text.partition(": workspace ")[2].partition(",")[0]


@pytest.mark.parametrize("workspace", ["acme", "team-1.eu", ""])
def test_both_name_the_id_in_the_base_url(make_app: MakeApp, tmp_path: Path, workspace: str) -> None:
    stored = run_json(make_app(), "workspace")["id"]
    app = make_app(PERCH_WORKSPACE=workspace)
    file = str(tmp_path / "copy.db")
    shown = run_json(app, "workspace")["id"]
    assert shown == (workspace or stored)
    assert named(run_command(app, "backup", file)) == shown
    assert named(run_command(restorer(make_app, tmp_path, workspace), "restore", file)) == shown


def restorer(make_app: MakeApp, folder: Path, workspace: str) -> Flask:
    """Return an app whose own file is still missing."""
    return make_app(opened=False, PERCH_WORKSPACE=workspace, PERCH_DATABASE=str(folder / "restored.db"))


def test_a_backup_that_this_user_may_not_read_is_named(
    make_app: MakeApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "copy.db")
    run_command(make_app(), "backup", file)
    target = restorer(make_app, tmp_path, "")
    # Tests run as root, too, who may read everything.
    monkeypatch.setattr("storage.backup.os.access", lambda path, mode: str(path) != file)
    result = target.test_cli_runner().invoke(args=["restore", file])
    assert result.exit_code == 1 and f"Perch may not read {file}" in result.stderr
    assert not (tmp_path / "restored.db").exists()
