"""Checks of a deployment: each finding says what is wrong and what to do about it."""

import stat
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

import requests

from schemas.datetimes import now
from schemas.errors import ScimError
from schemas.text import compose
from scim.service import attributes, status
from scim.service.oidc import OpenIdProvider
from scim.service.status import LOOK, MOST_NAMED, OK, WRONG, Finding
from scim.settings import Settings, unknown_settings
from storage import integrity, keys, namesakes, roles, statistics
from storage.database import Connection, Database
from storage.keys import Key

SOON, UNUSED = timedelta(days=14), timedelta(days=7)
CLOCK_SLACK = timedelta(minutes=1)
# The year of the first release: a clock before it would admit expired keys.
FIRST_YEAR = 2026
TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class CheckedDeployment:
    """The deployment that is checked."""

    settings: Settings
    database: Database
    workspace: Callable[[], str]
    environment: Mapping[str, str]


def examine(deployment: CheckedDeployment) -> Iterator[Finding]:
    """Yield the findings of all checks; nothing is changed."""
    yield from _settings(deployment)
    if deployment.database.file.exists():
        yield from _file(deployment.database)
    try:
        deployment.database.open(may_create=False, may_migrate=False)
        with deployment.database.read() as connection:
            yield from _schema(connection, deployment.database)
            if deployment.database.follows:
                # The rest is the primary's, or takes longer than a follower may read.
                yield _age(deployment.database.age(), deployment.settings["PERCH_FOLLOW_MAX_AGE"])
                return
            yield from _pragmas(connection)
            yield from _integrity(connection)
            yield from _clock(connection)
            yield from _keys(keys.list_all(connection))
            yield from _unused(connection)
            yield from _sign_in(deployment.settings)
            yield from _names(connection)
            yield _attributes(connection)
            yield from status.examine(connection, deployment.database, deployment.settings)
        deployment.database.check_writable(TIMEOUT)
    except ScimError as error:
        yield Finding("file", WRONG, error.detail, "Correct this first, then run flask doctor again.")
        return
    yield from _public_url(deployment)


def _settings(deployment: CheckedDeployment) -> Iterator[Finding]:
    lines = unknown_settings(deployment.environment)
    for line in lines:
        yield Finding("settings", LOOK, line, "Correct or remove it; flask settings lists all.")
    if not lines:
        yield Finding("settings", OK, "All settings are known and valid.")


def _file(database: Database) -> Iterator[Finding]:
    kind = integrity.network_file_system(database.file.parent)
    mode = stat.S_IMODE(database.file.stat().st_mode)
    if kind:
        yield Finding(
            "file", WRONG, f"{database.file} is on a network file system ({kind}), where SQLite's locks do not hold.",
            "Move it to a local disk, and back it up from there.",
        )  # fmt: skip
    elif mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield Finding(
            "file", LOOK, f"{database.file} may be read by others than its owner (mode {mode:o}).",
            f"chmod 600 {database.file}",
        )  # fmt: skip
    else:
        yield Finding("file", OK, f"{database.file} is there, for its owner only.")


def _schema(connection: Connection, database: Database) -> Iterator[Finding]:
    try:
        integrity.check_schema(connection, database.file)
        yield Finding("schema", OK, "The schema is current.")
    except (ScimError, RuntimeError) as error:
        text = error.detail if isinstance(error, ScimError) else str(error)
        yield Finding(
            "schema", WRONG, text, "Restart Perch with the version that the file was last used with, or a newer one."
        )


def _age(age: float | None, most: int) -> Finding:
    if age is not None and age <= most:
        return Finding("age", OK, f"The newest write in this follower's file is {age:.0f} s old.")
    text = "is unknown" if age is None else f"is {age:.0f} s old"
    return Finding("age", WRONG, f"The newest write in this follower's file {text}.", "See the log of flask follow.")


def _pragmas(connection: Connection) -> Iterator[Finding]:
    unsafe = integrity.unsafe_pragmas(connection)
    if not unsafe:
        yield Finding("pragmas", OK, "Write-ahead log, synchronous FULL, foreign keys on.")
    else:
        yield Finding(
            "pragmas", WRONG, f"{', '.join(unsafe)}: an acknowledged write could be lost.",
            "Move the file to a disk that supports a write-ahead log.",
        )  # fmt: skip


def _integrity(connection: Connection) -> Iterator[Finding]:
    damages = integrity.damages(connection)
    for damage in damages:
        yield Finding(
            "integrity", WRONG, damage, "Stop Perch, keep a copy of the file, and flask restore the last backup."
        )
    if not damages:
        yield Finding("integrity", OK, "Every page is sound.")


def _clock(connection: Connection) -> Iterator[Finding]:
    newest = statistics.last_write(connection)
    if time.gmtime().tm_year < FIRST_YEAR or (newest and newest > now(CLOCK_SLACK)):
        text = f"The clock says {now()}Z" + (f", but something was written at {newest}Z." if newest else ".")
        yield Finding("clock", WRONG, text, "Set the clock (NTP): keys expire and changes are dated by it.")
    else:
        yield Finding("clock", OK, "The clock is later than every write.")


