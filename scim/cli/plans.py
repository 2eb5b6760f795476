"""Plans as text and as JSON: what a command would change, and who would gain or lose by it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import wraps
from typing import Any, NoReturn

import click

from scim.cli.common import echo, print_json
from scim.service.plan import PlannedChange, RolePlan

WOULD_CHANGE = 3
KINDS = {"groupRule": "group rule"}
SIGNS = {"add": "+", "change": "~", "remove": "-"}
WORDS = {
    "gainLogin": "May log in from then on",
    "loseLogin": "May no longer log in",
    "gainRole": "Gain a role",
    "loseRole": "Lose a role",
}


def dry_run_options(run: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a dry run to a command whose act is planned by itself."""

    @wraps(run)
    def checked(*args: Any, dry_run: bool, as_json: bool, **kwargs: Any) -> None:
        if as_json and not dry_run:
            raise click.UsageError("--json prints the plan of a dry run; give --dry-run, too.")
        run(*args, dry_run=dry_run, as_json=as_json, **kwargs)

    checked = click.option("--json", "as_json", is_flag=True, help="Print the plan of a dry run as JSON.")(checked)
    return click.option("--dry-run", is_flag=True, help="Show who would gain or lose by it and change nothing.")(
        checked
    )


def end_dry_run(changes: Sequence[PlannedChange]) -> NoReturn:
    """Say that nothing was changed, and end the command: with 3 if there are changes."""
    if changes:
        echo("Nothing was changed: this was a dry run.", err=True)
    click.get_current_context().exit(WOULD_CHANGE if changes else 0)


def print_plan(
    changes: Sequence[PlannedChange], effect: RolePlan, as_json: bool, against: Mapping[str, int] | None = None
) -> None:
    """Print a plan; `against` counts the people who keep a role that could no longer be given so."""
    if as_json:
        print_json({"changes": [asdict(change) for change in changes], **effect, "against": dict(against or {})})
        return
    for change in changes:
        echo(f"{SIGNS[change.action]} {KINDS.get(change.kind, change.kind)} {change.name}{_details(change)}")
    for slug, count in (against or {}).items():
        echo(f"Keep the role {slug}, though they could no longer get it this way: {_people(count)}.")
    for word, text in WORDS.items():
        if count := effect["people"][word]:
            names = ", ".join(effect["names"][word])
            more = f" and {count - len(effect['names'][word])} more" if count > len(effect["names"][word]) else ""
            echo(f"{text}: {_people(count)}: {names}{more}.")
    if not any(effect["people"].values()):
        echo("Nobody gains or loses a role or the login." if changes else "Nothing to change.")


def _details(change: PlannedChange) -> str:
    before, after = change.before or {}, change.after or {}
    if change.action != "change":
        return "".join(f", {key} {_shown(value)}" for key, value in (after or before).items())
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return "".join(f", {key} {_shown(before.get(key))} -> {_shown(after.get(key))}" for key in keys)


def _shown(value: object) -> str:
    return "nothing" if value is None else json.dumps(value, ensure_ascii=False)


def _people(count: int) -> str:
    return "1 person" if count == 1 else f"{count} people"
