"""docs/operate.md: its metrics, its table of symptoms, its block for nginx."""

import re

from flask import Flask

from scim.settings import SETTINGS
from tests.support.server import ROOT

TEXT = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")


def test_figures(app: Flask) -> None:
    told = {name.removesuffix("{").rstrip("_") for name in re.findall(r"`(perch_[a-z_]+)", TEXT)}
    answered = set(re.findall(r"^# TYPE (\w+)", app.test_client().get("/metrics").get_data(as_text=True), re.MULTILINE))
    assert {name for name in answered if not name.endswith("_created")} == told


def test_the_table_of_symptoms() -> None:
    table = TEXT.partition("### Symptom, cause, command")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 15
    assert all(row.count(" | ") == 2 and ("`" in row or "*" in row) for row in rows)


def test_nginx_passes_on_what_perch_refuses_itself() -> None:
    limit = next(setting for setting in SETTINGS if setting.name == "PERCH_MAX_BODY")
    assert f"client_max_body_size {int(limit.default) // 2**20 + 1}m;" in TEXT
