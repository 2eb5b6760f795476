"""`flask doctor`: problems of the deployment, and what to do about them."""

import os
from dataclasses import asdict

import click

from scim.cli.common import Command, command_without_database, echo, json_option, print_json
from scim.cli.progress import Progress
from scim.service import doctor
from scim.service.status import LOOK, OK, WRONG
from scim.settings import VERSION
from scim.web.requests import perch

MARKS = {OK: "ok", LOOK: "look", WRONG: "WRONG"}


@click.command("doctor", cls=Command)
@json_option
@command_without_database
def examine(as_json: bool) -> None:
    """Check the deployment. Say what to do about each problem, and exit 1 if something is wrong."""
    deployment = perch()
    database = deployment.database
    with Progress() as progress, database.stepping(progress.go_on):
        progress("Checking", 0, 0)
        findings = list(doctor.examine(deployment.settings, database, lambda: deployment.workspace, os.environ))
    wrong = any(finding.level == WRONG for finding in findings)
    if as_json:
        print_json({"version": VERSION, "wrong": wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            echo(f"{MARKS[finding.level]:<6}{finding.check}: {finding.text}")
            if finding.remedy:
                echo(f"      -> {finding.remedy}")
    if wrong:
        raise click.exceptions.Exit(1)
