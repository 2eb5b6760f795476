"""Other people's conformance suites, run against Perch: no errors and no failures."""

from collections import Counter
from itertools import product

import pytest
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import CheckResult, Status, check_server
from scim_sanity.probe.runner import run_probe_api

from tests.conftest import MakeApp, MakeClient, MakeServer

# Both delete most of the few people that they create, which is what the safety fuse holds.
UNFUSED = {"PERCH_FUSE": "off"}

# scim-sanity adds a member whose id does not exist and wants 200; Perch names the unknown id in a 400, so that no
# provider takes a membership for granted that is not there.
REFUSED_ON_PURPOSE = {
    "phase": "Phase 3 — Group CRUD Lifecycle",
    "name": "PATCH /Groups/{id} add member",
    "status": "fail",
    "message": "Expected 200, got 400",
}


# A resource type or an extension that clients cannot write is beyond scim2-tester: it creates a resource of every type
# that is discovered, and patches every extension, without asking whether any attribute of it may be written.
WRITABLE = ["User", "Group"]
READ_ONLY_EXTENSIONS = {
    "urn:perch:scim:schemas:extension:access:1.0:User",
    "urn:perch:scim:schemas:extension:access:1.0:Group",
}
PATCH_CHECKS = {"check_add_attribute", "check_remove_attribute", "check_replace_attribute"}


@pytest.mark.parametrize("provider", ["generic", "okta", "entra"])
def test_scim2_tester(provider: str, make_app: MakeApp, make_client: MakeClient) -> None:
    """The RFC as scim2-tester reads it, with the schemas that each kind of key is told."""
    app = make_app(**UNFUSED)
    key = make_client(provider, app=app)
    client = WSGISCIMClient(
        app, base_url="http://localhost" + key.base_path, headers={"Authorization": f"Bearer {key.key}"}
    )
    results = check_server(client, resource_types=WRITABLE)
    refused = [result for result in errors(results) if extension_of(result) in READ_ONLY_EXTENSIONS]
    assert {(extension_of(result), result.title) for result in refused} <= set(
        product(READ_ONLY_EXTENSIONS, PATCH_CHECKS)
    )
    check_results([result for result in results if result not in refused])


def errors(results: list[CheckResult]) -> list[CheckResult]:
    return [result for result in results if result.status in (Status.ERROR, Status.CRITICAL)]


def extension_of(result: CheckResult) -> str | None:
    """The URN that a failed PATCH was about."""
    return result.data.get("urn") if isinstance(result.data, dict) else None


def check_results(results: list[CheckResult]) -> None:
    """No error, and enough checks that succeeded for that to mean something."""
    wrong = [describe(result) for result in errors(results)]
    assert not wrong, "\n" + "\n".join(wrong)
    counts = Counter(result.status for result in results)
    assert counts[Status.SUCCESS] + counts[Status.COMPLIANT] > 80, counts


def describe(result: CheckResult) -> str:
    """One line for a person who has to find the cause."""
    return f"{result.status.name} {result.resource_type} {result.title}: {result.reason} {str(result.data)[:400]}"


def test_scim_sanity(make_server: MakeServer) -> None:
    """scim-sanity's strict probe over HTTP."""
    server = make_server(settings=UNFUSED)
    server.start()
    report = run_probe_api(server.base_url, token=server.key, strict=True)
    wrong = [result for result in report["results"] if result["status"] in ("fail", "error")]
    assert wrong == [REFUSED_ON_PURPOSE]
    assert report["summary"]["passed"] >= 25, report["summary"]
    assert [result for result in report["results"] if result["status"] == "warn"] == []
