"""The settings of a deployment: one declaration with default, unit and help for each environment variable."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The one place of the version: server, commands, metrics, bill of materials, image and release read it here.
VERSION = "1.0.0"
# Read by `flask entra test` and by the examples, not by the server.
OF_OTHERS = (
    "PERCH_BASE_URL", "PERCH_CLIENT_SECRET", "PERCH_FOLLOWER_URL", "PERCH_HOME", "PERCH_IMAGE", "PERCH_KEY",
    "PERCH_SECRET",
)  # fmt: skip


class WrongSetting(ValueError):
    """A setting has a value that is not allowed; the message names the setting and the allowed values."""


@dataclass(frozen=True, slots=True)
class Setting:
    """An environment variable: its default as text, the function that parses it, and help for operators.

    `read` raises ValueError with the rule that the text breaks. The value of a `secret` setting is never shown, and may
    come from the file that the variable `NAME_FILE` names instead.
    """

    name: str
    default: str
    read: Callable[[str], Any]
    help: str
    secret: bool = False

    @property
    def file_variable(self) -> str:
        """The variable that names a file with the value; "" for a setting that is no secret."""
        return f"{self.name}_FILE" if self.secret else ""


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return read


def _switch(text: str) -> bool:
    if text not in ("on", "off"):
        raise ValueError("must be on or off")
    return text == "on"


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < low or (high is not None and int(text) > high):
            raise ValueError(f"must be a whole number from {low}" + (f" to {high}" if high is not None else ""))
        return int(text)

    return read


def _secret(shortest: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text and len(text) < shortest:
            raise ValueError(f"must be text of at least {shortest} characters")
        return text

    return read


def _workspace(text: str) -> str:
    if text and not re.fullmatch(r"[A-Za-z0-9._~-]{1,64}", text):
        raise ValueError("must be 1 to 64 letters, digits, dots, dashes or underscores")
    if text == "console":
        raise ValueError("must not be console, where the console is")
    return text


def _origin(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^/\s?#]+/?", text):
        raise ValueError("must be an origin such as https://perch.example.com, without a path")
    return text.rstrip("/")


def _hosts(text: str) -> frozenset[str]:
    hosts = [part.strip().lower() for part in text.split(",") if part.strip()]
    if not all(re.fullmatch(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]", host) for host in hosts):
        raise ValueError("must be host names such as app.example.com, separated by commas, without schemes and ports")
    return frozenset(hosts)


def _issuer(text: str) -> str:
    if text and not re.fullmatch(r"https://[^\s?#]+|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/[^\s?#]*)?", text):
        raise ValueError(
            "must be a URL that begins with https:// (http:// on this machine only), as the provider has it"
        )
    return text


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


SETTINGS = (
    Setting("PERCH_DATABASE", "perch.db", str, "Path of the SQLite file; flask init and the server create it."),
    Setting("PERCH_WORKSPACE", "", _workspace, "Workspace id in the base URL; empty: generated at the first start."),
    Setting("PERCH_PUBLIC_URL", "", _origin, "Origin at which clients reach Perch; empty: taken from each request."),
    Setting(
        "PERCH_ADMIN_PASSWORD", "", _secret(12), "Console password; empty: the one from flask init.", secret=True
    ),
    Setting(
        "PERCH_CONSOLE_PASSWORD", "on", _switch, "Whether the password opens the console; off needs PERCH_OIDC_ISSUER."
    ),
    Setting("PERCH_OIDC_ISSUER", "", _issuer, "OpenID provider with which administrators sign in; empty: none."),
    Setting("PERCH_OIDC_CLIENT_ID", "", str, "Perch's client id at the OpenID provider."),
    Setting("PERCH_OIDC_CLIENT_SECRET", "", str, "Perch's client secret at the OpenID provider.", secret=True),
    Setting(
        "PERCH_OIDC_ADMINS", "", _list,
        "Who may sign in, separated by commas: values of the claim, or role:SLUG for people with that role in Perch.",
    ),
    Setting("PERCH_OIDC_CLAIM", "email", str, "The claim by which Perch knows administrators."),
    Setting(
        "PERCH_OIDC_VERIFIED", "claim", _choice("claim", "issuer"),
        "Which e-mail addresses count: with email_verified only, or also where the provider never says.",
    ),
    Setting(
        "PERCH_UNKNOWN_ROLES", "reject", _choice("reject", "create", "ignore"),
        "What to do with role slugs that the catalogue lacks.",
    ),
    Setting("PERCH_WRITE_WAIT", "10", _whole(1), "Seconds that a write waits for others before the answer is 503."),
    Setting("PERCH_MAX_BODY", str(32 * 1024 * 1024), _whole(1), "Largest request body in bytes, Bulk included."),
    Setting(
        "PERCH_TRAFFIC", "errors", _choice("off", "errors", "all"),
        "Which requests are recorded for people to inspect; with errors, others leave a first line and a count.",
    ),
    Setting(
        "PERCH_TRAFFIC_KEEP", "10000", _whole(1),
        "Number of recorded requests that are kept at most; 500 more for callers without a valid key.",
    ),
    Setting("PERCH_TRAFFIC_DAYS", "7", _whole(1), "Days that recorded requests are kept at most."),
    Setting("PERCH_FUSE", "on", _switch, "Whether mass deactivation is held until an operator releases it."),
    Setting(
        "PERCH_FUSE_SHARE", "20", _whole(1, 100),
        "Percent of active users that may be deactivated or deleted within the window.",
    ),
    Setting("PERCH_FUSE_MINIMUM", "10", _whole(1), "The fuse never blows below this number of users."),
    Setting("PERCH_FUSE_MINUTES", "10", _whole(1, 1440), "The fuse's window in minutes."),
    Setting(
        "PERCH_FAILED_KEYS", "120", _whole(1),
        "Failed or missing keys, or sign-ins begun at the provider, per minute and address before the answer is 429.",
    ),
    Setting(
        "PERCH_KEY_RATE", "0", _whole(0, 10_000),
        "Requests per second of one key to one worker, four times as many in any 4 s; 0: any number.",
    ),
    Setting("PERCH_TOKEN_MINUTES", "60", _whole(5, 360), "Minutes that an access token of an OAuth client works."),
    Setting("PERCH_TRUSTED_PROXIES", "0", _whole(0, 16), "Number of proxies whose X-Forwarded-* are trusted."),
    Setting("PERCH_JOURNAL_DAYS", "365", _whole(1, 36500), "Days that journal entries are kept."),
    Setting("PERCH_EVENTS_DAYS", "30", _whole(1, 3650), "Days that events for applications are kept."),
    Setting(
        "PERCH_WEBHOOKS_ALLOW_PRIVATE", "off", _switch,
        "Whether webhooks may use private addresses and plain http.",
    ),
    Setting("PERCH_WEBHOOK_HOSTS", "", _hosts, "Hosts, separated by commas, that webhooks may use at any address."),
    Setting("PERCH_WEBHOOK_TIMEOUT", "10", _whole(1, 60), "Seconds until a request to a webhook times out."),
    Setting("PERCH_DISK_FREE", "100", _whole(0, 10**9), "MiB below which /readyz reports a full disk."),
    Setting(
        "PERCH_LOG_LEVEL", "info", _choice("debug", "info", "warning", "error"),
        "Lowest level that is logged; requests are info, those answered 5xx error.",
    ),
    Setting(
        "PERCH_LOG_FORMAT", "auto", _choice("auto", "json", "text"),
        "Format of the log; auto: text on a terminal, JSON elsewhere.",
    ),
    Setting("PERCH_LOG_PERSONAL", "off", _switch, "Whether the log contains clients' addresses and full URLs."),
    Setting(
        "PERCH_REPLICA", "", str,
        "URL of Litestream's replica; when set, Perch writes a heartbeat for followers every 5 s.",
    ),
    Setting("PERCH_FOLLOW", "off", _switch, "Whether this is a follower, which only reads; flask follow sets it."),
    Setting("PERCH_PRIMARY_URL", "", _origin, "Origin of the primary, which a follower names when it refuses a write."),
    Setting("PERCH_FOLLOW_MAX_AGE", "30", _whole(1), "Age in seconds beyond which a follower's /readyz is 503."),
    Setting("PERCH_FAULTS", "off", _switch, "Whether faults on demand may be planned, to test clients."),
)  # fmt: skip


class Settings(dict[str, Any]):
    """The settings by name; `given` holds the texts that are set, `files` the paths of those that come from files."""

    def __init__(self, values: Mapping[str, Any], given: Mapping[str, str], files: Mapping[str, str]) -> None:
        super().__init__(values)
        self.given = given
        self.files = files


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings; a variable that is missing or empty has its default.

    :raises WrongSetting: for a value that is not allowed, and for a file of a secret that cannot be used.
    """
    values, given = {}, {}
    files = {setting.name: path for setting in SETTINGS if (path := environment.get(setting.file_variable))}
    for setting in SETTINGS:
        text = _from_file(setting, environment) if setting.name in files else environment.get(setting.name)
        if text:
            given[setting.name] = text
        try:
            values[setting.name] = setting.read(text or setting.default)
        except ValueError as error:
            shown = setting.file_variable if setting.name in files else setting.name
            value = "" if setting.secret else f"={text!r}"
            raise WrongSetting(f"{shown}{value} {error}. {setting.help}") from None
    _check_sign_in(values)
    return Settings(values, given, files)


