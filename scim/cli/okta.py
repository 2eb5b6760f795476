"""`flask okta`: Okta on a laptop, played against this deployment or any SCIM server by URL."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from scim.cli.common import command, json_option, origin, print_json, print_table
from scim.cli.deployment import base_url
from scim.emulator import report, sample
from scim.emulator.checks import STEPS
from scim.emulator.client import OktaClient
from scim.emulator.flows import APPS, Flows, Refused
from scim.emulator.importing import imported
from scim.emulator.in_process import session_into
from scim.emulator.organisation import Organisation, WrongOrganisation, read_organisation
from scim.emulator.retries import Patient
from scim.emulator.state import State, WrongState
from scim.emulator.sync import Stopped, Sync, Task
from scim.emulator.test_run import FAILED, Play, Result, Unreachable, clean_up, perform
from scim.service.keys import make_key
from scim.settings import Settings
from scim.web.requests import perch
from storage import keys, roles

TEMPORARY_DAYS = 1.0
SHOWN_LEFT = 5
EXAMPLE = "https://perch.example.com/WORKSPACE_ID/scim/v2"
FUSE_NOTICE = (
    "The few people that the run deactivated count for the safety fuse for a while ('flask fuse status'). "
    "To leave a deployment alone, play on a scratch file: PERCH_DATABASE=scratch.db flask okta test"
)

group = AppGroup("okta", help="Okta on a laptop: test, sync, import and sample, against Perch or any SCIM server.")
app_option = click.option(
    "--app",
    type=click.Choice(APPS),
    default="custom",
    show_default=True,
    help="The dialect: custom apps PUT, OIN apps PATCH.",
)
Connect = Callable[[], Any]


def server_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that name another server; the command gets `connect`."""

    @wraps(run)
    def with_server(*args: Any, url: str | None, key: str | None, **kwargs: Any) -> Any:
        if (url is None) != (key is None):
            raise click.UsageError("Give --url and --key together, or neither to play against this deployment.")
        if url is not None and not url.lower().startswith(("https://", "http://")):
            raise click.UsageError(f"--url is a base URL with https:// or http://, such as {EXAMPLE}.")
        return run(*args, connect=lambda: connection(url, key), base=(url or base_url()).rstrip("/"), **kwargs)

    decorated = click.option("--key", help="The access key that the server expects.")(command(with_server))
    return click.option("--url", metavar="BASE", help="Base URL of a SCIM server; default: this deployment.")(decorated)


@contextmanager
def connection(url: str | None, key: str | None) -> Iterator[OktaClient]:
    """Yield Okta's client: over HTTP, or straight into this deployment with a key that lives as long as the command."""
    if url is not None and key is not None:
        yield OktaClient(url, key)
        return
    made, text = make_key("flask okta", "okta", "provision", None, TEMPORARY_DAYS)
    with perch().database.write() as connection_:
        keys.insert(connection_, made)
    try:
        yield OktaClient(base_url(), text, session_into(current_app.wsgi_app, origin() + "/"))
    finally:
        with perch().database.write() as connection_:
            keys.revoke(connection_, made.id)


@contextmanager
def fuse_off() -> Iterator[None]:
    """Let this process delete its own test people; the fuse of the running server stays as it is."""
    deployment = perch()
    kept = deployment.settings
    deployment.settings = Settings({**kept.values, "PERCH_FUSE": False})
    try:
        yield
    finally:
        deployment.settings = kept


@group.command("test")
@server_options
@app_option
@click.option("--role", "roles_", multiple=True, metavar="SLUG", help="A role to assign; default: the first of /Roles.")
@json_option
@command
def test(connect: Connect, base: str, app: str, roles_: tuple[str, ...], as_json: bool) -> None:
    """Play Okta's connector test, its suite and all its flows; exit 1 when one check fails.

    What the run creates is named after it and deleted at its end. Without --url it goes into this deployment.
    """
    table = report.Table(click.echo, sys.stdout.encoding)
    results: list[Result] = []
    left: list[str] = []
    error = None
    with fuse_off(), connect() as client:
        play = Play(client, app, roles_)
        try:
            perform(play, STEPS, results.append if as_json else _both(results, table.show))
        except Unreachable as silent:
            error = f"{base}: {silent}"
        finally:
            left = clean_up(play)
    passed = error is None and not any(result.outcome == FAILED for result in results)
    if as_json:
        found = {"base": base, "app": app, "passed": passed, "error": error, "counts": report.counts(results)}
        print_json({**found, "leftOver": left, "results": [result.as_json() for result in results]})
    else:
        click.echo(f"\n{app} app, {base}: {report.in_words(results)}")
        _say_what_went_wrong(error or report.first_step(results), left)
    if perch().settings["PERCH_FUSE"] and base == base_url():
        click.echo(FUSE_NOTICE, err=True)
    raise SystemExit(0 if passed else 1)


def _say_what_went_wrong(error: str | None, left: list[str]) -> None:
    if error:
        click.echo(error, err=True)
    for resource in left[:SHOWN_LEFT]:
        click.echo(f"could not be deleted: {resource}", err=True)
    if len(left) > SHOWN_LEFT:
        click.echo(f"and {len(left) - SHOWN_LEFT} more", err=True)


def _both(results: list[Result], show: Callable[[Result], None]) -> Callable[[Result], None]:
    def keep(result: Result) -> None:
        results.append(result)
        show(result)

    return keep


