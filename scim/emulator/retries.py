"""Okta's retries: 429 after `Retry-After` or five minutes doubling, 5xx and no reply after seconds doubling."""

import time
from collections.abc import Callable
from typing import Any

from scim.emulator.client import UNREACHABLE, ProvisioningClient, Query, Reply

BUSY_TRIES, BUSY_SECONDS = 10, 300
FAILED_TRIES, FAILED_SECONDS = 4, 2


class RetryingClient:
    """Repeats requests as Okta does when a server is busy or fails; `requests` counts all that were sent."""

    def __init__(
        self,
        client: ProvisioningClient,
        sleep: Callable[[float], None] = time.sleep,
        notify: Callable[[str], None] = lambda message: None,
        provider: str = "Okta",
    ) -> None:
        self.provider = provider
        self.client = client
        self.sleep = sleep
        self.notify = notify
        self.requests = 0

    def send(self, method: str, path: str, query: Query | None = None, body: Any = None) -> Reply:
        """Send until the reply is neither 429 nor 5xx nor missing, or all tries are used."""
        busy = failed = 0
        while True:
            reply = self.client.send(method, path, query, body)
            self.requests += 1
            if reply.status == 429 and busy < BUSY_TRIES - 1:
                seconds = retry_after(reply) or BUSY_SECONDS * 2**busy
                busy += 1
            elif (reply.status >= 500 or reply.status == UNREACHABLE) and failed < FAILED_TRIES - 1:
                seconds = FAILED_SECONDS * 2**failed
                failed += 1
            else:
                return reply
            cause = f"{reply.status or ''} {reply.detail}".strip()
            self.notify(f"{reply.request}: {cause}; waiting {seconds} s as {self.provider} would.")
            self.sleep(seconds)


def retry_after(reply: Reply) -> int | None:
    """Return `Retry-After` in seconds (RFC 9110 section 10.2.3); None for a date, which Okta ignores."""
    text = next((value for name, value in reply.headers.items() if name.lower() == "retry-after"), "").strip()
    return int(text) if text.isdecimal() and text.isascii() else None
