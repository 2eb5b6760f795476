"""The conformance suites scim2-tester and scim-sanity find no errors in Perch."""

from collections import Counter
from itertools import product

import pytest
from scim2_client.engines.wsgi import WSGISCIMClient
from scim2_tester import CheckResult, Status, check_server
from scim_sanity.probe.runner import run_probe_api

from tests.conftest import MakeApp, MakeClient, MakeServer

# scim-sanity adds a member whose id does not exist and wants 200; Perch answers 400 with the unknown id, so that no
# provider relies on a membership that does not exist.
REFUSED_ON_PURPOSE = {
    "phase": "Phase 3 — Group CRUD Lifecycle",
    "name": "PATCH /Groups/{id} add member",
    "status": "fail",
    "message": "Expected 200, got 400",
}


# scim2-tester ignores mutability: it creates a resource of every discovered type and patches every extension, even if
# all their attributes are read-only.
WRITABLE = ["User", "Group"]
READ_ONLY_EXTENSIONS = {
    "urn:perch:scim:schemas:extension:access:1.0:User",
    "urn:perch:scim:schemas:extension:access:1.0:Group",
}
PATCH_CHECKS = {"check_add_attribute", "check_remove_attribute", "check_replace_attribute"}


@pytest.mark.parametrize("provider", ["generic", "okta", "entra"])
def test_scim2_tester_finds_no_errors(provider: str, make_app: MakeApp, make_client: MakeClient) -> None:
    """Run scim2-tester with the schemas that each kind of key sees."""
    app = make_app()
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
    """Return the URN that a failed PATCH was about."""
    return result.data.get("urn") if isinstance(result.data, dict) else None


def check_results(results: list[CheckResult]) -> None:
    """Check that there are no errors and that many checks succeeded."""
    wrong = [describe(result) for result in errors(results)]
    assert not wrong, "\n" + "\n".join(wrong)
    counts = Counter(result.status for result in results)
    assert counts[Status.SUCCESS] + counts[Status.COMPLIANT] > 80, counts


def describe(result: CheckResult) -> str:
    """Describe a result in one line."""
    return f"{result.status.name} {result.resource_type} {result.title}: {result.reason} {str(result.data)[:400]}"


def test_scim_sanity_finds_no_errors(make_server: MakeServer) -> None:
    """Run scim-sanity's strict probe over HTTP."""
    server = make_server(workers=1)
    server.start()
    report = run_probe_api(server.base_url, token=server.key, strict=True)
    wrong = [result for result in report["results"] if result["status"] in ("fail", "error")]
    assert wrong == [REFUSED_ON_PURPOSE]
    assert report["summary"]["passed"] >= 25, report["summary"]
    assert [result for result in report["results"] if result["status"] == "warn"] == []
