"""The settings of a deployment: one declaration with default, unit and help for each environment variable."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class WrongSetting(ValueError):
    """A setting has a value that Perch cannot work with; the message names it and says what to write."""


@dataclass(frozen=True, slots=True)
class Setting:
    """An environment variable: its default as text, how text becomes a value, and help for operators."""

    name: str
    default: str
    read: Callable[[str], Any]
    help: str


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
    return text


def _origin(text: str) -> str:
    if text and not re.fullmatch(r"https?://[^/\s?#]+/?", text):
        raise ValueError("must be an origin such as https://perch.example.com, without a path")
    return text.rstrip("/")


SETTINGS = (
    Setting("PERCH_DATABASE", "perch.db", str, "Path of the SQLite file; a missing one is created."),
    Setting("PERCH_WORKSPACE", "", _workspace, "Workspace id in the base URL; empty: made at first start, kept."),
    Setting("PERCH_PUBLIC_URL", "", _origin, "Origin that clients reach Perch at; empty: taken from each request."),
    Setting("PERCH_ADMIN_PASSWORD", "", str, "Console password; empty: the one that flask init made."),
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
    Setting("PERCH_FAULTS", "off", _switch, "Whether faults on demand may be set, for tests of clients."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force, by their names in the environment."""

    values: Mapping[str, Any]

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
    return Settings(values)
