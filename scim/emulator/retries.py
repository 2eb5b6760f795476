"""How Okta waits: 429 with Retry-After in whole seconds, else five minutes doubling; a few tries after a 500."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from scim.emulator.client import UNREACHABLE, Exchange, Sender

BACKOFF_SECONDS = 300
TRIES = 10
FAILURE_TRIES = 4
FAILURE_SECONDS = 2


class Patient:
    """Sends as Okta does when a server is busy or fails; `scale` shortens every wait, for tests."""

    def __init__(
        self,
        sender: Sender,
        sleep: Callable[[float], None] = time.sleep,
        scale: float = 1.0,
        notice: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.sender = sender
        self.sleep = sleep
        self.scale = scale
        self.notice = notice
        self.sent = 0

    def send(
        self,
        method: str,
        path: str,
        query: Mapping[str, object] | None = None,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Exchange:
        """Send until the server answers with something else than 429, 5xx or silence, or the tries are used up."""
        busy = failed = 0
        while True:
            exchange = self.sender.send(method, path, query, body, headers)
            self.sent += 1
            if exchange.status == 429 and busy < TRIES - 1:
                seconds = retry_after(exchange) or BACKOFF_SECONDS * 2**busy
                busy += 1
            elif (exchange.status >= 500 or exchange.status == UNREACHABLE) and failed < FAILURE_TRIES - 1:
                seconds = FAILURE_SECONDS * 2**failed
                failed += 1
            else:
                return exchange
            self._wait(exchange, seconds)

    def _wait(self, exchange: Exchange, seconds: int) -> None:
        told = f"{exchange.status or ''} {exchange.detail}".strip()
        self.notice(f"{exchange.request}: {told}; waiting {seconds} s as Okta would.")
        self.sleep(seconds * self.scale)


def retry_after(exchange: Exchange) -> int | None:
    """Return the seconds to wait (RFC 9110 section 10.2.3); None for a date or anything else, which Okta ignores."""
    text = next((value for name, value in exchange.headers.items() if name.lower() == "retry-after"), "").strip()
    return int(text) if text.isdecimal() and text.isascii() else None
