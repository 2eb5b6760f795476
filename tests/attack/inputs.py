"""One input of the campaign: a request with placeholders, which can be written to a file and sent again."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

PLACE = re.compile(r"\{([A-Z]+)(?::(\w+))?\}")
LIVE_KEYS = ("okta", "entra", "generic", "create", "strict", "read")
KNOWN = (*(f"{{KEY:{name}}}" for name in LIVE_KEYS), "{BASIC}", "{COOKIE}")
SIGNED_IN = (("Cookie", "{COOKIE}"),)


@dataclass(frozen=True, slots=True)
class Input:
    """A request; with `raw`, its body is all that goes to the socket.

    `{USER:3}`, `{GROUP:3}`, `{CANARY:3}`, `{TEAM:3}`, `{KEY:okta}`, `{KEYID:0}`, `{HOOK:0}`, `{ENTRY:0}`, `{BASE}`,
    `{COOKIE}`, `{TOKEN}`, `{CURSOR}` (of events) and `{PAGE}` (of lists) stand for values of the server, also in the
    body, whose text is one Latin-1 character per byte. The client hangs up after `patience` seconds; 0 means that an
    answer must come. `forbidden` marks a request that must not succeed.
    """

    kind: str
    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    raw: bool = False
    patience: float = 0.0
    forbidden: bool = False
    number: int = 0

    def filled(self, value: Callable[[str, str], str]) -> "Input":
        """Return the request with the server's values for all placeholders."""

        def fill(text: str) -> str:
            return PLACE.sub(lambda found: value(found[1], found[2] or ""), text)

        headers = tuple((name, fill(text)) for name, text in self.headers)
        body = None if self.body is None else fill(self.body)
        return replace(self, target=fill(self.target), headers=headers, body=body)

    @property
    def data(self) -> bytes:
        """The body as bytes."""
        return (self.body or "").encode("latin-1")

    @property
    def anonymous(self) -> bool:
        """Whether no valid key or session comes with the request."""
        text = str(self.headers) + (self.body or "" if self.raw else "")
        return not any(mark in text for mark in KNOWN)

    def to_json(self) -> dict[str, Any]:
        """Return a document for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Input":
        """Read what `to_json` returned."""
        return cls(**{**document, "headers": tuple((name, text) for name, text in document["headers"])})


def json_body(document: Any) -> str:
    """Return a document as the text of a body."""
    return json.dumps(document).encode().decode("latin-1")