def _keys(every: list[Key]) -> Iterator[Finding]:
    live = [key for key in every if key.live]
    for key in live:
        if key.expires and key.expires < now(SOON):
            yield Finding(
                "keys", LOOK, f"The key '{key.name}' ({key.id}) expires at {key.expires}Z.",
                f"Make a second key and put it into the provider, or flask keys set {key.id} --expires-in DAYS.",
            )  # fmt: skip
        if key.lastUsed is None and key.created < now(-UNUSED):
            yield Finding(
                "keys", LOOK, f"The key '{key.name}' ({key.id}) was never used since {key.created}Z.",
                f"If it is not needed: flask keys revoke {key.id}",
            )  # fmt: skip
    if not any(key.access == "provision" for key in live):
        yield Finding("keys", LOOK, "No live key has provision access.", 'Make one: flask keys create "Okta"')
    else:
        yield Finding("keys", OK, f"{len(live)} of {len(every)} are live.")


def _sign_in(settings: Settings) -> Iterator[Finding]:
    if settings["PERCH_OIDC_ISSUER"]:
        try:
            OpenIdProvider(settings).metadata()
            yield Finding("sign-in", OK, "The OpenID provider answers.")
        except ScimError as error:
            yield Finding("sign-in", WRONG, error.detail, "Correct PERCH_OIDC_ISSUER, or the way to the provider.")
    if not settings["PERCH_CONSOLE_PASSWORD"] and settings["PERCH_ADMIN_PASSWORD"]:
        text = "PERCH_ADMIN_PASSWORD is set, but the password does not open the console."
        yield Finding("sign-in", LOOK, text, "Remove it, or set PERCH_CONSOLE_PASSWORD=on.")


def _unused(connection: Connection) -> Iterator[Finding]:
    slugs, figures = statistics.unused_roles(connection), statistics.figures(connection)
    without_role = figures.active - figures.may_log_in
    if slugs:
        named = ", ".join(slugs[:MOST_NAMED]) + (" and more" if len(slugs) > MOST_NAMED else "")
        yield Finding(
            "roles", LOOK, f"{len(slugs)} roles are assigned to no user and no group: {named}.",
            "Assign them (flask roles assign), or flask roles remove SLUG.",
        )  # fmt: skip
    if without_role:
        yield Finding(
            "people", LOOK, f"{without_role} of {figures.active} active people have no role and may not log in.",
            "Assign roles in the provider or by flask roles assign; the console lists them under People.",
        )  # fmt: skip
    else:
        yield Finding("people", OK, f"All {figures.active} active people have a role.")


def _names(connection: Connection) -> Iterator[Finding]:
    """Report names that two have: earlier versions took composed and decomposed characters for different ones."""
    pairs = namesakes.list_all(connection)
    for pair in pairs[:MOST_NAMED]:
        yield Finding(
            "names", LOOK, f"The {pair.type.lower()}s '{pair.older}' ({pair.older_id}) and '{pair.newer}' "
            f"({pair.newer_id}) have the same name, with accents written differently; look-ups find the first.",
            "Rename or delete one of them, in the provider or over SCIM by its id.",
        )  # fmt: skip
    if len(pairs) > MOST_NAMED:
        yield Finding("names", LOOK, f"{len(pairs) - MOST_NAMED} more pairs share a name.", "Correct the others first.")
    apart = [role.slug for role in roles.catalogue(connection) if role.slug != compose(role.slug)]
    for slug in apart:
        yield Finding(
            "names", LOOK, f"The roles {compose(slug)!a} and {slug!a} have the same slug, with accents written "
            "differently; SCIM assigns the first.",
            "Remove the second: flask roles remove --force, with its slug copied from flask roles list.",
        )  # fmt: skip
    if not pairs and not apart:
        yield Finding("names", OK, "No two users, groups or roles have the same name.")


def _attributes(connection: Connection) -> Finding:
    """Report what providers send and Perch drops."""
    found = list(dict.fromkeys(one.name for one in attributes.seen(connection)))
    if not found:
        return Finding("attributes", OK, "No provider has sent an attribute that Perch drops.")
    named = ", ".join(found[:MOST_NAMED]) + (" and more" if len(found) > MOST_NAMED else "")
    return Finding(
        "attributes", LOOK, f"{len(found)} attributes that providers send are dropped: {named}.",
        "flask attributes seen lists them; declare those that you need with flask attributes add.",
    )  # fmt: skip


def _public_url(deployment: CheckedDeployment) -> Iterator[Finding]:
    origin = deployment.settings["PERCH_PUBLIC_URL"]
    if not origin:
        yield Finding(
            "public URL", LOOK, "PERCH_PUBLIC_URL is not set; locations in answers come from each request's Host.",
            "Set it to the https origin that the provider uses.",
        )  # fmt: skip
        return
    if not origin.startswith("https://"):
        yield Finding(
            "public URL", LOOK, f"{origin} is not https; Okta insists on it.", "Put a proxy with TLS in front."
        )
    reason = _unreachable(f"{origin}/{deployment.workspace()}/scim/v2/ServiceProviderConfig")
    if reason:
        yield Finding(
            "public URL", WRONG, f"{origin} does not lead to this workspace: {reason}.",
            "Check that the server runs, then name, certificate, proxy and firewall.",
        )  # fmt: skip
    else:
        yield Finding("public URL", OK, f"{origin} leads to this workspace.")


def _unreachable(url: str) -> str:
    """Return why a URL does not lead to this workspace; "" when it does."""
    try:
        answer = requests.get(url, timeout=TIMEOUT, allow_redirects=False)
        return "" if answer.status_code == 200 and "patch" in answer.json() else f"it answered {answer.status_code}"
    except ValueError:
        return "the server there is not Perch"
    except requests.RequestException as error:
        return type(error).__name__
