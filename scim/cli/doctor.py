"""`flask doctor`: what may be wrong with the deployment, and what to do about it."""

import os
from dataclasses import asdict

import click

from scim.cli.common import command, json_option, print_json
from scim.service import doctor
from scim.settings import VERSION
from scim.web.requests import perch

MARKS = {doctor.OK: "ok", doctor.LOOK: "look", doctor.WRONG: "WRONG"}


@click.command("doctor")
@json_option
@command
def examine(as_json: bool) -> None:
    """Look for what is wrong or forgotten, and say what to do; exit 1 when something is wrong."""
    deployment = perch()
    checked = doctor.CheckedDeployment(
        deployment.settings, deployment.database, lambda: deployment.workspace, os.environ
    )
    findings = list(doctor.examine(checked))
    wrong = any(finding.level == doctor.WRONG for finding in findings)
    if as_json:
        print_json({"version": VERSION, "wrong": wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            click.echo(f"{MARKS[finding.level]:<6}{finding.check}: {finding.text}")
            if finding.remedy:
                click.echo(f"      -> {finding.remedy}")
    if wrong:
        raise click.exceptions.Exit(1)
