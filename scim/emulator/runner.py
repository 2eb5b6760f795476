"""The test runner: checks grouped in steps, one run of them against one server, and the result of each check."""

import random
import secrets
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from scim.emulator import bodies
from scim.emulator.bodies import Document
from scim.emulator.client import UNREACHABLE, Query, Reply, ScimClient, look_up
from scim.emulator.dialects import CUSTOM, OKTA_APPS, PROVIDERS
from scim.emulator.flows import Flows, ProvisioningError
from scim.emulator.oauth import OAuthClient
from scim.emulator.retries import retry_after

PASSED, FAILED, WARNED, SKIPPED, NOT_JUDGED = "passed", "failed", "warning", "skipped", "not judged"
MAX_WAIT_SECONDS, MAX_WAITS, MAX_SENT = 60, 5, 2000
P = ParamSpec("P")
T = TypeVar("T")


class CheckFailed(Exception):
    """The reply is not the expected one; the message is what came instead."""


class CheckWarned(CheckFailed):
    """The reply is not the expected one, but the provider works with it; the message says what to do."""


class CheckSkipped(Exception):
    """The check cannot be run; the message is the reason."""


class NotJudged(CheckSkipped):
    """Nobody can tell from outside whether the rule is kept; the message is the reason."""


class ServerUnreachable(Exception):
    """The server does not reply; the message is the network's error."""


CheckFunction = Callable[["TestRun"], object]
AnyCheck = TypeVar("AnyCheck", bound=CheckFunction)


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation: what is `expected`, what the provider does `otherwise`, and its `source`, an RFC or a fact.

    The functions run in order and raise CheckFailed or CheckSkipped; the last one returns what came as text, or else
    the status is shown. The check is skipped after a failure of a check whose id is in `needs`, unless `before` raises
    CheckFailed already.
    """

    id: str
    title: str
    expected: str
    otherwise: str
    source: str
    functions: Sequence[CheckFunction]
    dialects: Sequence[str] = OKTA_APPS
    warning: bool = False
    needs: Sequence[str] = ()
    before: CheckFunction | None = None


@dataclass(slots=True)
class CheckStep:
    """One step of provisioning, with its checks in the order in which they run.

    The source of each begins with `mark`; where `warning` is set, a failed check is a warning.
    """

    name: str
    title: str
    checks: list[Check] = field(default_factory=list)
    dialects: Sequence[str] = OKTA_APPS
    mark: str = ""
    warning: bool = False

    def row(
        self,
        name: str,
        title: str,
        expected: str,
        otherwise: str,
        source: str,
        *functions: CheckFunction,
        dialect: str = "",
        **options: Any,
    ) -> Callable[[AnyCheck], AnyCheck]:
        """Add a check with the id `step.name`, for one dialect or all of the step; `options` are those of Check.

        Without functions it returns a decorator that adds the row with the function.
        """
        texts = (f"{self.name}.{name}", title, expected, otherwise, self.mark + source)
        dialects = (dialect,) if dialect else self.dialects
        options = {"warning": self.warning, **options}

        def add(function: AnyCheck) -> AnyCheck:
            self.checks.append(Check(*texts, functions or (function,), dialects, **options))
            return function

        if functions:
            add(functions[-1])
        return add

    def check(
        self, title: str, expected: str, otherwise: str, source: str, name: str = "", **options: Any
    ) -> Callable[[AnyCheck], AnyCheck]:
        """Return a decorator that adds a row with the function, and with its name unless one is given."""

        def add(function: AnyCheck) -> AnyCheck:
            named = name or getattr(function, "__name__", "check")
            return self.row(named, title, expected, otherwise, source, **options)(function)

        return add


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one check; `otherwise` and `source` are empty unless it failed or warns."""

    id: str
    step: str
    title: str
    request: str
    expected: str
    got: str
    outcome: str
    otherwise: str = ""
    source: str = ""

    @property
    def passed(self) -> bool:
        """Return whether the check passed."""
        return self.outcome == PASSED


