"""`flask okta`: sends the requests of Okta to this deployment or to any SCIM server by URL."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Any

import click
from flask import current_app

from scim.cli.common import (
    Group,
    Mistakes,
    author,
    command_without_database,
    echo,
    has_database,
    json_option,
    print_json,
    print_list,
    print_table,
)
from scim.emulator import report
from scim.emulator.checks import STEPS
from scim.emulator.client import OktaClient
from scim.emulator.flows import CUSTOM, DIALECTS, Flows, ProvisioningError
from scim.emulator.import_preview import import_preview
from scim.emulator.organisation import InvalidOrganisation, Organisation, read_organisation
from scim.emulator.retries import RetryingClient
from scim.emulator.runner import FAILED, Result, ServerUnreachable, TestRun, clean_up, run_checks
from scim.emulator.sample import sample_organisation
from scim.emulator.state import InvalidState, SyncState
from scim.emulator.sync import Summary, Sync, SyncStopped, Task
from scim.emulator.wsgi_adapter import wsgi_session
from scim.service import keys as key_service
from scim.settings import Settings
from scim.web.requests import base_url, origin, perch
from storage import roles

KEY_DAYS = 1.0
SHOWN_LEFT = 5
EXAMPLE = "https://perch.example.com/WORKSPACE_ID/scim/v2"
FUSE_NOTICE = (
    "The safety fuse counts the test users that this run deactivated ('flask fuse status'). "
    "To leave this deployment untouched, set PERCH_DATABASE=scratch.db and run flask init, then this again."
)

group = Group("okta", help="Okta on a laptop: test, sync, import and sample, against Perch or any SCIM server.")
app_option = click.option(
    "--app",
    "dialect",
    type=click.Choice(DIALECTS),
    default=CUSTOM,
    show_default=True,
    help="Kind of app: custom apps update by PUT, OIN apps by PATCH.",
)
Connect = Callable[[], AbstractContextManager[OktaClient]]


def server_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """Add --url and --key; pass the base URL as `base`, and as `connect` a function that opens a client."""

    @wraps(run)
    def with_server(*args: Any, url: str | None, key: str | None, **kwargs: Any) -> Any:
        if (url is None) != (key is None):
            raise click.UsageError("Give --url and --key together, or neither for this deployment.")
        if url is not None and not url.lower().startswith(("https://", "http://")):
            raise click.UsageError(f"--url needs a base URL with https:// or http://, such as {EXAMPLE}.")
        if url is None:
            perch().database.open(may_create=False)
        return run(*args, connect=lambda: client_of(url, key), base=(url or base_url()).rstrip("/"), **kwargs)

    decorated = click.option("--key", help="Access key of that server.")(command_without_database(with_server))
    return click.option("--url", metavar="BASE", help="Base URL of a SCIM server; default: this deployment.")(decorated)


@contextmanager
def client_of(url: str | None, key: str | None) -> Iterator[OktaClient]:
    """Yield a client of a server, or of this deployment with a temporary key."""
    if url is not None and key is not None:
        yield OktaClient(url, key)
        return
    made, text = key_service.make_key("flask okta", "okta", "provision", None, KEY_DAYS)
    with perch().repository.writing(author()) as write:
        key_service.add(write, made)
    try:
        yield OktaClient(base_url(), text, wsgi_session(current_app.wsgi_app, origin() + "/"))
    finally:
        with perch().repository.writing(author()) as write:
            key_service.revoke(write, made.id)


@contextmanager
def fuse_off() -> Iterator[None]:
    """Switch the safety fuse off in this process, so that the test users can be deleted."""
    deployment = perch()
    kept = deployment.settings
    deployment.settings = Settings({**kept, "PERCH_FUSE": False}, kept.given, kept.files)
    try:
        yield
    finally:
        deployment.settings = kept


@group.command("test")
@server_options
@app_option
@click.option("--role", "roles_", multiple=True, metavar="SLUG", help="Role to assign; default: the first of /Roles.")
@json_option
def test(connect: Connect, base: str, dialect: str, roles_: tuple[str, ...], as_json: bool) -> None:
    """Run all checks: Okta's connector test, its public test suite and its flows; exit 1 if one fails.

    The run creates test users and groups with unique names and deletes them at the end. Without --url it does so
    in this deployment.
    """
    table = report.ResultTable(echo, sys.stdout.encoding)
    results: list[Result] = []
    error = None
    with fuse_off(), connect() as client:
        run = TestRun(client, dialect, roles_)
        try:
            for result in run_checks(run, STEPS):
                results.append(result)
                if not as_json:
                    table.show(result)
        except ServerUnreachable as unreachable:
            error = f"{base}: {unreachable}"
        finally:
            left = clean_up(run)
    passed = error is None and not any(result.outcome == FAILED for result in results)
    if as_json:
        head = {"base": base, "app": dialect, "passed": passed, "error": error, "counts": report.counts(results)}
        print_json({**head, "leftOver": left, "results": [asdict(result) for result in results]})
    else:
        echo("", f"{dialect} app, {base}: {report.in_words(results)}")
        table.list_failures(results)
        _show_problems(error or report.connection_hint(results), left)
    if perch().settings["PERCH_FUSE"] and has_database() and base == base_url():
        echo(FUSE_NOTICE, err=True)
    raise SystemExit(0 if passed else 1)


def _show_problems(error: str | None, left: list[str]) -> None:
    if error:
        echo(error, err=True)
    for resource in left[:SHOWN_LEFT]:
        echo(f"could not be deleted: {resource}", err=True)
    if len(left) > SHOWN_LEFT:
        echo(f"and {len(left) - SHOWN_LEFT} more", err=True)


@group.command("sync")
@click.argument("file", metavar="ORG.json", type=click.Path(exists=True, dir_okay=False, allow_dash=False))
@server_options
@app_option
@click.option("--dry-run", is_flag=True, help="Show the tasks and send no request.")
@click.option("--state", "state_file", metavar="FILE", type=click.Path(dir_okay=False), help="Store the ids in FILE.")
@json_option
def sync(
    file: str, connect: Connect, base: str, dialect: str, dry_run: bool, state_file: str | None, as_json: bool
) -> None:
    """Provision an organisation to the server as Okta would; a later run sends only the changes.

    The server's ids are stored in ORG.okta-state.jsonl beside ORG.json, unless --state names another file.
    """
    organisation = _organisation(file)
    try:
        state = SyncState(Path(state_file or Path(file).with_suffix(".okta-state.jsonl")), base)
    except InvalidState as error:
        raise click.ClickException(str(error)) from None
    _show_left_out(organisation)
    if dry_run:
        _show_plan(Sync(organisation, Flows(_NoServer(), dialect), state), as_json)
        return
    stopped = None
    with connect() as client:
        retrying = RetryingClient(client, notify=lambda message: echo(message, err=True))
        sync_ = Sync(organisation, Flows(retrying, dialect), state)
        try:
            sync_.run(_with_progress)
        except SyncStopped as error:
            stopped = str(error)
        finally:
            state.save()
    _show_summary(sync_.summary, retrying.requests, stopped, as_json)
    raise SystemExit(1 if sync_.summary.failures else 0)


class _NoServer:
    """The client of a dry run: sending is a bug."""

    def send(self, *args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a dry run sends nothing")


def _organisation(file: str) -> Organisation:
    try:
        return read_organisation(json.loads(Path(file).read_text(encoding="utf-8")))
    except InvalidOrganisation as error:
        raise Mistakes(f"{file} is not an organisation:", *error.mistakes) from None
    except ValueError as error:
        raise click.ClickException(f"{file} is not JSON: {error}") from None


def _with_progress(title: str, tasks: list[Task]) -> Iterable[Task]:
    with click.progressbar(tasks, label=title, file=sys.stderr, hidden=not tasks) as bar:
        yield from bar


def _show_plan(sync_: Sync, as_json: bool) -> None:
    tasks = [*sync_.people_tasks(), *sync_.group_tasks()]
    documents = [{"kind": task.kind, "key": task.id, "title": task.title} for task in tasks]
    print_list(as_json, documents, ("TASK", "NAME"), [(task.kind, task.title) for task in tasks])
    if not as_json:
        echo(f"{len(tasks)} tasks; groups are written again when their members have ids.", err=True)


def _show_summary(summary: Summary, requests: int, stopped: str | None, as_json: bool) -> None:
    failures = [
        {"task": f.task.kind, "title": f.task.title, "request": f.request, "status": f.status, "detail": f.detail}
        for f in summary.failures
    ]
    if as_json:
        print_json({"done": dict(summary.done), "requests": requests, "stopped": stopped, "failures": failures})
        return
    done = ", ".join(f"{count} × {kind}" for kind, count in sorted(summary.done.items())) or "nothing to do"
    echo(f"{done}; {requests} requests, {len(failures)} failures.")
    for failure in failures:
        cause = f"{failure['request']}: {failure['status'] or 'no answer'} {failure['detail']}"
        echo(f"{failure['task']} {failure['title']}: {cause}")
    if stopped:
        echo(
            f"Stopped, since no other task can succeed; correct the cause, then run it again: {stopped}",
            err=True,
        )


@group.command("import")
@server_options
@json_option
@click.option("--save", metavar="FILE", type=click.Path(dir_okay=False), help="Write the JSON document to FILE.")
def import_(connect: Connect, base: str, as_json: bool, save: str | None) -> None:
    """Read users and groups in pages of 100, and show the users and groups that Okta would import."""
    with connect() as client:
        retrying = RetryingClient(client, notify=lambda message: echo(message, err=True))
        try:
            found = {"base": base, **import_preview(Flows(retrying))}
        except ProvisioningError as error:
            raise click.ClickException(str(error)) from None
    if save:
        Path(save).write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    if as_json:
        print_json(found)
    elif not save:
        _show_import(found)
    counted = f"{len(found['users'])} users, {len(found['groups'])} groups, {len(found['problems'])} problems"
    echo(counted + (f", saved to {save}" if save else ""), err=True)


def _show_import(found: dict[str, Any]) -> None:
    names = ("userName", "firstName", "lastName", "email", "active", "roles", "problem")
    rows = [[_role_names(user[name]) if name == "roles" else user[name] for name in names] for user in found["users"]]
    print_table([name.upper() for name in names], rows)
    echo()
    print_table(("GROUP", "MEMBERS"), [(group_["name"], len(group_["members"])) for group_ in found["groups"]])


def _role_names(held: list[Any]) -> str:
    return ", ".join(str(role.get("value") if isinstance(role, dict) else role) for role in held)


@group.command("sample")
@click.argument("people", type=click.IntRange(min=1))
@click.option("--groups", type=click.IntRange(min=0), help="Number of groups; default: one for 40 people.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same organisation.")
@click.option("--role", "roles_", multiple=True, metavar="SLUG", help="Role to assign; default: all of the catalogue.")
@command_without_database
def sample(people: int, groups: int | None, seed: int, roles_: tuple[str, ...]) -> None:
    """Print a realistic organisation of PEOPLE people for `flask okta sync`: flask okta sample 200 > org.json"""
    if not roles_ and has_database():
        with perch().database.read() as connection:
            roles_ = tuple(role.slug for role in roles.catalogue(connection))
    document = sample_organisation(people, groups, seed, roles_)
    print_json(document)
    _show_left_out(read_organisation(document))


def _show_left_out(organisation: Organisation) -> None:
    for line in organisation.left_out():
        echo(line, err=True)
