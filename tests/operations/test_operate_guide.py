"""docs/operate.md names only commands, settings, metrics and files that exist."""

import re

import pytest
from click import Context
from flask import Flask

from scim.settings import OF_OTHERS, SETTINGS
from tests.support.server import ROOT

TEXT = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\bflask ([a-z-]+)", TEXT))))
def test_commands(name: str, app: Flask) -> None:
    assert name in app.cli.list_commands(Context(app.cli))


def test_settings() -> None:
    known = {name for setting in SETTINGS for name in (setting.name, setting.file_variable)} | set(OF_OTHERS)
    assert set(re.findall(r"\bPERCH_[A-Z_]+[A-Z]", TEXT)) <= known


def test_figures(app: Flask) -> None:
    told = {name.removesuffix("{").rstrip("_") for name in re.findall(r"`(perch_[a-z_]+)", TEXT)}
    answered = set(re.findall(r"^# TYPE (\w+)", app.test_client().get("/metrics").get_data(as_text=True), re.MULTILINE))
    assert {name for name in answered if not name.endswith("_created")} == told


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\((\w[\w./-]*\.md|\.\./deploy[\w./-]*)\)", TEXT))))
def test_links(path: str) -> None:
    assert (ROOT / "docs" / path).exists()


def test_the_table_of_symptoms() -> None:
    table = TEXT.partition("### Symptom, cause, command")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 15
    assert all(row.count(" | ") == 2 and ("`" in row or "*" in row) for row in rows)


def test_nginx_passes_on_what_perch_refuses_itself() -> None:
    limit = next(setting for setting in SETTINGS if setting.name == "PERCH_MAX_BODY")
    assert f"client_max_body_size {int(limit.default) // 2**20 + 1}m;" in TEXT


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`make ([a-z-]+)`", readme + TEXT)) <= targets
