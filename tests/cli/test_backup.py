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
