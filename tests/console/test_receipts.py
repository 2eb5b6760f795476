"""Receipts in the console: on a person's page and timeline, and the warning on every page."""

import re
from typing import Any

import pytest
from flask import Flask

from tests.support.client import ScimClient
from tests.support.commands import create_key, run_command, run_json
from tests.support.console import Console, text_of
from tests.support.resources import patch, user_id

LATE = "Somebody who lost access may still be in: not acknowledged by "


class Applications:
    """Billing pulls and sends receipts; CRM does nothing."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.key = create_key(app, "Billing", "--access", "read")
        create_key(app, "CRM", "--access", "read")
        for each in run_json(app, "keys", "list"):
            if each["name"] != "Okta":
                run_command(app, "applications", "add", each["name"], "--key", each["id"])
        self.path = run_json(app, "workspace")["scimPath"].rstrip("/").removesuffix("/scim/v2") + "/events"

    def pull(self) -> None:
        """Acknowledge all events for Billing."""
        last = run_json(self.app, "events")[-1]["id"]
        self.app.test_client().get(f"{self.path}?after={last}", headers={"Authorization": self.key})
        self.app.extensions["perch.traffic"].writer.flush()

    def report(self, **body: Any) -> None:
        last = run_json(self.app, "events")[-1]["id"]
        headers = {"Authorization": self.key}
        assert self.app.test_client().post(f"{self.path}/{last}/receipt", json=body, headers=headers).status_code == 204

    def age(self, seconds: int) -> None:
        """Make all events so much older."""
        with self.app.extensions["perch"].database.write() as connection:
            moved = f"strftime('%Y-%m-%dT%H:%M:%f', at, '-{seconds} seconds')"
            connection.execute(f"UPDATE events SET at = {moved}, received = {moved}")
            connection.execute(f"UPDATE acknowledgements SET at = {moved}")


@pytest.fixture
def applications(console_app: Flask, okta: ScimClient) -> Applications:
    return Applications(console_app)


def parts(admin: Console, person: str) -> tuple[str, str]:
    """Return the text of a person's page before the history, and that of the history."""
    top, _, history = text_of(admin.get(f"/users/{person}")).partition(" History ")
    return top, history


def test_page_and_timeline_say_who_is_out_where(admin: Console, okta: ScimClient, applications: Applications) -> None:
    ann = user_id(okta, "ann", roles=["managed:admin"], active=True)
    assert "has not answered" not in " ".join(parts(admin, ann))
    okta.patch(f"/Users/{ann}", patch("replace", "active", False))
    applications.pull()
    applications.age(360)
    told = r"Out of Billing after \d+\.\d s; CRM has not answered for 6 minutes\."
    assert all(re.search(told, text) for text in parts(admin, ann))
    applications.report(outcome="ended", sessions=2)
    assert all(
        re.search(r"Out of Billing after \d+\.\d s \(2 sessions ended\); CRM", text) for text in parts(admin, ann)
    )
    for outcome, words in (("failed", "Billing failed to end it: locked;"), ("ignored", "Billing ignored it: locked;")):
        applications.report(outcome=outcome, reason="locked")
        assert all(words in text for text in parts(admin, ann))
    run_command(applications.app, "applications", "remove", "CRM")
    okta.patch(f"/Users/{ann}", patch("replace", "active", True))
    top, history = parts(admin, ann)
    assert "Billing" not in top and "Billing ignored it" in history


def test_a_person_who_lost_only_a_role_is_not_called_out(
    admin: Console, okta: ScimClient, applications: Applications
) -> None:
    ann = user_id(okta, "ann", roles=["managed:admin", "managed:viewer"], active=True)
    okta.patch(f"/Users/{ann}", patch("remove", 'roles[value eq "managed:viewer"]', None))
    applications.report(outcome="ended")
    told = r"Billing reported ended, but has not acknowledged it for \d+ seconds?; CRM has not answered for"
    assert re.search(told, parts(admin, ann)[0])
    applications.pull()
    run_command(applications.app, "applications", "remove", "CRM")
    top, history = parts(admin, ann)
    assert "Billing" not in top and re.search(r"Billing knew after \d+\.\d s\.", history)


@pytest.mark.parametrize("path", ["/", "/users", "/keys", "/webhooks", "/journal"])
def test_every_page_warns_of_a_withdrawal_that_is_open_for_five_minutes(
    path: str, admin: Console, okta: ScimClient, applications: Applications
) -> None:
    okta.delete(f"/Users/{user_id(okta, 'ann')}")
    applications.pull()
    applications.age(200)
    assert LATE not in text_of(admin.get(path))
    applications.age(120)
    text = text_of(admin.get(path))
    assert re.search(f"{LATE}CRM since 20\\S+ at \\S+ UTC\\. flask receipts --open shows who; then look at the", text)
    doctor = applications.app.test_cli_runner().invoke(args=["doctor"])
    assert doctor.exit_code == 1 and f"WRONG withdrawals: {LATE}CRM since" in doctor.output
    run_command(applications.app, "applications", "remove", "CRM")
    assert LATE not in text_of(admin.get(path))
