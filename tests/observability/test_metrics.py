"""The metrics of one process and of several workers, read with Prometheus's parser."""

import os
import re
import signal
import time
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from schemas.events import KINDS
from scim.observability import metrics
from scim.settings import VERSION
from storage import events
from tests.conftest import MakeApp, MakeServer
from tests.support.client import ScimClient
from tests.support.commands import run_command, run_json
from tests.support.deliverer import delivering
from tests.support.other_program import change_file
from tests.support.resources import BULK
from tests.support.server import PerchServer

USERS = "/<workspace>/scim/v2/Users"
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parsed(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(app: Flask) -> Samples:
    return parsed(app.test_client().get("/metrics").get_data(as_text=True))


def figure(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of a metric's samples with these labels."""
    return sum(
        value for (each, found), value in samples.items() if each == name and labels.items() <= dict(found).items()
    )


def test_people_groups_and_allowed_logins_are_counted(app: Flask, okta: ScimClient) -> None:
    okta.post("/Users", {"userName": "ada@example.com", "roles": ["managed:editor"]})
    okta.post("/Users", {"userName": "bob@example.com"})
    okta.post("/Users", {"userName": "eve@example.com", "roles": ["managed:editor"], "active": False})
    okta.post("/Groups", {"displayName": "Support"})
    found = scraped(app)
    assert [figure(found, f"perch_{name}") for name in ("users", "groups", "users_login_allowed")] == [3, 1, 1]
    assert figure(found, "perch_journal_entries") >= 4
    assert figure(found, "perch_database_bytes") + figure(found, "perch_database_log_bytes") > 4096
    assert figure(found, "perch_disk_free_bytes") > 0
    assert figure(found, "perch_build_info", version=VERSION) == 1


def test_figures_that_need_a_scan_are_cached(app: Flask, okta: ScimClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "CACHE_SECONDS", 600.0)
    assert figure(scraped(app), "perch_users_login_allowed") == 0
    okta.post("/Users", {"userName": "ada@example.com", "roles": ["managed:editor"]})
    found = scraped(app)
    assert [figure(found, f"perch_{name}") for name in ("users", "users_login_allowed")] == [1, 0]
    app.extensions["perch.health"].figures._counts._expires = time.monotonic()
    assert figure(scraped(app), "perch_users_login_allowed") == 1


def test_requests_are_counted_by_route_method_status_and_key(app: Flask, okta: ScimClient) -> None:
    before = scraped(app)
    made = okta.post("/Users", {"userName": "ada@example.com"})
    okta.get(f"/Users/{made.body['id']}")
    okta.get("/Users/nobody@example.com")
    app.test_client().get("/nowhere")
    app.test_client().open("/healthz", method="BREW")
    after = scraped(app)

    def grown(**labels: str) -> float:
        name = "perch_requests_total"
        return figure(after, name, **labels) - figure(before, name, **labels)

    key = okta.key.split("_")[1]
    assert grown(route=USERS, method="POST", status="201", key=key) == 1
    assert grown(route=f"{USERS}/<identifier>", method="GET", status="200", key=key) == 1
    assert grown(route=f"{USERS}/<identifier>", method="GET", status="404", key=key) == 1
    assert grown(route="(none)", method="GET", status="404", key="") == 1
    assert grown(method="OTHER") == 1
    assert "example.com" not in str(after)
    name = "perch_request_seconds_count"
    assert figure(after, name, route=USERS, method="POST") - figure(before, name, route=USERS, method="POST") == 1
    assert figure(after, "perch_writer_wait_seconds_count") > figure(before, "perch_writer_wait_seconds_count")


def test_the_labels_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_LABELS", len(metrics._children) + 2)
    for number in range(5):
        metrics.count("/", "GET", 200, f"bounded{number}", 0.01)
    assert len(metrics._children) <= metrics.MAX_LABELS


@pytest.mark.parametrize("fuse", ["on", "off"])
def test_the_state_of_the_fuse_is_a_metric(fuse: str, make_app: MakeApp) -> None:
    app = make_app(PERCH_FUSE=fuse)
    found = scraped(app)
    assert figure(found, "perch_fuse_state") == 1
    assert figure(found, "perch_fuse_state", state="ready" if fuse == "on" else "off") == 1
    assert figure(found, "perch_fuse_limit_users") == 10
    run_command(app, "fuse", "release")
    assert figure(scraped(app), "perch_fuse_state", state="released" if fuse == "on" else "off") == 1


def events_of(samples: Samples, kind: str) -> float:
    return figure(samples, "perch_events_total", kind=kind)


def test_events_are_counted_by_kind_once_they_are_committed(app: Flask, okta: ScimClient) -> None:
    before = scraped(app)
    assert {kind for kind in KINDS if ("perch_events_total", (("kind", kind),)) in before} == set(KINDS)
    made = okta.post("/Users", {"userName": "ada@example.com", "roles": ["managed:editor"]}).body
    okta.put(f"/Users/{made['id']}", {"userName": "ada@example.com", "active": False})
    assert okta.post("/Users", {"userName": "ada@example.com", "active": False}).status == 409
    operations = [{"method": "POST", "path": "/Users", "bulkId": n, "data": {"userName": n}} for n in ("x", "x", "y")]
    okta.post("/Bulk", {"schemas": [BULK], "Operations": operations})
    after = scraped(app)
    grown = {kind: events_of(after, kind) - events_of(before, kind) for kind in KINDS}
    assert (grown["user.created"], grown["user.deactivated"], grown["login.withdrawn"]) == (3, 1, 1)
    with app.extensions["perch"].database.read() as connection:
        assert sum(grown.values()) == events.last(connection)


def test_queues_of_webhooks_are_metrics(app: Flask, okta: ScimClient) -> None:
    okta.post("/Users", {"userName": "before@example.com"})
    assert "perch_webhook" not in str({name for name, _ in scraped(app)})
    assert figure(scraped(app), "perch_deliverer_up") == 1, "none is needed"
    ids = [run_json(app, "webhooks", "add", f"https://93.184.216.34/{n}")["id"] for n in range(2)]
    found = scraped(app)
    assert figure(found, "perch_deliverer_up") == 0
    assert [figure(found, "perch_webhook_waiting_events", webhook=each) for each in ids] == [0, 0]
    assert [figure(found, "perch_webhook_oldest_seconds", webhook=each) for each in ids] == [0, 0]
    okta.post("/Users", {"userName": "ada@example.com"})
    okta.post("/Users", {"userName": "bob@example.com"})
    database = app.extensions["perch"].database
    change_file(database, "UPDATE events SET at = '2026-01-01T00:00:00' WHERE seq = 2")
    change_file(database, "INSERT INTO webhook_queue VALUES (?, 2, 'User x', 1, 0, 0)", ids[0])
    change_file(database, "UPDATE webhooks SET position = 3 WHERE id = ?", ids[0])
    with delivering(app):
        found = scraped(app)
    assert figure(found, "perch_deliverer_up") == 1
    assert [figure(found, "perch_webhook_waiting_events", webhook=each) for each in ids] == [1, 2]
    assert all(figure(found, "perch_webhook_oldest_seconds", webhook=each) > 86400 for each in ids)
    change_file(database, "DELETE FROM webhook_queue")
    change_file(database, "DELETE FROM events WHERE seq <= 2")
    found = scraped(app)
    assert [figure(found, "perch_webhook_waiting_events", webhook=each) for each in ids] == [0, 1]
    assert 0 < figure(found, "perch_webhook_oldest_seconds", webhook=ids[1]) < 60
    assert figure(found, "perch_webhook_oldest_seconds", webhook=ids[0]) == 0


def test_counts_of_workers_add_up_even_if_some_are_killed(make_server: MakeServer) -> None:
    server = make_server(workers=3)
    server.start()
    ask(server, 60)
    assert counted(server) == 60
    folder = folder_of(server)
    files = set(folder.glob("*.db"))
    assert files
    for pid in workers(server)[:2]:
        os.kill(pid, signal.SIGKILL)
    wait_for_workers(server, 3)
    ask(server, 60)
    assert counted(server) == 120
    # The files of ended workers are kept until the server stops, so that no sum ever falls.
    assert files <= set(folder.glob("*.db"))
    assert server.stop() == 0
    assert not folder.exists()


def ask(server: PerchServer, times: int) -> None:
    """Send each request on a new connection, so that all workers get some."""
    done = 0
    while done < times:
        try:
            status = server.client().transport("GET", "/x/scim/v2/Users", {"Connection": "close"}, None)[0]
        except OSError:
            continue
        assert status == 401
        done += 1


def counted(server: PerchServer) -> float:
    text = server.client().transport("GET", "/metrics", {}, None)[2].decode()
    return figure(parsed(text), "perch_requests_total", route=USERS, status="401")


def workers(server: PerchServer) -> list[int]:
    assert server.process is not None
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for_workers(server: PerchServer, number: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if len(workers(server)) == number and len(re.findall("Booting worker", server.log())) >= number + 2:
            return
        time.sleep(0.05)
    raise AssertionError(server.log())


def folder_of(server: PerchServer) -> Path:
    """Return the folder of a server's metrics files."""
    for line in Path(f"/proc/{workers(server)[0]}/maps").read_text().splitlines():
        if "perch-metrics-" in line:
            return Path(line.split()[-1]).parent
    raise AssertionError("no worker counts")
