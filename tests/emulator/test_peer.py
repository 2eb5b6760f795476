"""The emulator against the peer scim2-server: what Okta needs beyond the RFC, and this server does not do.

`python -m tests.emulator.test_peer` writes the golden reports anew.
"""

import re
from pathlib import Path

import pytest
from scim2_server.memory import InMemoryStorage
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.utils import load_default_provider

from scim.emulator.checks import STEPS
from scim.emulator.client import OktaClient
from scim.emulator.in_process import session_into
from scim.emulator.report import Table, in_words
from scim.emulator.test_run import PASSED, Play, clean_up, perform

GOLDEN = Path(__file__).parents[1] / "golden" / "okta-peer"
DIALECTS = ("custom", "oin")


def golden(dialect: str) -> Path:
    return GOLDEN / f"scim2-server-{dialect}.txt"


def report_of(dialect: str) -> str:
    """The rows of all that did not pass, without what differs from run to run."""
    peer = BearerTokenApplication(InMemoryStorage(), load_default_provider(), bearer_tokens=["k"])
    client = OktaClient("http://peer.example/v2", "k", session_into(peer, "http://peer.example"))
    play = Play(client, dialect, ["managed:inbox_agent", "managed:admin"])
    lines: list[str] = []
    table = Table(lines.append, "utf-8")
    results = perform(play, STEPS)
    for result in results:
        if result.outcome != PASSED:
            table.show(result)
    ids = [*play.users, *play.groups]
    assert clean_up(play) == []
    text = "\n".join([*lines, "", in_words(results)]).replace(play.mark, "MARK")
    for identifier in ids:
        text = text.replace(identifier, "ID")
    return "\n".join(re.sub(r"(?<=\S) {2,}", "  ", line) for line in text.strip().split("\n")) + "\n"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_peer_fails_where_it_is_known_to(dialect: str) -> None:
    assert report_of(dialect) == golden(dialect).read_text(encoding="utf-8")


if __name__ == "__main__":
    for each in DIALECTS:
        golden(each).write_text(report_of(each), encoding="utf-8")
