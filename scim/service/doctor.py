"""Checks of a deployment: each finding says what is wrong and what to do about it."""

import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
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

# Level and text of a finding, and unless all is well what to do.
Result = tuple[str, ...]


def examine(
    settings: Settings, database: Database, workspace: Callable[[], str], environment: Mapping[str, str]
) -> Iterator[Finding]:
    """Yield the findings of all checks of a deployment; nothing is changed."""
    remedy = "Correct or remove it; flask settings lists all."
    unknown = [(LOOK, line, remedy) for line in unknown_settings(environment)]
    yield from _found("settings", unknown, "All settings are known and valid.")
    if database.file.exists():
        yield from _found("file", _file(database), f"{database.file} is there, for its owner only.")
    try:
        database.open(may_create=False, may_migrate=False)
        with database.read() as connection:
            yield from _found("schema", _schema(connection, database), "The schema is current.")
            if database.follows:
                # The rest is the primary's, or takes longer than a follower may read.
                yield status.age(database, settings)
                return
            yield from _contents(connection, settings)
            yield from status.examine(connection, database, settings)
        database.check_writable(TIMEOUT)
    except ScimError as error:
        yield Finding("file", WRONG, error.detail, "Correct this first, then run flask doctor again.")
        return
    yield from _found("public URL", _public_url(settings["PERCH_PUBLIC_URL"], workspace()))


def _contents(connection: Connection, settings: Settings) -> Iterator[Finding]:
    yield from _found("pragmas", _pragmas(connection), "Write-ahead log, synchronous FULL, foreign keys on.")
    remedy = "Stop Perch, keep a copy of the file, and flask restore the last backup."
    damages = [(WRONG, damage, remedy) for damage in integrity.damages(connection)]
    yield from _found("integrity", damages, "Every page is sound.")
    yield from _found("clock", _clock(connection), "The clock is later than every write.")
    yield from _found("keys", _keys(keys.list_all(connection)))
    if slugs := statistics.unused_roles(connection):
        text = f"{len(slugs)} roles are assigned to no user and no group: {_first(slugs)}."
        yield Finding("roles", LOOK, text, "Assign them (flask roles assign), or flask roles remove SLUG.")
    figures = statistics.figures(connection)
    yield from _found("people", _roleless(figures), f"All {figures.active} active people have a role.")
    yield from _found("sign-in", _sign_in(settings))
    yield from _found("names", _names(connection), "No two users, groups or roles have the same name.")
    dropped = list(dict.fromkeys(one.name for one in attributes.seen(connection)))
    yield from _found("attributes", _dropped(dropped), "No provider has sent an attribute that Perch drops.")


def _found(check: str, results: Iterable[Result], otherwise: str = "") -> Iterator[Finding]:
    """Yield the findings of a check; `otherwise` is the sentence when it finds nothing."""
    level = ""
    for level, *texts in results:
        yield Finding(check, level, *texts)
    if otherwise and not level:
        yield Finding(check, OK, otherwise)


def _file(database: Database) -> Iterator[Result]:
    kind = integrity.network_file_system(database.file.parent)
    mode = stat.S_IMODE(database.file.stat().st_mode)
    if kind:
        text = f"{database.file} is on a network file system ({kind}), where SQLite's locks do not hold."
        yield WRONG, text, "Move it to a local disk, and back it up from there."
    elif mode & (stat.S_IRWXG | stat.S_IRWXO):
        text = f"{database.file} may be read by others than its owner (mode {mode:o})."
        yield LOOK, text, f"chmod 600 {database.file}"


def _schema(connection: Connection, database: Database) -> Iterator[Result]:
    try:
        integrity.check_schema(connection, database.file)
    except (ScimError, RuntimeError) as error:
        text = error.detail if isinstance(error, ScimError) else str(error)
        yield WRONG, text, "Restart Perch with the version that the file was last used with, or a newer one."


def _pragmas(connection: Connection) -> Iterator[Result]:
    if unsafe := integrity.unsafe_pragmas(connection):
        text = f"{', '.join(unsafe)}: an acknowledged write could be lost."
        yield WRONG, text, "Move the file to a disk that supports a write-ahead log."


def _clock(connection: Connection) -> Iterator[Result]:
    newest = statistics.last_write(connection)
    if time.gmtime().tm_year < FIRST_YEAR or (newest and newest > now(CLOCK_SLACK)):
        text = f"The clock says {now()}Z" + (f", but something was written at {newest}Z." if newest else ".")
        yield WRONG, text, "Set the clock (NTP): keys expire and changes are dated by it."