def _check_sign_in(values: Mapping[str, Any]) -> None:
    """Refuse settings by which nobody could sign in to the console."""
    needed = [f"PERCH_OIDC_{name}" for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "ADMINS")]
    missing = [name for name in needed if not values[name]]
    if missing and len(missing) < len(needed):
        raise WrongSetting(f"Set {', '.join(missing)}, too: a sign-in with an OpenID provider needs them.")
    if missing and not values["PERCH_CONSOLE_PASSWORD"]:
        raise WrongSetting(f"PERCH_CONSOLE_PASSWORD=off closes the console unless {', '.join(needed)} are set.")


def _from_file(setting: Setting, environment: Mapping[str, str]) -> str:
    """Return the secret in a file, without the line break at its end."""
    name, path = setting.file_variable, environment[setting.file_variable]
    if environment.get(setting.name):
        raise WrongSetting(f"{setting.name} and {name} are both set; set only one of them.")
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise WrongSetting(f"{name}: {path!r} cannot be read ({reason}).") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret or any(mark in secret for mark in "\n\r\0"):
        raise WrongSetting(f"{name}: {path!r} must contain the secret on one line, and nothing else.")
    return secret


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Return a warning for each unknown PERCH_* variable, which most likely is a typing error."""
    names = [name for setting in SETTINGS for name in (setting.name, setting.file_variable) if name]
    return [
        f"{name} is not a setting of Perch and is ignored{_hint(name, names)}"
        for name in sorted(environment)
        if name.startswith("PERCH_") and name not in names and name not in OF_OTHERS
    ]


def _hint(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]}?" if near else "."


def described(settings: Settings) -> list[dict[str, str]]:
    """Return name, value as text, source, default, allowed values and help of each setting."""
    return [
        {
            "name": setting.name,
            "value": _shown(setting, settings.given.get(setting.name, setting.default)),
            "source": _source(setting, settings),
            "default": setting.default,
            "takes": _takes(setting),
            "help": _help(setting),
        }
        for setting in SETTINGS
    ]


def _help(setting: Setting) -> str:
    return f"{setting.help} Or name a file with it in {setting.file_variable}." if setting.secret else setting.help


def _source(setting: Setting, settings: Settings) -> str:
    if setting.name in settings.files:
        return "file"
    return "environment" if setting.name in settings.given else "default"


def _takes(setting: Setting) -> str:
    """Return the allowed values, from the error message of a value that no setting allows."""
    try:
        setting.read("\0")
    except ValueError as error:
        return str(error).removeprefix("must be ")
    return "text"


def _shown(setting: Setting, text: str) -> str:
    return "(hidden)" if setting.secret and text else text
