"""A profile of SCIM as a step: each of its clauses is a check, and some cannot be judged from outside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scim.emulator import expect
from scim.emulator.bodies import Document
from scim.emulator.checks.common import discovered
from scim.emulator.client import Reply
from scim.emulator.runner import AnyCheck, CheckStep, NotJudged, TestRun


@dataclass(slots=True)
class Profile(CheckStep):
    """The clauses of a draft, by its numbers of sections."""

    draft: str = ""

    def must(
        self, number: str, name: str, title: str, expected: str, otherwise: str, *, level: str = "MUST", **options: Any
    ) -> Callable[[AnyCheck], AnyCheck]:
        """Return a decorator for one clause; a failed SHOULD is a warning."""
        texts = (f"{number} {title}", expected, otherwise, f"{self.draft} section {number}: {level}.")
        return self.check(*texts, f"{number}-{name}", warning=level == "SHOULD", **options)

    def should(self, *texts: str) -> Callable[[AnyCheck], AnyCheck]:
        """Return a decorator for one clause whose failure is a warning."""
        return self.must(*texts, level="SHOULD")

    def unseen(self, number: str, name: str, title: str, reason: str) -> None:
        """Add a clause of which nobody can tell from outside whether it is kept."""

        def tell(run: TestRun) -> None:
            raise NotJudged(reason)

        self.must(number, name, title, "", reason)(tell)


def config(run: TestRun) -> Document:
    """Return the ServiceProviderConfig."""
    return expect.document(discovered(run, "/ServiceProviderConfig"), 200)


def refused(reply: Reply, status: int, scim_type: str) -> None:
    """Expect a SCIM error with a scimType."""
    expect.that(not reply.ok, f"{reply.status}: it was accepted")
    expect.error(reply, status, scim_type)
