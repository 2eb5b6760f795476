"""The checks: a right server passes, each planted defect is found, and each check fails for some defect."""

from functools import cache

import pytest

from scim.emulator.checks import STEPS
from scim.emulator.dialects import OKTA_APPS
from scim.emulator.runner import FAILED, PASSED, WARNED, Result, TestRun, run_checks
from tests.support.broken_server import BrokenServer, okta_client
from tests.support.defects import FOUND_BY

CHECKS = [check for step in STEPS for check in step.checks]
# Defects that Okta works with, though not well: they give a warning, and the run passes.
ONLY_WARNED = {"slow groups", "bare key refused"}
# Defects that break much at once, and a dialect in which they do.
BROAD = (
    ("password refused", "custom"),
    ("PUT without effect", "custom"),
    ("numeric error status", "custom"),
    ("numeric error status", "oin"),
    ("string numbers", "oin"),
    ("users 400", "oin"),
    ("userName lower-cased", "oin"),
    ("PATCH without effect", "oin"),
    ("groups 404", "oin"),
    ("filter ignored", "oin"),
)


@cache
def results_with(defect: str, dialect: str) -> dict[str, Result]:
    """The results by check id of a run against a server with one defect and people enough for a page."""
    run = TestRun(okta_client(BrokenServer({defect}, people=88)), dialect)
    return {result.id: result for result in run_checks(run, STEPS)}


def failed(results: dict[str, Result]) -> dict[str, str]:
    return {name: result.got for name, result in results.items() if result.outcome == FAILED}


@pytest.mark.parametrize("dialect", OKTA_APPS)
def test_a_server_without_defects_passes(dialect: str) -> None:
    run = TestRun(okta_client(BrokenServer()), dialect)
    results = list(run_checks(run, STEPS))
    assert [result for result in results if result.outcome != PASSED] == []
    assert len(results) > 90


def test_more_than_90_defects_are_planted() -> None:
    assert len(FOUND_BY) > 90


@pytest.mark.parametrize("defect", sorted(FOUND_BY))
def test_a_planted_defect_is_found(defect: str) -> None:
    check = next(check for check in CHECKS if check.id == FOUND_BY[defect])
    results = results_with(defect, "oin" if defect.startswith("PATCH") else check.dialects[0])
    found = results[check.id]
    assert found.outcome == (WARNED if defect in ONLY_WARNED else FAILED), (found, failed(results))
    assert found.otherwise and found.source and found.got
    if defect in ONLY_WARNED:
        assert failed(results) == {}


def test_every_check_fails_for_some_defect() -> None:
    """A check that no defect fails proves nothing; those that FOUND_BY does not name fail for a broad defect."""
    proven = set(FOUND_BY.values())
    for defect, dialect in BROAD:
        proven |= {name for name, result in results_with(defect, dialect).items() if result.outcome in (FAILED, WARNED)}
    assert {check.id for check in CHECKS} - proven == set()


def test_every_check_says_what_okta_would_do() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    for check in CHECKS:
        assert "RFC" in check.source or "Fact" in check.source, check.id
        assert check.expected and check.otherwise.endswith((".", "'")), check.id
