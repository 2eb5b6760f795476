"""Other people's conformance suites, run against Perch: no errors and no failures."""

from collections import Counter

import pytest
from flask import Flask
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import CheckResult, Status, check_server
from scim_sanity.probe.runner import run_probe_api

from tests.conftest import MakeClient
from tests.support.server import PerchServer

# scim-sanity adds a member whose id does not exist and wants 200; Perch names the unknown id in a 400, so that no
# provider takes a membership for granted that is not there.
REFUSED_ON_PURPOSE = {
    "phase": "Phase 3 — Group CRUD Lifecycle",
    "name": "PATCH /Groups/{id} add member",
    "status": "fail",
    "message": "Expected 200, got 400",
}


@pytest.mark.parametrize("provider", ["generic", "okta", "entra"])
def test_scim2_tester(provider: str, app: Flask, make_client: MakeClient) -> None:
    """The RFC as scim2-tester reads it, with discovery as each kind of key is told it."""
    key = make_client(provider)
    client = WSGISCIMClient(
        app,
        base_url="http://localhost" + key.base_path,
        headers={"Authorization": f"Bearer {key.key}"},
    )
    results = check_server(client)
    wrong = [describe(result) for result in results if result.status in (Status.ERROR, Status.CRITICAL)]
    assert wrong == []
    counts = Counter(result.status for result in results)
    assert counts[Status.SUCCESS] + counts[Status.COMPLIANT] > 50, counts


def describe(result: CheckResult) -> str:
    """One line for a person who has to find the cause."""
    return f"{result.status.name} {result.resource_type} {result.title}: {result.reason} {str(result.data)[:400]}"


def test_scim_sanity(perch_server: PerchServer) -> None:
    """scim-sanity's strict probe over HTTP."""
    report = run_probe_api(perch_server.base_url, token=perch_server.key, strict=True)
    wrong = [result for result in report["results"] if result["status"] in ("fail", "error")]
    assert wrong == [REFUSED_ON_PURPOSE]
    assert report["summary"]["passed"] >= 25, report["summary"]
    assert [result for result in report["results"] if result["status"] == "warn"] == []
