"""Entra's first request and its rate of requests."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from scim.emulator import expect
from scim.emulator.client import Reply
from scim.emulator.dialects import ENTRA
from scim.emulator.runner import CheckFailed, CheckStep, TestRun

CONNECTION = CheckStep("connection", "Entra: Test Connection", dialects=[ENTRA])
STEP = CheckStep("limits", "Entra: rate of requests", dialects=[ENTRA])
REQUESTS, SECONDS = 100, 4


CONNECTION.row("test_connection", "a random userName is looked up", "200, totalResults 0, Resources: []",
               "Test Connection fails; the credentials cannot be saved.",
               "Fact: Entra asks for a random GUID; an error is none.",
               lambda run: expect.empty_list(run.find_user(str(uuid.uuid4()))))  # fmt: skip


@STEP.check("100 requests in 4 seconds", "neither 429 nor 5xx", "Provisioning is slower than the gallery asks.",
            "Fact: the gallery asks for 25 requests per second and tenant without 429.")  # fmt: skip
def rate(run: TestRun) -> str:
    if run.throttled:
        run.sleep(SECONDS)  # what came before counts against the server's limit
    start = time.monotonic()

    def send(number: int) -> Reply:
        run.sleep(max(start + number * SECONDS / REQUESTS - time.monotonic(), 0))
        return run.client.send("GET", "/Users", {"startIndex": 1, "count": 1})

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(send, range(REQUESTS)))
    run.last = replies[0]
    refused = [reply for reply in replies if reply.status == 429 or not 0 < reply.status < 500]
    if refused:
        run.last = refused[0]
        raise CheckFailed(f"{len(refused)} of {REQUESTS}: {refused[0].status} {refused[0].detail}".strip())
    return f"{REQUESTS} answers"
