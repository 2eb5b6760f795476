"""A run deletes what it created, and turns whatever a check meets into a result."""

import pytest

from scim.emulator.checks import STEPS
from scim.emulator.dialects import OKTA_APPS
from scim.emulator.runner import (
    FAILED,
    SKIPPED,
    CheckFailed,
    CheckSkipped,
    CheckStep,
    ServerUnreachable,
    TestRun,
    clean_up,
    run_checks,
)
from tests.support.broken_server import BrokenServer, okta_client
from tests.support.defects import UNDELETABLE


@pytest.mark.parametrize("dialect", OKTA_APPS)
def test_a_run_deletes_what_it_created(dialect: str) -> None:
    server = BrokenServer()
    run = TestRun(okta_client(server), dialect)
    assert list(run_checks(run, STEPS))
    assert clean_up(run) == []
    assert server.stored == {"Users": {}, "Groups": {}}


@pytest.mark.parametrize("dialect", OKTA_APPS)
def test_where_users_cannot_be_deleted_they_are_deactivated(dialect: str) -> None:
    server = BrokenServer({UNDELETABLE}, people=100)
    run = TestRun(okta_client(server), dialect)
    assert [result for result in run_checks(run, STEPS) if result.outcome == FAILED] == []
    left = clean_up(run)
    assert len(left) > 10
    assert all(line.endswith("405 Okta never deletes people.; deactivated instead") for line in left)
    assert len([user for user in server.stored["Users"].values() if user["active"]]) == 100


@pytest.mark.parametrize(
    ("error", "outcome", "got"),
    [
        (CheckFailed("active is None"), FAILED, "active is None"),
        (CheckSkipped("needs a role"), SKIPPED, "needs a role"),
        (KeyError("id"), FAILED, "an answer of an unexpected shape (KeyError: 'id')"),
    ],
)
def test_an_error_in_a_check_becomes_its_result(error: Exception, outcome: str, got: str) -> None:
    step = CheckStep("step", "A step")

    @step.check("title", "expected", "otherwise", "RFC")
    def check(run: TestRun) -> None:
        raise error

    (result,) = run_checks(TestRun(okta_client(BrokenServer())), [step])
    assert (result.id, result.outcome, result.got) == ("step.check", outcome, got)
    assert (result.otherwise, result.source) == (("otherwise", "RFC") if outcome == FAILED else ("", ""))


def test_a_run_ends_when_the_server_does_not_reply() -> None:
    run = TestRun(okta_client(BrokenServer()))
    run.client.base = "http://127.0.0.1:9"
    with pytest.raises(ServerUnreachable, match="no answer"):
        list(run_checks(run, STEPS))
