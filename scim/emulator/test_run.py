"""The emulator's stage: checks in steps, one run against one server, what became of each check."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from scim.emulator import bodies
from scim.emulator.bodies import Document
from scim.emulator.client import UNREACHABLE, Exchange, OktaClient
from scim.emulator.flows import APPS, Flows, Refused

PASSED, FAILED, WARNED, SKIPPED = "passed", "failed", "warning", "skipped"
T = TypeVar("T")


class Broken(Exception):
    """What was expected does not hold; the message is what was got."""


class Skipped(Exception):
    """A check cannot be made; the message says why."""


class Unreachable(Exception):
    """The server does not answer at all."""


Run = Callable[["Play"], str | None]


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation of Okta: what it does when it is not met, and which sentence or fact asks for it."""

    id: str
    title: str
    expected: str
    otherwise: str
    source: str
    run: Run
    apps: Sequence[str] = APPS
    warning: bool = False


@dataclass(slots=True)
class Step:
    """A stretch of Okta's work, and the table of its checks in the order in which they are made."""

    name: str
    title: str
    checks: list[Check] = field(default_factory=list)

    def check(
        self,
        title: str,
        expected: str,
        otherwise: str,
        source: str,
        apps: Sequence[str] = APPS,
        warning: bool = False,
    ) -> Callable[[Run], Run]:
        """Enter a function in the table; its name becomes the check's id within the step."""

        def enter(run: Run) -> Run:
            name = getattr(run, "__name__", "check")
            self.checks.append(Check(f"{self.name}.{name}", title, expected, otherwise, source, run, apps, warning))
            return run

        return enter


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a check; `otherwise` and `source` are filled where it failed."""

    id: str
    step: str
    title: str
    request: str
    expected: str
    got: str
    outcome: str
    otherwise: str = ""
    source: str = ""

    def as_json(self) -> dict[str, str]:
        """Return it for people's scripts."""
        return asdict(self)


class Play:
    """One run: the client, what was created, and what checks of a step share."""

    def __init__(self, client: OktaClient, app: str = "custom", roles: Sequence[str] = ()) -> None:
        self.client = client
        self.app = app
        self.roles = list(roles)
        self.mark = secrets.token_hex(4)
        self.last: Exchange | None = None
        self.users: list[str] = []
        self.groups: list[str] = []
        self._shared: dict[str, Any] = {}

    def send(self, method: str, path: str, **more: Any) -> Exchange:
        """Send a request; the table shows the last one of each check."""
        self.last = exchange = self.client.send(method, path, **more)
        if exchange.status == UNREACHABLE:
            raise Unreachable(exchange.text)
        if method == "POST" and path in ("/Users", "/Groups") and exchange.ok:
            created = exchange.document.get("id") if isinstance(exchange.document, dict) else None
            kept = self.users if path == "/Users" else self.groups
            if created is not None and str(created) not in kept:
                kept.append(str(created))
        return exchange

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what checks share, made by the first that asks; later ones show the same request."""
        if name not in self._shared:
            self.last = None
            self._shared[name] = (make(), self.last)
        made, self.last = self._shared[name]
        return made  # type: ignore[no-any-return]

    def name(self, what: str) -> str:
        """Return a userName that nobody has and that says where it comes from; it has capitals to be kept."""
        return f"Okta-Test.{self.mark}.{what}@example.com"

    def group_name(self, what: str) -> str:
        """Return a displayName that no group has and that says where it comes from."""
        return f"Okta test {self.mark} {what}"

    def person(self, what: str, **more: Any) -> str:
        """Return the id of a person made for a step from the suite's smallest body, changed by `more`."""
        return self._kept(f"person {what}", "/Users", {**self.body(what), **more})

    def group(self, what: str, members: Sequence[Document] = ()) -> str:
        """Return the id of a group made for a step."""
        return self._kept(f"group {what}", "/Groups", bodies.group(self.group_name(what), members))

    def body(self, what: str) -> Document:
        """Return the suite's smallest user."""
        return bodies.suite_user(self.name(what), "Ada", f"Test-{what}")

    def adopt(self, what: str, identifier: str) -> str:
        """Know a person that a check created itself by a name, too."""
        return str(self._shared.setdefault(f"person {what}", identifier))

    def _kept(self, name: str, path: str, body: Document) -> str:
        if name not in self._shared:
            self._shared[name] = self._make(path, body)
        return str(self._shared[name])

    def _make(self, path: str, body: Document) -> str:
        exchange = self.send("POST", path, body=body)
        return made_id(exchange, f"needs a resource, and {exchange.request}")


def made_id(exchange: Exchange, what: str) -> str:
    """Return the id of the resource that a POST made; `what` names the POST where it made none.

    :raises Skipped: when there is none, so that whatever needs it cannot be checked.
    """
    document = exchange.document
    if not exchange.ok or not isinstance(document, dict) or not document.get("id"):
        raise Skipped(f"{what} answered {exchange.status} {exchange.detail}")
    return str(document["id"])


def perform(play: Play, steps: Sequence[Step], show: Callable[[Result], None] = lambda result: None) -> list[Result]:
    """Make all checks of the app's dialect in order; `show` sees each result at once.

    :raises Unreachable: when the server stops answering.
    """
    results = []
    for step in steps:
        for check in step.checks:
            if play.app in check.apps:
                results.append(_made(play, step, check))
                show(results[-1])
    return results


def _made(play: Play, step: Step, check: Check) -> Result:
    play.last = None
    otherwise = source = ""
    try:
        got = check.run(play) or ""
        outcome = PASSED
    except Skipped as why:
        got, outcome = str(why), SKIPPED
    except Broken as why:
        got, outcome = str(why), WARNED if check.warning else FAILED
        otherwise, source = check.otherwise, check.source
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        got, outcome = f"an answer of another shape ({type(error).__name__}: {error})", FAILED
        otherwise, source = check.otherwise, check.source
    last: Exchange | None = play.last
    status = str(last.status) if last else ""
    request = last.request if last else ""
    return Result(check.id, step.title, check.title, request, check.expected, got or status, outcome, otherwise, source)


def clean_up(play: Play) -> list[str]:
    """Delete what the run created, groups first; returns what could not be deleted, in words."""
    left = []
    for path, made in (("/Groups", play.groups), ("/Users", play.users)):
        for identifier in reversed(made):
            exchange = play.client.send("DELETE", f"{path}/{identifier}")
            if not exchange.ok and exchange.status != 404:
                instead = _deactivated(play, identifier) if path == "/Users" else ""
                left.append(f"{path}/{identifier}: {exchange.status} {exchange.detail}{instead}")
        made.clear()
    return left


def _deactivated(play: Play, identifier: str) -> str:
    try:
        Flows(play.client, play.app).activate(identifier, False)
    except Refused:
        return ""
    return "; deactivated instead"
