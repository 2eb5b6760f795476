"""A busy or failing server is tried again after the waits that Okta keeps."""

from typing import Any

import pytest

from scim.emulator.client import Reply
from scim.emulator.retries import RetryingClient, retry_after


class ScriptedClient:
    """Returns one reply after the other, then the last one again and again."""

    def __init__(self, *replies: tuple[int, dict[str, str]]) -> None:
        self.replies = list(replies)
        self.sent = 0

    def send(self, method: str, path: str, *_: Any) -> Reply:
        status, headers = self.replies[min(self.sent, len(self.replies) - 1)]
        self.sent += 1
        return Reply(f"{method} {path}", status, "", headers)


BUSY, OK = (429, dict[str, str]()), (200, dict[str, str]())


@pytest.mark.parametrize(
    ("replies", "waits", "status"),
    [
        ([OK], [], 200),
        ([(429, {"Retry-After": "7"}), OK], [7], 200),
        ([(429, {"retry-after": " 1 "}), OK], [1], 200),
        ([(429, {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), OK], [300], 200),
        ([(429, {"Retry-After": "1.5"}), BUSY, (429, {"Retry-After": "4"}), OK], [300, 600, 4], 200),
        ([BUSY], [300 * 2**number for number in range(9)], 429),
        ([(500, {}), (503, {}), OK], [2, 4], 200),
        ([(500, {})], [2, 4, 8], 500),
        ([(0, {})], [2, 4, 8], 0),
        ([(409, {})], [], 409),
    ],
)
def test_waits_between_tries(replies: list[tuple[int, dict[str, str]]], waits: list[int], status: int) -> None:
    slept: list[float] = []
    client = RetryingClient(ScriptedClient(*replies), sleep=slept.append)
    assert client.send("GET", "/Users").status == status
    assert slept == waits
    assert client.requests == len(waits) + 1


def test_each_wait_is_reported() -> None:
    messages: list[str] = []
    replies = ScriptedClient((429, {"Retry-After": "10"}), OK)
    RetryingClient(replies, sleep=lambda seconds: None, notify=messages.append).send("GET", "/Users")
    assert messages == ["GET /Users: 429; waiting 10 s as Okta would."]


def test_retry_after_in_other_digits_is_ignored() -> None:
    assert retry_after(Reply("GET /", 429, "", {"Retry-After": "²"})) is None
