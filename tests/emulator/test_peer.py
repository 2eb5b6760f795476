"""The players against servers that were not written here: golden reports of what providers need and these lack.

scim2-server is a development package; django-scim2 is tested where it is installed.
`python -m tests.emulator.test_peer` rewrites the reports.
"""

import random
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from scim.emulator.checks import ENTRA_STEPS, PROFILES, STEPS
from scim.emulator.client import ScimClient
from scim.emulator.dialects import CUSTOM, ENTRA, OIN, PROVIDERS, RFC
from scim.emulator.report import ResultTable, in_words
from scim.emulator.runner import PASSED, CheckStep, TestRun, clean_up, run_checks
from scim.emulator.wsgi_adapter import wsgi_session

GOLDEN = Path(__file__).parents[1] / "golden" / "okta-peer"
ORIGIN = "http://peer.example"
SUITES: dict[str, tuple[str, Sequence[CheckStep]]] = {
    "custom": (CUSTOM, STEPS),
    "oin": (OIN, STEPS),
    "entra": (ENTRA, ENTRA_STEPS),
    "interop": (RFC, PROFILES["interop"]),
    "ipsie": (RFC, PROFILES["ipsie"][1:]),
}
ROLES = ["managed:inbox_agent", "managed:admin"]
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.]+(?:Z|[+-]\d\d:\d\d)?")


def scim2_server() -> Any:
    from scim2_server.memory import InMemoryStorage
    from scim2_server.testserver.application import BearerTokenApplication
    from scim2_server.utils import load_default_provider

    return BearerTokenApplication(InMemoryStorage(), load_default_provider(), bearer_tokens=["k"])


def django_scim2() -> Any:
    from tests.support.django_peer import application

    return application()


# Each with the package that it needs and the path of its base URL.
PEERS = {
    "scim2-server": (scim2_server, "scim2_server", "/v2"),
    "django-scim2": (django_scim2, "django_scim", "/scim/v2"),
}
CASES = [*(("scim2-server", suite) for suite in SUITES), ("django-scim2", "entra"), ("django-scim2", "interop")]


def golden(peer: str, suite: str) -> Path:
    return GOLDEN / f"{peer}-{suite}.txt"


def report_of(peer: str, suite: str) -> str:
    """The rows of all checks that did not pass, without random parts."""
    dialect, steps = SUITES[suite]
    make, _, path = PEERS[peer]
    client = ScimClient(ORIGIN + path, "k", wsgi_session(make(), ORIGIN), dialect)
    run = TestRun(client, dialect, ROLES, sleep=lambda seconds: None)
    run.tag, run.random = "0a1b2c3d", random.Random(7)
    lines: list[str] = []
    table = ResultTable(lines.append, "utf-8", PROVIDERS[dialect])
    with patch("scim.emulator.checks.gallery.datetime"):
        results = list(run_checks(run, steps))
    for result in results:
        if result.outcome != PASSED:
            table.show(result)
    ids = [identifier for created in run.created.values() for identifier in created]
    clean_up(run)
    text = "\n".join([*lines, "", in_words(results)]).replace(run.tag, "TAG")
    for identifier in sorted(ids, key=len, reverse=True):
        text = re.sub(rf"(?<![\w-]){re.escape(identifier)}(?![\w-])", "ID", text) if len(identifier) > 9 else text
    text = TIME.sub("TIME", UUID.sub("UUID", text.replace(run.tag.swapcase(), "TAG")))
    return "\n".join(re.sub(r"(?<=\S) {2,}", "  ", line) for line in text.strip().split("\n")) + "\n"


@pytest.mark.parametrize(("peer", "suite"), CASES)
def test_the_report_of_the_other_server_is_the_golden_one(peer: str, suite: str) -> None:
    pytest.importorskip(PEERS[peer][1])
    assert report_of(peer, suite) == golden(peer, suite).read_text(encoding="utf-8")


if __name__ == "__main__":
    for each in CASES:
        if find_spec(PEERS[each[0]][1]):
            golden(*each).write_text(report_of(*each), encoding="utf-8")
