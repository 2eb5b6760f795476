"""The settings of a deployment: one declaration with default, unit and help for each environment variable."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = "0.1.0"
# What clients of a deployment and its backup are told by; the server does not know them.
OF_OTHERS = ("PERCH_BASE_URL", "PERCH_KEY", "PERCH_REPLICA")


class WrongSetting(ValueError):
    """A setting has a value that Perch cannot work with; the message names it and says what to write."""


@dataclass(frozen=True, slots=True)
class Setting:
    """An environment variable: its default as text, how text becomes a value, and help for operators.

    The value of a `secret` one is never shown.
    """

    name: str
    default: str
    read: Callable[[str], Any]
    help: str
    secret: bool = False


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


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError("must be a whole number above 0")
    return int(text)


def _between(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

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
        raise ValueError("must be host names such as app.example.com, with commas between, without schemes and ports")
    return frozenset(hosts)


SETTINGS = (
    Setting("PERCH_DATABASE", "perch.db", str, "Path of the SQLite file; a missing one is created."),
    Setting("PERCH_WORKSPACE", "", _workspace, "Workspace id in the base URL; empty: made at first start, kept."),
    Setting("PERCH_PUBLIC_URL", "", _origin, "Origin that clients reach Perch at; empty: taken from each request."),
    Setting("PERCH_ADMIN_PASSWORD", "", str, "Console password; empty: the one that flask init made.", secret=True),
    Setting(
        "PERCH_UNKNOWN_ROLES", "reject", _choice("reject", "create", "ignore"),
        "What to do with role slugs that the catalogue lacks.",
    ),
    Setting("PERCH_WRITE_WAIT", "10", _whole, "Seconds a write waits for its turn before the answer is 503."),
    Setting("PERCH_MAX_BODY", str(32 * 1024 * 1024), _whole, "Largest request body in bytes; also bulk's limit."),
    Setting(
        "PERCH_TRAFFIC", "errors", _choice("off", "errors", "all"),
        "Which requests are kept for people to look at.",
    ),
    Setting("PERCH_TRAFFIC_KEEP", "10000", _whole, "How many requests of the traffic are kept at most."),
    Setting("PERCH_TRAFFIC_DAYS", "7", _whole, "For how many days requests of the traffic are kept at most."),
    Setting("PERCH_FUSE", "on", _switch, "Whether mass deactivation is held until released."),
    Setting("PERCH_FUSE_SHARE", "20", _between(1, 100), "Percent of the active users that may go within the window."),
    Setting("PERCH_FUSE_MINIMUM", "10", _whole, "The fuse lets fewer people than this go in any directory."),
    Setting("PERCH_FUSE_MINUTES", "10", _between(1, 1440), "The fuse's window in minutes."),
    Setting("PERCH_FAILED_KEYS", "120", _whole, "Failed access keys per minute and address before the answer is 429."),
    Setting("PERCH_TRUSTED_PROXIES", "0", _between(0, 16), "How many proxies' X-Forwarded-* headers are believed."),
    Setting("PERCH_JOURNAL_DAYS", "365", _between(1, 36500), "Days that journal entries are kept."),
    Setting("PERCH_EVENTS_DAYS", "30", _between(1, 3650), "Days that events for applications are kept."),
    Setting(
        "PERCH_WEBHOOKS_ALLOW_PRIVATE", "off", _switch,
        "Whether webhooks may lead to private addresses and use plain http.",
    ),
    Setting("PERCH_WEBHOOK_HOSTS", "", _hosts, "Hosts, commas between, that webhooks may lead to wherever they are."),
    Setting("PERCH_WEBHOOK_TIMEOUT", "10", _between(1, 60), "Seconds in which a webhook must be answered."),
    Setting("PERCH_DISK_FREE", "100", _between(0, 10**9), "MiB that must be free beside the file for /readyz."),
    Setting(
        "PERCH_LOG_LEVEL", "info", _choice("debug", "info", "warning", "error"),
        "The least that is logged; requests are info, failed ones (5xx) error.",
    ),
    Setting(
        "PERCH_LOG_FORMAT", "auto", _choice("auto", "json", "text"),
        "How the log is written; auto: text for people on a terminal, JSON elsewhere.",
    ),
    Setting("PERCH_LOG_PERSONAL", "off", _switch, "Whether the log names addresses and whole URLs of requests."),
    Setting("PERCH_FAULTS", "off", _switch, "Whether faults on demand may be set, for tests of clients."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, by their names in the environment; `given` has the texts that are not defaults."""

    values: Mapping[str, Any]
    given: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings in force, defaults for what the environment leaves out or empty.

    :raises WrongSetting: naming the variable and what it takes.
    """
    values = {}
    for setting in SETTINGS:
        text = environment.get(setting.name) or setting.default
        try:
            values[setting.name] = setting.read(text)
        except ValueError as error:
            raise WrongSetting(f"{setting.name}={text!r} {error}. {setting.help}") from None
    given = {setting.name: environment[setting.name] for setting in SETTINGS if environment.get(setting.name)}
    return Settings(values, given)


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Return a line for each PERCH_* variable that Perch does not know: most likely a typing error."""
    names = [setting.name for setting in SETTINGS]
    return [
        f"{name} is no setting of Perch and is ignored{_hint(name, names)}"
        for name in sorted(environment)
        if name.startswith("PERCH_") and name not in names and name not in OF_OTHERS
    ]


def _hint(name: str, names: list[str]) -> str:
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]}?" if near else "."


def described(settings: Settings) -> list[dict[str, str]]:
    """Return each setting with its value as text, where that comes from, its default, what it takes and its help."""
    return [
        {
            "name": setting.name,
            "value": _shown(setting, settings.given.get(setting.name, setting.default)),
            "source": "environment" if setting.name in settings.given else "default",
            "default": setting.default,
            "takes": _takes(setting),
            "help": setting.help,
        }
        for setting in SETTINGS
    ]


def _takes(setting: Setting) -> str:
    """Return what a setting takes, in the words that refuse anything else."""
    try:
        setting.read("\0")
    except ValueError as error:
        return str(error).removeprefix("must be ")
    return "text"


def _shown(setting: Setting, text: str) -> str:
    return "(hidden)" if setting.secret and text else text
