"""The order of bulk operations and the references among them (RFC 7644 section 3.7)."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.bulk import METHODS, BulkOperation, BulkRequest
from schemas.errors import InvalidPath, InvalidSyntax, InvalidValue, MethodNotAllowed, ScimError
from schemas.fields import json_type

PREFIX = "bulkId:"
# A reference inside a URI, a path or a filter ends at one of these characters.
EMBEDDED = re.compile(r'bulkId:([^\s"\\/?#\[\](),]+)')
EMBEDDING_KEYS = ("path", "$ref")


@dataclass(frozen=True, slots=True)
class BulkStep:
    """A step of a plan: run the operation at `index` of the request, or complete the resource that it created.

    `withheld` are the bulkIds whose resources do not exist yet: the step leaves them out (`without`), and a later step
    completes the resource.
    """

    index: int
    withheld: frozenset[str] = frozenset()
    completes: bool = False


@dataclass(frozen=True, slots=True)
class BulkPlan:
    """The steps in order, and the errors of operations that cannot run, by index in the request."""

    steps: list[BulkStep]
    errors: dict[int, ScimError]


@dataclass(slots=True)
class _PlanDraft:
    """A plan while it is made: the creator of each bulkId, the references of each operation, the placed operations."""

    creators: dict[str, int]
    references: dict[int, list[str]] = field(default_factory=dict)
    steps: list[BulkStep] = field(default_factory=list)
    placed: set[int] = field(default_factory=set)
    waiting: list[BulkStep] = field(default_factory=list)


def plan(request: BulkRequest, endpoints: Collection[str]) -> BulkPlan:
    """Order the operations so that resources are created before the operations that refer to them (RFC 7644 3.7.1).

    Otherwise the order of the request is kept. In a circle of references one resource is created without those that
    cannot be resolved yet, and a second step completes it.

    :param endpoints: the endpoints of resource types, such as `/Users`.
    """
    errors = _errors(request, endpoints)
    valid = [operation for operation in request.operations if operation.position not in errors]
    creators = {op.bulkId: op.position for op in valid if op.method == "POST" and op.bulkId}
    draft = _PlanDraft(creators)
    for op in valid:
        names = list(dict.fromkeys(references([op.path, op.data])))
        unknown = [name for name in names if name not in creators]
        if unknown:
            text = f"{op.name}: bulkId:{unknown[0]} refers to no valid POST of this request."
            errors[op.position] = InvalidValue(text)
        else:
            draft.references[op.position] = names
    for index in draft.references:
        _place(draft, index)
    return BulkPlan(draft.steps, errors)


def _place(draft: _PlanDraft, start: int) -> None:
    """Place an operation after the creators that it refers to; not recursive, since a chain may be a thousand long."""
    trail: list[tuple[int, Iterator[str]]] = []
    open_now: set[int] = set()

    def enter(index: int) -> None:
        if index in draft.references and index not in draft.placed and index not in open_now:
            open_now.add(index)
            trail.append((index, iter(draft.references[index])))

    enter(start)
    while trail:
        index, names = trail[-1]
        name = next(names, None)
        if name is not None:
            enter(draft.creators[name])
            continue
        trail.pop()
        open_now.discard(index)
        _run(draft, index)


def _run(draft: _PlanDraft, index: int) -> None:
    # A creator that failed validation is never placed; references to it fail when they are resolved.
    missing = (name for name in draft.references[index] if draft.creators[name] not in draft.placed)
    withheld = frozenset(name for name in missing if draft.creators[name] in draft.references)
    draft.steps.append(BulkStep(index, withheld))
    draft.placed.add(index)
    if withheld:
        draft.waiting.append(BulkStep(index, withheld))
    ready = [step for step in draft.waiting if all(draft.creators[name] in draft.placed for name in step.withheld)]
    draft.waiting = [step for step in draft.waiting if step not in ready]
    draft.steps += [BulkStep(step.index, completes=True) for step in ready]


def references(value: Any, key: str = "path") -> list[str]:
    """Return the bulkIds that a path, or the JSON value of a key, refers to, in their order (RFC 7644 3.7.2)."""
    found: list[str] = []

    def note(name: str) -> str:
        found.append(name)
        return name

    _rewrite(key, value, note)
    return found


def resolve(data: Any, ids: Mapping[str, str]) -> Any:
    """Return a path or data with each `bulkId:` reference replaced by the resource's id (RFC 7644 section 3.7.2).

    :raises InvalidValue: when a reference names a resource that was not created.
    """

    def identifier(name: str) -> str:
        if name not in ids:
            raise InvalidValue(f"bulkId:{name} was not created; see the error of its own operation.")
        return ids[name]

    return _rewrite("path", data, identifier)


def _rewrite(key: str, value: Any, identifier: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        if key.lower() in EMBEDDING_KEYS:
            return EMBEDDED.sub(lambda match: identifier(match[1]), value)
        return identifier(value[len(PREFIX) :]) if value.startswith(PREFIX) else value
    if isinstance(value, dict):
        return {name: _rewrite(str(name), item, identifier) for name, item in value.items()}
    if isinstance(value, list):
        return [_rewrite(key, item, identifier) for item in value]
    return value


def without(data: Any, withheld: Collection[str]) -> Any:
    """Return data without the elements and attributes that refer to the withheld bulkIds (RFC 7644 section 3.7.1)."""
    if isinstance(data, dict):
        gone = {name for name, item in data.items() if _names_one(name, item, withheld)}
        if any(name.lower() == "value" for name in gone):
            return None
        inner = {name: without(item, withheld) for name, item in data.items() if name not in gone}
        return {name: item for name, item in inner.items() if item is not None or data[name] is None}
    if isinstance(data, list):
        kept = ((item, without(item, withheld)) for item in data if not _names_one("", item, withheld))
        return [inner for item, inner in kept if inner is not None or item is None]
    return data


def _names_one(key: str, item: Any, withheld: Collection[str]) -> bool:
    return isinstance(item, str) and any(name in withheld for name in references(item, key))


def should_stop(errors: int, fail_on_errors: int | None) -> bool:
    """Tell whether the number of errors ends the request; later operations get no result (RFC 7644 section 3.7.3)."""
    return fail_on_errors is not None and errors >= fail_on_errors


def _errors(request: BulkRequest, endpoints: Collection[str]) -> dict[int, ScimError]:
    """Return the errors of single operations, and of bulkIds used twice, by position."""
    errors: dict[int, ScimError] = {}
    seen: dict[str, int] = {}
    for op in request.operations:
        try:
            _check(op, endpoints)
        except ScimError as error:
            errors[op.position] = error
            continue
        first = seen.setdefault(op.bulkId, op.position) if op.method == "POST" and op.bulkId else op.position
        if first != op.position:
            text = f"{op.name}.bulkId: '{op.bulkId}' is taken by Operations[{first}]; use another one."
            errors[op.position] = InvalidValue(text)
    return errors


def _check(operation: BulkOperation, endpoints: Collection[str]) -> None:
    name, method = operation.name, operation.method
    if method not in METHODS:
        raise InvalidSyntax(f"{name}.method: must be POST, PUT, PATCH or DELETE.")
    _, identifier = split_path(operation, endpoints)
    if method == "POST" and identifier:
        raise MethodNotAllowed(f"{name}.path: POST goes to an endpoint such as /Users, without an id.")
    if method != "POST" and not identifier:
        raise InvalidPath(f"{name}.path: {method} needs the resource's id, as in /Users/ID.")
    if method == "POST" and not operation.bulkId:
        raise InvalidSyntax(f"{name}.bulkId: is required for POST.")
    if method != "DELETE" and not isinstance(operation.data, dict):
        raise InvalidSyntax(f"{name}.data: must be an object, not {json_type(operation.data)}.")


def split_path(operation: BulkOperation, endpoints: Collection[str]) -> tuple[str, str | None]:
    """Return the endpoint and the id, possibly a reference, in an operation's path (RFC 7644 section 3.7).

    :raises InvalidPath: when the path names no endpoint of resources.
    """
    endpoint, _, identifier = operation.path.strip("/").partition("/")
    if f"/{endpoint}" not in endpoints or "/" in identifier or identifier.startswith("."):
        known = " or ".join(sorted(endpoints))
        raise InvalidPath(f"{operation.name}.path: '{operation.path[:80]}' must begin with {known}; an id may follow.")
    return f"/{endpoint}", identifier or None
