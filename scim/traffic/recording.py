"""A request under a base URL while it is recorded."""

import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from schemas import tolerances
from schemas.tolerances import Tolerance, UsedTolerances
from scim.traffic.summaries import below_base
from storage.keys import NO_PROFILE, Key

SCIM_PATH = re.compile(r"/[^/]+/scim/v2(/|$)")
# A provider asks for such a path when its base URL lacks a part, most often the workspace's id or /scim/v2.
STRAY_PATH = re.compile(
    r"/(?!console/)(.*/)?(scim|Users|Groups|Roles|Schemas|ResourceTypes|ServiceProviderConfig)(/|$)"
)
LONGEST_SHOWN = 200
REPLAY = "perch.replay"
# To a key that gets roles as strings, /Schemas describes them as strings.
ROLE_STRINGS = frozenset({(Tolerance.BARE_VALUE, "roles")})


def is_scim(path: str) -> bool:
    """Tell whether a path lies under the base URL of a workspace."""
    return SCIM_PATH.match(path) is not None


def is_stray(path: str) -> bool:
    """Tell whether a path outside of base URLs looks like SCIM."""
    return STRAY_PATH.match(path[:LONGEST_SHOWN]) is not None


class Replay(NamedTuple):
    """The mark of a request that replays an entry inside this process, with the rights of a key (no header sets it)."""

    seq: int
    key: Key


@dataclass(slots=True)
class Recording:
    """A request while it is served, and afterwards all that the batch writer needs.

    `started` is of `time.perf_counter`, `at` in seconds since 1970, `duration` in milliseconds; `dropped` says that a
    fault closed the connection, `keep` that the request itself is kept and not only its quirks, `admitted` that its key
    allows it; `brief` that only its first line is kept; `dead_key` is a key that is no longer live; `location`
    is that of what the request made.
    """

    started: float
    used: UsedTolerances
    token: Any
    replay: Replay | None
    request_id: str
    at: float = 0.0
    key: Key | None = None
    dead_key: Key | None = None
    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    fault: str | None = None
    dropped: bool = False
    status: int = 0
    duration: float = 0.0
    body: bytes = b""
    body_size: int = 0
    answer: bytes = b""
    answer_size: int = 0
    location: str = ""
    keep: bool = False
    brief: bool = False
    admitted: bool = False

    def admit(self, key: Key, path: str, identifier: str = "") -> None:
        """Note the key of the request; from here on a strict key's tolerances are refused.

        `identifier` is that of the resource in the path: the slash at the end of a role's slug is no trailing one.
        """
        self.key = key
        self.used.profile = key.profile != NO_PROFILE
        self.used.strict = bool(key.strict) or self.used.profile
        if key.rolesAs == "strings":
            self.used.expected = ROLE_STRINGS
        # The base URL itself may end with a slash: there the root of the server is searched.
        if path.endswith("/") and not identifier.endswith("/") and (below := below_base(path)) != "/":
            tolerances.note(Tolerance.TRAILING_SLASH, below)

    def stop(self) -> None:
        """Stop collecting tolerances; a second call does nothing."""
        if self.token is not None:
            tolerances.stop(self.token)
            self.token = None