@dataclass(eq=False)
class TestRun:
    """One run against one server: the client, the resources that it created, and replies shared by several checks."""

    __test__ = False  # pytest must not collect it

    client: ScimClient
    dialect: str = CUSTOM
    roles: Sequence[str] = ()
    oauth: OAuthClient | None = None
    sleep: Callable[[float], None] = time.sleep
    throttled: bool = False
    refused_role: str | None = None
    last: Reply | None = None
    tag: str = field(default_factory=lambda: secrets.token_hex(4))
    broken: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)
    created: dict[str, list[str]] = field(default_factory=lambda: {"/Groups": [], "/Users": []})
    _cache: dict[Hashable, Any] = field(default_factory=dict)
    _ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.provider = PROVIDERS[self.dialect]
        self.flows = Flows(self, self.dialect)
        self.random = random.Random(self.tag)

    def send(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Reply:
        """Send a request, again after a `Retry-After` of up to 60 s; the last one of a check is shown with its result.

        :raises ServerUnreachable: when no reply comes.
        """
        self.last = reply = self.send_patiently(method, path, query, body, headers)
        if reply.status == UNREACHABLE:
            raise ServerUnreachable(reply.text)
        if method == "POST" and path in self.created and reply.ok:
            created = reply.document.get("id") if isinstance(reply.document, dict) else None
            if created is not None and str(created) not in self.created[path]:
                self.created[path].append(str(created))
        return reply

    def send_patiently(self, method: str, path: str, *options: Any) -> Reply:
        """Send a request, again after a `Retry-After` of up to 60 s, and return whatever comes at last."""
        reply = self.client.send(method, path, *options)
        for _ in range(MAX_WAITS):
            seconds = retry_after(reply) if reply.status == 429 else None
            if seconds is None or seconds > MAX_WAIT_SECONDS:
                break
            self.throttled = True
            self.sleep(seconds)
            reply = self.client.send(method, path, *options)
        return reply

    def get(self, path: str, **query: object) -> Reply:
        """Send a GET with a query."""
        return self.send("GET", path, query=query or None)

    def post(self, path: str, body: Any, headers: Mapping[str, str | None] | None = None) -> Reply:
        """Send a POST."""
        return self.send("POST", path, body=body, headers=headers)

    def find_user(self, user_name: str) -> Reply:
        """Look a user up as the provider does."""
        return self.send("GET", "/Users", query=look_up("userName", user_name, self.dialect))

    def find_group(self, name: str) -> Reply:
        """Look a group up as the provider does."""
        return self.send("GET", "/Groups", query=look_up("displayName", name, self.dialect))

    def cached(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return a value that checks share, made when the first of them asks; all show its last request."""
        if key not in self._cache:
            self.last = None
            self._cache[key] = (make(), self.last)
        value, self.last = self._cache[key]
        return value  # type: ignore[no-any-return]

    def user_name(self, label: str) -> str:
        """Return a userName of this run's own; its capitals must be kept by the server."""
        return f"{self.provider}-Test.{self.tag}.{label}@example.com"

    def group_name(self, label: str) -> str:
        """Return a displayName of this run's own."""
        return f"{self.provider} test {self.tag} {label}"

    def user_body(self, label: str) -> Document:
        """Return the smallest user with a name of this run's own."""
        return bodies.smallest_user(self.user_name(label), "Ada", f"Test-{label}")

    def user(self, label: str, **values: Any) -> str:
        """Return the id of the user with this label, created with `values` when it is first asked for."""
        return self._resource(f"user {label}", "/Users", {**self.user_body(label), **values})

    def group(self, label: str, members: Sequence[Document] = (), **values: Any) -> str:
        """Return the id of the group with this label, created with `members` when it is first asked for."""
        return self._resource(f"group {label}", "/Groups", {**bodies.group(self.group_name(label), members), **values})

    def user_path(self, label: str, **values: Any) -> str:
        """Return the path of the user with this label."""
        return f"/Users/{self.user(label, **values)}"

    def group_path(self, label: str, members: Sequence[Document] = (), **values: Any) -> str:
        """Return the path of the group with this label."""
        return f"/Groups/{self.group(label, members, **values)}"

    def label_user(self, label: str, identifier: str) -> None:
        """Make a user that a check created itself known under a label."""
        self._ids.setdefault(f"user {label}", identifier)

    def _resource(self, key: str, path: str, body: Document) -> str:
        if key not in self._ids:
            reply = self.post(path, body)
            self._ids[key] = created_id(reply, f"needs a resource, and {reply.request}")
        return self._ids[key]


def shared(make: Callable[Concatenate[TestRun, P], T]) -> Callable[Concatenate[TestRun, P], T]:
    """Call a function once in a run for the same arguments, and keep what it returns; see TestRun.cached."""

    @wraps(make)
    def once(run: TestRun, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return run.cached((make, *args, *kwargs.items()), lambda: make(run, *args, **kwargs))

    return once


def created_id(reply: Reply, request: str) -> str:
    """Return the id of the resource that a POST created; `request` names the POST in the reason for skipping.

    :raises CheckSkipped: when there is no id, so that checks which need the resource cannot run.
    """
    document = reply.document
    if not reply.ok or not isinstance(document, dict) or not document.get("id"):
        raise CheckSkipped(f"{request} answered {reply.status} {reply.detail}")
    return str(document["id"])


def run_checks(run: TestRun, steps: Sequence[CheckStep], only: Sequence[str] = ()) -> Iterator[Result]:
    """Run all checks of the run's dialect in order and yield each result; `only` names ids and steps, if not all.

    :raises ServerUnreachable: when the server stops replying.
    """
    broken = run.broken
    for step in steps:
        for check in step.checks:
            if run.dialect in check.dialects and (not only or {check.id, step.name} & set(only)):
                result = _run_check(run, step, check)
                without = result.outcome == SKIPPED and broken.intersection(check.needs)
                if result.outcome == FAILED or without or (result.outcome == WARNED and check.warning):
                    broken.add(check.id)
                if result.outcome == FAILED:
                    run.failed.append(check.id)
                yield result


def _run_check(run: TestRun, step: CheckStep, check: Check) -> Result:
    run.last = None
    try:
        if check.before:
            check.before(run)
        needed = next((name for name in check.needs if name in run.broken), None)
        if needed:
            raise CheckSkipped(f"needs {needed}, which did not pass")
        for function in check.functions:
            came = function(run)
        got, outcome = came if isinstance(came, str) else "", PASSED
    except CheckSkipped as skipped:
        got, outcome = str(skipped), NOT_JUDGED if isinstance(skipped, NotJudged) else SKIPPED
    except CheckFailed as failed:
        got, outcome = str(failed), WARNED if check.warning or isinstance(failed, CheckWarned) else FAILED
    except ProvisioningError as refused:
        got, outcome = f"{refused.reply.status} {refused.reason}", WARNED if check.warning else FAILED
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        got, outcome = f"an answer of an unexpected shape ({type(error).__name__}: {error})", FAILED
    last: Reply | None = run.last
    request, status = (last.request, str(last.status)) if last else ("", "")
    if last and last.sent and run.dialect not in OKTA_APPS:
        request = f"{request} {last.sent[:MAX_SENT]}"
    reasons = (check.otherwise, check.source) if outcome in (FAILED, WARNED) else ()
    return Result(check.id, step.title, check.title, request, check.expected, got or status, outcome, *reasons)


def clean_up(run: TestRun) -> list[str]:
    """Delete the resources that the run created, groups first; returns a line for each that could not be deleted."""
    left = []
    for path, identifiers in run.created.items():
        for identifier in reversed(identifiers):
            reply = run.send_patiently("DELETE", f"{path}/{identifier}")
            if not reply.ok and reply.status != 404:
                instead = "; deactivated instead" if path == "/Users" and _deactivate(run, identifier) else ""
                left.append(f"{path}/{identifier}: {reply.status} {reply.detail}{instead}")
        identifiers.clear()
    return left


def _deactivate(run: TestRun, identifier: str) -> bool:
    try:
        run.flows.set_active(identifier, False)
    except ProvisioningError:
        return False
    return True