@group.command("sync")
@click.argument("file", metavar="ORG.json", type=click.Path(exists=True, dir_okay=False, allow_dash=False))
@server_options
@app_option
@click.option("--dry-run", is_flag=True, help="Only say what would be done; no request is sent.")
@click.option("--state", "state_file", metavar="FILE", type=click.Path(dir_okay=False), help="What Okta remembers.")
@json_option
@command
def sync(
    file: str, connect: Connect, base: str, app: str, dry_run: bool, state_file: str | None, as_json: bool
) -> None:
    """Bring an organisation to the server as Okta would; run again, it sends what changed since.

    Ids are remembered in a state file, ORG.okta-state.jsonl beside ORG.json unless --state names another.
    """
    organisation = _organisation(file)
    try:
        state = State(Path(state_file or Path(file).with_suffix(".okta-state.jsonl")), base)
    except WrongState as error:
        raise click.ClickException(str(error)) from None
    if dry_run:
        _show_plan(Sync(organisation, Flows(_Nowhere(), app), state), as_json)
        return
    with connect() as client:
        patient = Patient(client, notice=lambda text: click.echo(text, err=True))
        run = Sync(organisation, Flows(patient, app), state)
        stopped = _run(run, state)
    _show_summary(run, patient.sent, stopped, as_json)
    raise SystemExit(1 if run.summary.failures or stopped else 0)


class _Nowhere:
    """No server: a dry run must not send."""

    def send(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a dry run sends nothing")


def _organisation(file: str) -> Organisation:
    try:
        return read_organisation(json.loads(Path(file).read_text(encoding="utf-8")))
    except WrongOrganisation as error:
        raise click.ClickException(f"{file} is no organisation:\n{error}") from None
    except ValueError as error:
        raise click.ClickException(f"{file} is no JSON: {error}") from None


def _run(run: Sync, state: State) -> str | None:
    """Do all tasks, people before groups; returns why it stopped early, if it did."""
    try:
        for title, tasks in (("People", run.people_tasks), ("Groups", run.group_tasks)):
            for task in _with_progress(tasks(), title):
                run.do(task)
    except Stopped as why:
        return str(why)
    finally:
        state.save()
    return None


def _with_progress(tasks: list[Task], title: str) -> Iterable[Task]:
    with click.progressbar(tasks, label=title, file=sys.stderr, hidden=not tasks) as bar:
        yield from bar


def _show_plan(run: Sync, as_json: bool) -> None:
    tasks = [*run.people_tasks(), *run.group_tasks()]
    if as_json:
        print_json([{"kind": task.kind, "key": task.key, "title": task.title} for task in tasks])
        return
    print_table(("WOULD", "WHOM"), [(task.kind, task.title) for task in tasks])
    click.echo(f"{len(tasks)} to do; groups are written again when their members have ids.", err=True)


def _show_summary(run: Sync, sent: int, stopped: str | None, as_json: bool) -> None:
    failures = [
        {"task": f.task.kind, "title": f.task.title, "request": f.request, "status": f.status, "detail": f.detail}
        for f in run.summary.failures
    ]
    if as_json:
        print_json({"done": dict(run.summary.done), "requests": sent, "stopped": stopped, "failures": failures})
        return
    done = ", ".join(f"{count} × {kind}" for kind, count in sorted(run.summary.done.items())) or "nothing to do"
    click.echo(f"{done}; {sent} requests, {len(failures)} failures.")
    for failed in failures:
        told = f"{failed['request']}: {failed['status'] or 'no answer'} {failed['detail']}"
        click.echo(f"{failed['task']} {failed['title']}: {told}")
    if stopped:
        click.echo(f"Stopped, since nothing else could succeed. Run it again to go on: {stopped}", err=True)


@group.command("import")
@server_options
@json_option
@click.option("--save", metavar="FILE", type=click.Path(dir_okay=False), help="Write the JSON document to a file.")
@command
def import_(connect: Connect, base: str, as_json: bool, save: str | None) -> None:
    """Read users and groups in pages of 100, and show what Okta would import."""
    with connect() as client:
        patient = Patient(client, notice=lambda text: click.echo(text, err=True))
        try:
            found = {"base": base, **imported(Flows(patient))}
        except Refused as refused:
            raise click.ClickException(str(refused)) from None
    if save:
        Path(save).write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json(found)
    elif not save:
        _show_import(found)
    counted = f"{len(found['users'])} users, {len(found['groups'])} groups, {len(found['problems'])} problems"
    click.echo(counted + (f", saved to {save}" if save else ""), err=True)


def _show_import(found: dict[str, Any]) -> None:
    names = ("userName", "firstName", "lastName", "email", "active", "roles", "problem")
    rows = [[user[name] if name != "roles" else _roles(user["roles"]) for name in names] for user in found["users"]]
    print_table([name.upper() for name in names], rows)
    click.echo()
    print_table(("GROUP", "MEMBERS"), [(group_["name"], len(group_["members"])) for group_ in found["groups"]])


def _roles(held: list[Any]) -> str:
    return ", ".join(str(role.get("value") if isinstance(role, dict) else role) for role in held)


@group.command("sample")
@click.argument("people", type=click.IntRange(min=1))
@click.option("--groups", type=click.IntRange(min=0), help="How many groups; default: one per 40 people.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same organisation.")
@click.option("--role", "roles_", multiple=True, metavar="SLUG", help="A role to give; default: all of the catalogue.")
@command
def sample_(people: int, groups: int | None, seed: int, roles_: tuple[str, ...]) -> None:
    """Write a realistic organisation of PEOPLE people, for sync: flask okta sample 200 > org.json"""
    if not roles_:
        with perch().database.read() as connection_:
            roles_ = tuple(role.slug for role in roles.catalogue(connection_))
    print_json(sample.organisation(people, groups, seed, roles_))
