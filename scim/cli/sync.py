"""What `flask okta sync` and `flask entra sync` share."""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from scim.cli.common import Mistakes, echo, json_option, print_json, print_list
from scim.cli.players import Connect, server_options
from scim.emulator.dialects import PROVIDERS
from scim.emulator.flows import Flows
from scim.emulator.organisation import InvalidOrganisation, Organisation, read_organisation
from scim.emulator.retries import RetryingClient
from scim.emulator.state import InvalidState, SyncState
from scim.emulator.sync import Summary, Sync, SyncStopped, Task


def sync_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """Add the organisation's file and the options of a sync."""
    for option in (
        json_option,
        click.option("--state", "state_file", metavar="FILE", type=click.Path(dir_okay=False), help="Store the ids."),
        click.option("--dry-run", is_flag=True, help="Show the tasks and send no request."),
        server_options,
        click.argument("file", metavar="ORG.json", type=click.Path(exists=True, dir_okay=False, allow_dash=False)),
    ):
        run = option(run)
    return run


def run_sync(
    file: str, connect: Connect, base: str, dialect: str, dry_run: bool, state_file: str | None, as_json: bool
) -> None:
    """Provision an organisation in a dialect, print what was done, and exit; 1 if a task failed."""
    organisation = _organisation(file)
    beside = Path(file).with_suffix(f".{PROVIDERS[dialect].lower()}-state.jsonl")
    try:
        state = SyncState(Path(state_file or beside), base)
    except InvalidState as error:
        raise click.ClickException(str(error)) from None
    show_left_out(organisation)
    if dry_run:
        _show_plan(Sync(organisation, Flows(_NoServer(), dialect), state), as_json)
        return
    stopped = None
    with connect(dialect) as client:
        retrying = RetryingClient(client, notify=lambda line: echo(line, err=True), provider=PROVIDERS[dialect])
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
    if as_json:
        failures = [asdict(failure) for failure in summary.failures]
        print_json({"done": dict(summary.done), "requests": requests, "stopped": stopped, "failures": failures})
        return
    done = ", ".join(f"{count} × {kind}" for kind, count in sorted(summary.done.items())) or "nothing to do"
    echo(f"{done}; {requests} requests, {len(summary.failures)} failures.")
    for failed in summary.failures:
        echo(f"{failed.task} {failed.title}: {failed.request}: {failed.status or 'no answer'} {failed.detail}")
    if stopped:
        echo(f"Stopped, since no other task can succeed; correct the cause, then run it again: {stopped}", err=True)


def show_left_out(organisation: Organisation) -> None:
    """Print who is not created and which groups are not pushed."""
    for line in organisation.left_out():
        echo(line, err=True)
