"""What `flask okta`, `flask entra` and `flask profile` share: whom they test, how they run, and what they print."""

import difflib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import click
from flask import current_app

from scim.cli.common import author, command_without_database, echo, json_option, print_json
from scim.emulator import report
from scim.emulator.client import ScimClient, better_base
from scim.emulator.dialects import CUSTOM, PROVIDERS, RFC
from scim.emulator.junit import junit
from scim.emulator.oauth import OAuthClient, access_token, cause
from scim.emulator.runner import FAILED, WARNED, CheckStep, Result, ServerUnreachable, TestRun, clean_up, run_checks
from scim.emulator.wsgi_adapter import wsgi_session
from scim.service import keys as key_service
from scim.settings import Settings
from scim.web.requests import base_url, origin, perch
from storage import fuse
from storage.keys import INTEROP, NO_PROFILE, Key

KEY_DAYS = 1.0
SHOWN_LEFT = 5
Connect = Callable[..., AbstractContextManager[ScimClient]]


def server_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """Add --url and --key; pass the base URL as `base`, and as `connect` a function that opens a client of a dialect.

    With the options of OAuth the key is a token, and `oauth` is passed, too.
    """

    @command_without_database
    @wraps(run)
    def with_server(*args: Any, url: str | None, key: str | None, **kwargs: Any) -> Any:
        oauth: OAuthClient | None = kwargs.get("oauth")
        if (url is None) != (key is None and oauth is None):
            ways = "--key, or with --token-url, --client-id and --client-secret" if "oauth" in kwargs else "--key"
            raise click.UsageError(f"Give --url with {ways}; or give none of them for this deployment.")
        if key and oauth:
            raise click.UsageError("Give --key, or --token-url, --client-id and --client-secret, not both.")
        if url is not None and not url.lower().startswith(("https://", "http://")):
            raise click.UsageError(f"--url needs a base URL with https:// or http://, such as {report.EXAMPLE}.")
        if url is None:
            perch().database.open(may_create=False)

        def connect(dialect: str, tests: bool = False) -> AbstractContextManager[ScimClient]:
            return client_of(url, key or (_token(oauth) if oauth else None), dialect, tests)

        return run(*args, connect=connect, base=(url or base_url()).rstrip("/"), **kwargs)

    key_option = click.option("--key", help="Access key of that server.")
    url_option = click.option("--url", metavar="BASE", help="Base URL of a SCIM server; default: this deployment.")
    return url_option(key_option(with_server))


def oauth_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a client of OAuth 2.0, and pass it as `oauth`; None where no option is given."""

    @wraps(run)
    def with_oauth(
        *args: Any, token_url: str | None, client_id: str | None, secret: str | None, proof: Any, **kwargs: Any
    ) -> Any:
        oauth = None
        if token_url or client_id:
            if not (token_url and client_id and (secret or proof)):
                raise click.UsageError("Give --token-url, --client-id and --client-secret together.")
            assertion = proof.read().strip() if proof else ""
            oauth = OAuthClient(token_url, client_id, secret or "", assertion)
        return run(*args, oauth=oauth, **kwargs)

    for option in (
        click.option("--client-assertion", "proof", type=click.File(), help="File with a signed token of its own."),
        click.option("--client-secret", "secret", envvar="PERCH_CLIENT_SECRET", help="Or set PERCH_CLIENT_SECRET."),
        click.option("--client-id", help="Client id at the token endpoint."),
        click.option("--token-url", metavar="URL", help="Token endpoint: client credentials instead of --key."),
    ):
        with_oauth = option(with_oauth)
    return with_oauth


def _token(oauth: OAuthClient) -> str:
    reply = oauth.token()
    token = access_token(reply)
    if not token:
        raise click.ClickException(
            f"{oauth.token_url} gave no token: {cause(reply)}. Correct --token-url, --client-id or --client-secret."
        )
    return token


def output_options(run: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose the rows and how they are printed."""
    for option in (
        click.option("--only", multiple=True, metavar="NAME", help="Run this row or step only; may be repeated."),
        click.option("--failed", is_flag=True, help="Show only the rows that failed or warn."),
        click.option("--junit", "junit_file", metavar="FILE", type=click.Path(dir_okay=False), help="Write JUnit XML."),
        json_option,
    ):
        run = option(run)
    return run


