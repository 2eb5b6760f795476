"""Alerts, dashboard and Prometheus's configuration name only metrics and targets that exist; where it can, it runs."""

import json
import re
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from app import create_app
from scim.settings import SETTINGS
from storage.locks import followed_path
from tests.conftest import MakeServer
from tests.support.debian import program
from tests.support.guide import wait_for
from tests.support.ports import unused_port
from tests.support.server import ROOT, PerchServer

DEPLOY = ROOT / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
PANELS = json.loads((DEPLOY / "grafana-dashboard.json").read_text(encoding="utf-8"))["panels"]
CONFIGURATION = (DEPLOY / "prometheus.yml").read_text(encoding="utf-8")
# A metric with its labels, if it has any in the expression.
SELECTOR = re.compile(r"\b(perch_\w+)(?:\{([^}]*)\})?")


EXPRESSIONS = [(rule["alert"], rule["expr"]) for rule in RULES] + [
    (panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]
]


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The metrics of a real server that has had requests, a webhook and an event, each with its labels."""
    server = PerchServer(tmp_path_factory.mktemp("metrics"), 2, {"PERCH_WEBHOOKS_ALLOW_PRIVATE": "on"})
    server.start()
    try:
        hook = server.flask_json("webhooks", "add", "http://127.0.0.1:9/hook")["id"]
        server.flask("applications", "add", "Billing", "--webhook", hook)
        server.client(key=server.key).post("/Users", {"userName": "ann@example.com"})
        text = requests.get(f"{server.origin}/metrics", timeout=10).text + follower_metrics(server.database)
    finally:
        server.kill()
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(perch_\w+)(?:\{([^}]*)\})? ", text, re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    found["perch_rate_limited_requests_total"] = found.get("perch_rate_limited_requests_total", set())
    return found


def follower_metrics(database: Path) -> str:
    """The metrics of a follower with a copy of a file."""
    copy = database.with_name("copy.db")
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    followed_path(copy).write_text("1")
    follower = create_app({"PERCH_DATABASE": str(copy), "PERCH_FOLLOW": "on"})
    return follower.test_client().get("/metrics").text


@pytest.mark.parametrize(("name", "expression"), EXPRESSIONS)
def test_every_metric_and_label_exists(name: str, expression: str, exposed: dict[str, set[str]]) -> None:
    used = SELECTOR.findall(expression)
    assert used or expression == 'up{job="perch"} == 0'
    for metric, labels in used:
        assert metric in exposed, f"{name} names {metric}"
        assert set(re.findall(r"(\w+)\s*[=!]", labels)) <= exposed[metric]
    known = set.union(set(), *(exposed[metric] for metric, _ in used)) | {"le"}
    for grouping in re.findall(r"\bby \(([^)]*)\)", expression):
        assert set(re.findall(r"\w+", grouping)) <= known, name


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 10
    for rule in RULES:
        assert set(rule["annotations"]) == {"summary", "description"} and rule["labels"]["severity"]
        assert all(text.endswith(".") for text in rule["annotations"].values())


def test_a_follower_is_old_for_the_alert_as_for_readyz() -> None:
    (rule,) = [rule for rule in RULES if rule["alert"] == "PerchFollowerOld"]
    (setting,) = [setting for setting in SETTINGS if setting.name == "PERCH_FOLLOW_MAX_AGE"]
    assert rule["expr"] == f"perch_follower_age_seconds > {setting.default}"


def test_panels_do_not_lie_on_each_other() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS]
    assert len(set(places)) == len(PANELS) and len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_the_target_is_the_service_of_compose() -> None:
    (job,) = yaml.safe_load(CONFIGURATION)["scrape_configs"]
    services = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
    assert job["static_configs"] == [{"targets": ["perch:8000"]}] and "perch" in services
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{services['prometheus']['secrets'][0]}"
    assert any("up{" in rule["expr"] and f'job="{job["job_name"]}"' in rule["expr"] for rule in RULES)


def check_rules(promtool: str) -> None:
    done = subprocess.run(
        [promtool, "check", "rules", str(DEPLOY / "prometheus-alerts.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_alerts() -> None:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed")
    check_rules(found)


@pytest.mark.long
def test_a_real_prometheus_reads_the_metrics_with_a_key(make_server: MakeServer, tmp_path: Path) -> None:
    program_path, promtool = program("prometheus"), program("promtool", "prometheus")
    check_rules(promtool)
    server = make_server(settings={"PERCH_TRUSTED_PROXIES": "0"})
    server.start()
    key = tmp_path / "key"
    key.write_text(server.create_key("Prometheus", "--access", "read", "--idp", "generic"))
    shutil.copy(DEPLOY / "prometheus-alerts.yml", tmp_path)
    text = CONFIGURATION.replace("perch:8000", f"127.0.0.1:{server.port}").replace("30s", "1s")
    (tmp_path / "prometheus.yml").write_text(text.replace("/run/secrets/metrics_key", str(key)))
    port = unused_port()
    command = [program_path, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
               f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/-/ready")
            assert wait_for_up(f"http://127.0.0.1:{port}") == "1", (tmp_path / "log").read_text()
            rules = requests.get(f"http://127.0.0.1:{port}/api/v1/rules", timeout=10).json()["data"]["groups"][0]
            assert {rule["name"] for rule in rules["rules"]} == {rule["alert"] for rule in RULES}
            assert {rule["health"] for rule in rules["rules"]} <= {"ok", "unknown"}
        finally:
            process.terminate()


def wait_for_up(prometheus: str) -> str:
    end, found = time.monotonic() + 60, ""
    while time.monotonic() < end and found != "1":
        answer: Any = requests.get(f"{prometheus}/api/v1/query", params={"query": "up"}, timeout=5).json()
        found = next((result["value"][1] for result in answer["data"]["result"]), "")
        time.sleep(0.5)
    return found


@pytest.mark.parametrize("authorization", ["", "Bearer wrong"])
def test_from_inside_the_network_only_a_key_admits(authorization: str, make_server: MakeServer) -> None:
    """As Prometheus asks inside compose's network: Host is the service's name, and no proxy is between."""
    server = make_server(settings={"PERCH_TRUSTED_PROXIES": "1"})
    server.start()
    headers = {"Host": "perch:8000"}
    refused = requests.get(f"{server.origin}/metrics", headers={**headers, "Authorization": authorization}, timeout=10)
    assert refused.status_code == 401
    key = server.create_key("Prometheus", "--access", "read", "--idp", "generic")
    headers["Authorization"] = f"Bearer {key}"
    assert requests.get(f"{server.origin}/metrics", headers=headers, timeout=10).status_code == 200