def _keys(every: list[Key]) -> Iterator[Result]:
    live = [key for key in every if key.live]
    for key in live:
        named = f"The key '{key.name}' ({key.id})"
        if key.expires and key.expires < now(SOON):
            remedy = f"Make a second key and put it into the provider, or flask keys set {key.id} --expires-in DAYS."
            yield LOOK, f"{named} expires at {key.expires}Z.", remedy
        if key.lastUsed is None and key.created < now(-UNUSED):
            remedy = f"If it is not needed: flask keys revoke {key.id}"
            yield LOOK, f"{named} was never used since {key.created}Z.", remedy
    if any(key.access == "provision" for key in live):
        yield OK, f"{len(live)} of {len(every)} are live."
    else:
        yield LOOK, "No live key has provision access.", 'Make one: flask keys create "Okta"'


def _roleless(figures: statistics.Figures) -> Iterator[Result]:
    if without_role := figures.active - figures.may_log_in:
        text = f"{without_role} of {figures.active} active people have no role and may not log in."
        remedy = "Assign roles in the provider or by flask roles assign; the console lists them under Users."
        yield LOOK, text, remedy


def _sign_in(settings: Settings) -> Iterator[Result]:
    if settings["PERCH_OIDC_ISSUER"]:
        try:
            OpenIdProvider(settings).metadata()
            yield OK, "The OpenID provider answers."
        except ScimError as error:
            yield WRONG, error.detail, "Correct PERCH_OIDC_ISSUER, or the way to the provider."
    if not settings["PERCH_CONSOLE_PASSWORD"] and settings["PERCH_ADMIN_PASSWORD"]:
        text = "PERCH_ADMIN_PASSWORD is set, but the password does not open the console."
        yield LOOK, text, "Remove it, or set PERCH_CONSOLE_PASSWORD=on."


def _names(connection: Connection) -> Iterator[Result]:
    """Report names that two have: earlier versions took composed and decomposed characters for different ones."""
    pairs = namesakes.list_all(connection)
    for pair in pairs[:MOST_NAMED]:
        text = (
            f"The {pair.type.lower()}s '{pair.older}' ({pair.older_id}) and '{pair.newer}' ({pair.newer_id}) have the "
            "same name, with accents written differently; look-ups find the first."
        )
        yield LOOK, text, "Rename or delete one of them, in the provider or over SCIM by its id."
    if len(pairs) > MOST_NAMED:
        yield LOOK, f"{len(pairs) - MOST_NAMED} more pairs share a name.", "Correct the others first."
    for slug in (role.slug for role in roles.catalogue(connection) if role.slug != compose(role.slug)):
        same = f"The roles {compose(slug)!a} and {slug!a} have the same slug"
        text = f"{same}, with accents written differently; SCIM assigns the first."
        remedy = "Remove the second: flask roles remove --force, with its slug copied from flask roles list."
        yield LOOK, text, remedy


def _dropped(names: list[str]) -> Iterator[Result]:
    if names:
        text = f"{len(names)} attributes that providers send are dropped: {_first(names)}."
        yield LOOK, text, "flask attributes seen lists them; declare those that you need with flask attributes add."


def _first(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (" and more" if len(names) > MOST_NAMED else "")


def _public_url(origin: str, workspace: str) -> Iterator[Result]:
    if not origin:
        text = "PERCH_PUBLIC_URL is not set; locations in answers come from each request's Host."
        yield LOOK, text, "Set it to the https origin that the provider uses."
        return
    if not origin.startswith("https://"):
        yield LOOK, f"{origin} is not https; Okta insists on it.", "Put a proxy with TLS in front."
    if reason := _unreachable(f"{origin}/{workspace}/scim/v2/ServiceProviderConfig"):
        text = f"{origin} does not lead to this workspace: {reason}."
        yield WRONG, text, "Check that the server runs, then name, certificate, proxy and firewall."
    else:
        yield OK, f"{origin} leads to this workspace."


def _unreachable(url: str) -> str:
    """Return why a URL does not lead to this workspace; "" when it does."""
    try:
        answer = requests.get(url, timeout=TIMEOUT, allow_redirects=False)
        return "" if answer.status_code == 200 and "patch" in answer.json() else f"it answered {answer.status_code}"
    except ValueError:
        return "the server there is not Perch"
    except requests.RequestException as error:
        return type(error).__name__