@contextmanager
def client_of(url: str | None, key: str | None, dialect: str = CUSTOM, tests: bool = False) -> Iterator[ScimClient]:
    """Yield a client of a server, or of this deployment with a temporary key.

    `tests` tells that its users are made to be deleted: the safety fuse of this deployment does not count them.
    """
    if url is not None and key is not None:
        yield ScimClient(url, key, dialect=dialect)
        return
    idp = {"Okta": "okta", "Entra": "entra"}.get(PROVIDERS[dialect], "generic")
    profile = INTEROP if dialect == RFC else NO_PROFILE  # a deployment conforms where the key wants it
    made, text = key_service.make_key(f"flask {idp}", idp, "provision", None, KEY_DAYS, profile=profile)
    with perch().repository.writing(author()) as write:
        key_service.add(write, made)
    try:
        with uncounted(made) if tests else nullcontext():
            yield ScimClient(base_url(), text, wsgi_session(current_app.wsgi_app, origin() + "/"), dialect)
    finally:
        with perch().repository.writing(author()) as write:
            key_service.revoke(write, made.id)


@contextmanager
def uncounted(key: Key) -> Iterator[None]:
    """Switch the safety fuse off in this process, and take the users whom a new key loses out of its count."""
    deployment, kept = perch(), perch().settings
    with deployment.database.read() as connection:
        before = fuse.lost_since(connection, key.created)
    deployment.settings = Settings({**kept, "PERCH_FUSE": False}, kept.given, kept.files)
    try:
        yield
    finally:
        deployment.settings = kept
        with deployment.repository.writing(author()) as write:
            fuse.forgive(write.connection, f"key:{key.id}", key.created, before)


@dataclass(slots=True)
class Played:
    """What a run brought: its results, why it ended early, what it could not delete, and a base URL that answers."""

    results: list[Result] = field(default_factory=list)
    error: str | None = None
    left: list[str] = field(default_factory=list)
    better: str | None = None

    @property
    def passed(self) -> bool:
        """Whether the run came to its end without a failed check."""
        return self.error is None and not any(result.outcome == FAILED for result in self.results)


def play(
    steps: Sequence[CheckStep],
    dialect: str,
    connect: Connect,
    base: str,
    only: Sequence[str],
    failed: bool,
    junit_file: str | None,
    as_json: bool,
    title: str = "",
    roles: Sequence[str] = (),
    oauth: OAuthClient | None = None,
) -> None:
    """Run the checks of a dialect, print them, and exit; 1 if one fails."""
    _check_names(steps, dialect, only)
    table = report.ResultTable(echo, sys.stdout.encoding, PROVIDERS[dialect])

    def is_shown(result: Result) -> bool:
        return not failed or result.outcome in (FAILED, WARNED)

    def show(result: Result) -> None:
        if not as_json and is_shown(result):
            table.show(result)

    with connect(dialect, tests=True) as client:
        played = _run(TestRun(client, dialect, roles, oauth), steps, only, show)
    results, error = played.results, played.error
    if junit_file:
        Path(junit_file).write_text(junit(dialect, results, error), encoding="utf-8")
    if as_json:
        head = {"base": base, "app": dialect, "passed": played.passed, "error": error, "counts": report.counts(results)}
        print_json({**head, "leftOver": played.left, "results": [asdict(each) for each in results if is_shown(each)]})
    else:
        echo("", f"{title or f'{dialect} app'}, {base}: {report.in_words(results)}")
        table.list_failures(results)
        _show_problems(error or report.connection_hint(results, played.better), played.left)
    raise SystemExit(0 if played.passed else 1)


def _run(run: TestRun, steps: Sequence[CheckStep], only: Sequence[str], show: Callable[[Result], None]) -> Played:
    played = Played()
    try:
        for result in run_checks(run, steps, only):
            played.results.append(result)
            show(result)
        if report.connection_hint(played.results):
            played.better = better_base(run.client)
    except ServerUnreachable as unreachable:
        played.error = report.unreachable_hint(run.client.base, str(unreachable))
    finally:
        played.left = clean_up(run)
    return played


def _check_names(steps: Sequence[CheckStep], dialect: str, only: Sequence[str]) -> None:
    checks = [check.id for step in steps for check in step.checks if dialect in check.dialects]
    known = sorted({*checks, *(step.name for step in steps)})
    for name in set(only).difference(known):
        near = difflib.get_close_matches(name, known, 5, 0.4) or [step.name for step in steps]
        raise click.UsageError(f"--only needs the id of a row or a step; {name} is neither. Is it {', '.join(near)}?")


def _show_problems(error: str | None, left: list[str]) -> None:
    if error:
        echo(error, err=True)
    for resource in left[:SHOWN_LEFT]:
        echo(f"could not be deleted: {resource}", err=True)
    if len(left) > SHOWN_LEFT:
        echo(f"and {len(left) - SHOWN_LEFT} more", err=True)
