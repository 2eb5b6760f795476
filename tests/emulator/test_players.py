"""Entra's tests and the profiles: a right server passes, and each planted defect is found by the right check first."""

import re
from functools import cache
from typing import Any
from unittest.mock import patch

import pytest

from scim.emulator.checks import ENTRA_STEPS, PROFILES
from scim.emulator.checks.interop import tls
from scim.emulator.client import Reply
from scim.emulator.dialects import ENTRA, RFC
from scim.emulator.runner import (
    FAILED,
    NOT_JUDGED,
    PASSED,
    SKIPPED,
    WARNED,
    CheckFailed,
    NotJudged,
    Result,
    TestRun,
    clean_up,
    run_checks,
)
from tests.support.model_server import ModelServer
from tests.support.planted import PLANTED, edit, on

SUITES = {"entra": ENTRA_STEPS, **PROFILES}
CHECKS = {check.id: check for steps in SUITES.values() for step in steps for check in step.checks}


def new_run(suite: str, server: ModelServer) -> TestRun:
    dialect = ENTRA if suite == "entra" else RFC
    return TestRun(server.client(dialect), dialect, oauth=server.oauth(), sleep=lambda seconds: None)


def results_of(suite: str, server: ModelServer, only: tuple[str, ...] = ()) -> dict[str, Result]:
    return {result.id: result for result in run_checks(new_run(suite, server), SUITES[suite], only)}


@cache
def clean(suite: str) -> dict[str, Result]:
    return results_of(suite, ModelServer(strict=suite != "entra"))


@pytest.mark.parametrize("suite", SUITES)
def test_a_right_server_passes_and_everything_is_deleted(suite: str) -> None:
    server = ModelServer(strict=suite != "entra")
    run = new_run(suite, server)
    results = list(run_checks(run, SUITES[suite]))
    assert [result for result in results if result.outcome not in (PASSED, NOT_JUDGED)] == []
    assert clean_up(run) == []
    assert server.stored == {"Users": {}, "Groups": {}}


@pytest.mark.parametrize("row", PLANTED)
def test_a_planted_defect_is_found_by_the_right_row_first_and_its_dependants_are_skipped(row: str) -> None:
    suite, plant = PLANTED[row]
    results = results_of(suite, ModelServer(suite != "entra", plant()))
    broken = [result for result in results.values() if result.outcome in (FAILED, WARNED)]
    assert broken and broken[0].id == row, [(result.id, result.got) for result in broken]
    assert broken[0].outcome == (WARNED if CHECKS[row].warning else FAILED)
    assert broken[0].got and broken[0].otherwise and broken[0].source
    dependants = [check.id for check in CHECKS.values() if row in check.needs]
    assert {results[name].outcome for name in dependants} <= {SKIPPED}


def test_every_judged_row_has_a_defect() -> None:
    judged = {name for suite in SUITES for name, result in clean(suite).items() if result.outcome != NOT_JUDGED}
    assert judged - set(PLANTED) == {"ipsie.4.2-interop"}
    assert set(CHECKS) - judged == {
        *(
            f"interop.{name}"
            for name in ("6.3-other-methods", "6.5.2.2-element", "6.7-conditions", "6.8-bulk", "7.1-tls")
        ),
        *(f"ipsie.{name}" for name in ("4.1-basic", "4.2-local", "4.3-limits", "5.1-access", "5.1-sessions")),
        *(f"ipsie.{name}" for name in ("6-local", "6-roles", "7-al3", "8-log")),
    }


def test_a_row_that_needs_another_exists() -> None:
    assert {name for check in CHECKS.values() for name in check.needs} <= set(CHECKS)


def test_a_failed_clause_of_the_interop_profile_is_one_of_ipsie_and_a_false_claim() -> None:
    results = results_of("ipsie", ModelServer(True, on("POST .*unknownThing", (201, {"id": "x"}))()))
    assert results["ipsie.4.2-interop"].got == "interop.5.3-attribute, interop.4-claim"
    assert results["interop.4-claim"].got == "True, though interop.5.3-attribute failed"


def test_an_unfair_test_says_so() -> None:
    server = ModelServer(tamper=on(r'PATCH /Users.*emails\[type eq \\"work\\"\].value", "value": "upd-', 400)())
    found = results_of("entra", server)["gallery.scim_user_update"]
    assert found.outcome == FAILED and "Microsoft's own test is unfair" in found.got
    server = ModelServer(tamper=on("PATCH /Users.*upd-", 400)())
    assert "unfair" not in results_of("entra", server)["gallery.scim_user_update"].got


def test_no_group_schema_fails_the_tests_of_groups() -> None:
    server = ModelServer(tamper=edit("GET /Schemas", lambda found: found["Resources"].pop(1))())
    found = results_of("entra", server, ("gallery",))
    failed = {name.removeprefix("gallery.") for name, result in found.items() if result.outcome == FAILED}
    assert failed == {
        "create_group", "update_group", "group_update_add_member", "group_update_remove_member", "pod_group",
        "schema_discoverability", "scim_group_create", "scim_group_update",
    }  # fmt: skip


def test_without_oauth_the_rows_are_skipped() -> None:
    run = TestRun(ModelServer().client(ENTRA), ENTRA, sleep=lambda seconds: None)
    rows = list(run_checks(run, ENTRA_STEPS, ["gallery.validate_credentials", "gallery.federated_identity"]))
    assert [row.outcome for row in rows] == [SKIPPED, SKIPPED]
    assert "--client-assertion" in rows[1].got


def test_a_refused_role_is_a_warning_and_the_run_goes_on() -> None:
    refused = 'roles: there is no role "%s"'

    def refusing(ask, answer):
        for word in re.findall(r'"value": "([A-Z]{6})", "type": "[A-Z]{6}"\}\]', ask.text):
            return 400, {"detail": refused % word}
        return answer(ask)

    results = results_of("entra", ModelServer(tamper=refusing), ("validator",))
    assert results["validator.create_user"].outcome == WARNED
    assert "--unknown-roles create" in results["validator.create_user"].got
    assert [result for result in results.values() if result.outcome not in (PASSED, WARNED)] == []


def test_retry_after_is_obeyed_up_to_a_minute() -> None:
    waits: list[float] = []
    replies = [Reply("GET /Users", status, "", {"Retry-After": after}) for status, after in ((429, "7"), (429, "60"))]
    run = new_run("entra", ModelServer())
    run.sleep = waits.append
    with patch.object(run.client, "send", side_effect=[*replies, Reply("GET /Users", 200, "{}")]):
        assert run.get("/Users").status == 200
    assert (waits, run.throttled) == ([7, 60], True)
    with patch.object(run.client, "send", side_effect=[Reply("GET /Users", 429, "", {"Retry-After": "61"})]):
        assert run.get("/Users").status == 429


def test_what_was_created_is_deleted_though_the_server_is_busy() -> None:
    waits: list[float] = []
    server = ModelServer()
    run = new_run("entra", server)
    run.sleep = waits.append
    run.user("one"), run.user("two")
    send, busy = run.client.send, iter([True, False, True, False])

    def sometimes(*arguments: Any) -> Reply:
        return Reply("DELETE", 429, "", {"Retry-After": "1"}) if next(busy) else send(*arguments)

    with patch.object(run.client, "send", sometimes):
        assert clean_up(run) == []
    assert (waits, server.stored["Users"]) == ([1, 1], {})


def test_tls() -> None:
    server = ModelServer()
    run = new_run("interop", server)
    with pytest.raises(NotJudged):
        tls(run)
    run.client.base = "https://127.0.0.1:9/scim"
    with pytest.raises(CheckFailed):
        tls(run)
