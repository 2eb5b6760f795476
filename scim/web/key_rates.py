"""How many requests each access key may send (PERCH_KEY_RATE), told in draft-ietf-httpapi-ratelimit-headers-10."""

import math
import threading
import time
from collections import deque
from typing import NamedTuple

from flask import Response

from schemas.errors import TooManyRequests

WINDOW_SECONDS = 4


class Quota(NamedTuple):
    """What is left of a key's requests: how many of how many, and in how many seconds there are more."""

    most: int
    left: int
    seconds: int

    def tell(self, response: Response) -> None:
        """Add the headers RateLimit-Policy and RateLimit."""
        response.headers["RateLimit-Policy"] = f'"key";q={self.most};w={WINDOW_SECONDS}'
        response.headers["RateLimit"] = f'"key";r={self.left};t={self.seconds}'


class KeyRates:
    """Counts the requests of each key in this process: in any four seconds at most four times `rate`; 0: any number."""

    def __init__(self, rate: int) -> None:
        self.rate = rate
        self._most = rate * WINDOW_SECONDS
        self._lock = threading.Lock()
        # The instants of the last requests of each key, the oldest first.
        self._times: dict[str, deque[float]] = {}

    def take(self, key: str) -> tuple[bool, Quota]:
        """Count a request unless the key has none left; return whether it is admitted, and what is left."""
        now = time.monotonic()
        with self._lock:
            times = self._times.setdefault(key, deque())
            while times and times[0] <= now - WINDOW_SECONDS:
                times.popleft()
            admitted = len(times) < self._most
            if admitted:
                times.append(now)
            return admitted, Quota(
                self._most, self._most - len(times), max(1, math.ceil(times[0] + WINDOW_SECONDS - now))
            )

    def refusal(self, name: str, quota: Quota) -> TooManyRequests:
        """Return the error for a key that has no request left."""
        return TooManyRequests(
            f"The access key '{name}' sent more than {self.rate} requests per second (PERCH_KEY_RATE); send the "
            f"request again in {quota.seconds} s.",
            quota.seconds,
        )
