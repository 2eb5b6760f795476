"""How many requests each access key may send (PERCH_KEY_RATE), told in draft-ietf-httpapi-ratelimit-headers-10."""

import math
import threading
import time
from collections import deque
from typing import NamedTuple

from flask import Response

from schemas.errors import TooManyRequests
from storage.keys import IPSIE, Key

WINDOW_SECONDS = 4
IPSIE_RATE = 100


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
    """Counts the requests of each key in this process: in any four seconds at most four times `rate`; 0: any number.

    A key of the IPSIE profile, which demands a limit, has one of IPSIE_RATE then.
    """

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        # The instants of the last requests of each key, the oldest first.
        self._times: dict[str, deque[float]] = {}

    def rate(self, key: Key) -> int:
        """Return how many requests per second a key may send, 0 for any number."""
        return self._rate or (IPSIE_RATE if key.profile == IPSIE else 0)

    def take(self, key: Key) -> tuple[bool, Quota]:
        """Count a request unless the key has none left; return whether it is admitted, and what is left."""
        now, most = time.monotonic(), self.rate(key) * WINDOW_SECONDS
        with self._lock:
            times = self._times.setdefault(key.id, deque())
            while times and times[0] <= now - WINDOW_SECONDS:
                times.popleft()
            admitted = len(times) < most
            if admitted:
                times.append(now)
            return admitted, Quota(most, most - len(times), max(1, math.ceil(times[0] + WINDOW_SECONDS - now)))

    def refusal(self, key: Key, quota: Quota) -> TooManyRequests:
        """Return the error for a key that has no request left."""
        return TooManyRequests(
            f"The access key '{key.name}' sent more than {self.rate(key)} requests per second (PERCH_KEY_RATE); send "
            f"the request again in {quota.seconds} s.",
            quota.seconds,
        )
