"""What the checks of the profiles share: how a clause becomes a row, and what several rows read."""

from collections.abc import Callable

from scim.emulator import expect
from scim.emulator.bodies import Document
from scim.emulator.client import Reply
from scim.emulator.runner import CheckFailed, CheckFunction, CheckStep, NotJudged, TestRun

Register = Callable[[CheckFunction], CheckFunction]


def clause(
    step: CheckStep, draft: str, number: str, name: str, title: str, expected: str, otherwise: str, should: bool = False
) -> Register:
    """Return a decorator for one clause: a MUST, or a SHOULD, whose failure is a warning."""
    level = "SHOULD" if should else "MUST"
    source = f"{draft} section {number}: {level}."
    return step.check(f"{number} {title}", expected, otherwise, source, warning=should, name=f"{number}-{name}")


def not_judged(step: CheckStep, draft: str, number: str, name: str, title: str, reason: str) -> None:
    """Add a clause of which nobody can tell from outside whether it is kept."""

    def tell(run: TestRun) -> None:
        raise NotJudged(reason)

    clause(step, draft, number, name, title, "", reason)(tell)


def config(run: TestRun) -> Document:
    """Return the ServiceProviderConfig."""
    return expect.document(run.cached("config", lambda: run.get("/ServiceProviderConfig")), 200)


def refused(reply: Reply, status: int, scim_type: str) -> None:
    """Expect a SCIM error with a scimType."""
    if reply.ok:
        raise CheckFailed(f"{reply.status}: it was accepted")
    expect.error(reply, status)
    expect.values(expect.document(reply), {"scimType": scim_type})


def resource_types(run: TestRun) -> list[Document]:
    """Return the resource types."""
    return expect.resources(run.cached("types", lambda: run.get("/ResourceTypes")))
