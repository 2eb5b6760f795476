"""What Entra's checks share: the targets of its mapping, bodies of random values, and the comparison of all values."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from string import ascii_uppercase, digits
from typing import Any

from scim.emulator import expect
from scim.emulator.bodies import ENTERPRISE, GROUP, USER, Document
from scim.emulator.checks.common import attributes, listed_roles, patch, read_user, schemas
from scim.emulator.client import Reply
from scim.emulator.runner import TestRun

ADDRESS = ("formatted", "streetAddress", "locality", "region", "postalCode", "country")
NAME = ("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")
TYPED = (
    'emails[type eq "work"].value',
    *(f'addresses[type eq "work"].{part}' for part in ADDRESS),
    *(f'phoneNumbers[type eq "{kind}"].value' for kind in ("work", "mobile", "fax")),
)
# The targets of Entra's default mapping of people and groups.
TARGETS = (
    "userName", "active", "displayName", "title", "preferredLanguage", "name.givenName", "name.familyName",
    "name.formatted", *TYPED, "externalId", f"{ENTERPRISE}:employeeNumber", f"{ENTERPRISE}:department", "manager",
)  # fmt: skip
GROUP_TARGETS = ("displayName", "externalId", "members")
MANAGER = f"{ENTERPRISE}:manager"
# What Microsoft's SCIM Validator sends of a person, beside userName, active, roles and manager.
FULL = (
    *("displayName", "title", "preferredLanguage", "userType", "nickName", "locale", "timezone", "profileUrl"),
    *(f"name.{part}" for part in NAME),
    *('emails[type eq "work"].primary', *TYPED, 'addresses[type eq "work"].primary'),
    *(f"{ENTERPRISE}:{name}" for name in ("employeeNumber", "department", "costCenter", "organization", "division")),
)
ROLE_TARGETS = tuple(f'roles[primary eq "True"].{part}' for part in ("display", "value", "type"))
TARGET = re.compile(r'(\w+)\[(\w+) eq "([^"]*)"\]\.(\w+)')
BOOLEANS = {"True": True, "False": False}
SET_ROLES = (
    "let the server accept new roles (Perch: flask keys set ID --unknown-roles create, or PERCH_UNKNOWN_ROLES=create)"
)


def word(run: TestRun, size: int = 6, letters: str = ascii_uppercase) -> str:
    """Return random characters of this run's own."""
    return "".join(run.random.choices(letters, k=size))


def random_value(run: TestRun, target: str) -> Any:
    """Return a random value as Microsoft's tools send it to a target."""
    if target.endswith(".primary") or target == "active":
        return True
    if target.startswith("emails"):
        return f"{word(run).lower()}@{word(run).lower()}.com"
    return f"90-555-{word(run, 4, digits)}" if target.startswith("phoneNumbers") else word(run)


def put(document: Document, target: str, value: Any) -> None:
    """Set the value at a target, such as `emails[type eq "work"].value`."""
    holder, name = document, target
    if typed := TARGET.fullmatch(target):
        items = document.setdefault(typed[1], [])
        holder, name = next((item for item in items if item.get(typed[2]) == typed[3]), {typed[2]: typed[3]}), typed[4]
        if holder not in items:
            items.append(holder)
    elif target.startswith("urn:"):
        urn, _, name = target.rpartition(":")
        holder = document.setdefault(urn, {})
    elif "." in target:
        parent, name = target.split(".")
        holder = document.setdefault(parent, {})
    holder[name] = value


def at(document: Document, target: str) -> Any:
    """Return the value at a target, None where there is none."""
    if typed := TARGET.fullmatch(target):
        items = [item for item in document.get(typed[1]) or [] if isinstance(item, dict)]
        return next((item.get(typed[4]) for item in items if str(item.get(typed[2])) == typed[3]), None)
    if target.startswith("urn:"):
        urn, _, name = target.rpartition(":")
        extension = document.get(urn)
        return extension.get(name) if isinstance(extension, dict) else None
    return expect.value_at(document, target)


def person(run: TestRun, label: str, targets: Iterable[str] = TARGETS) -> Document:
    """Return the body of a person with random values at all targets but `manager`."""
    body: Document = {"schemas": [USER, ENTERPRISE], "userName": run.user_name(label), "active": True}
    for target in targets:
        if target not in ("userName", "manager", "active"):
            put(body, target, random_value(run, target))
    return body


def operations(run: TestRun, op: str, targets: Iterable[str], role: str | None) -> tuple[list[Document], Document]:
    """Return an operation with a random value for each target and for the parts of a role, and the values together."""
    expected: Document = {}
    values = {target: random_value(run, target) for target in targets}
    if role:
        values |= dict(zip(ROLE_TARGETS, (word(run), role, word(run)), strict=True))
    for target, value in values.items():
        put(expected, target, value)
    return [{"op": op, "path": target, "value": value} for target, value in values.items()], expected


def with_role(run: TestRun, send: Callable[[str | None], Reply]) -> Reply:
    """Send with a random role, as Microsoft does; where the server refuses it by name, with a role of /Roles."""
    if run.refused_role is None:
        role = word(run)
        reply = send(role)
        if reply.status not in (400, 404, 422) or role not in reply.detail:
            return reply
        run.refused_role = reply.detail
        run.roles = run.roles or listed_roles(run, 1)
    return send(run.roles[0] if run.roles else None)


def differences(sent: Any, found: Any, path: str = "") -> list[str]:
    """Return in words which sent values are not in a resource; "True" counts as true."""
    if isinstance(sent, Mapping):
        inner = found if isinstance(found, Mapping) else {}
        places = ((name, f"{path}.{name}" if path else name) for name in sent if name not in ("schemas", "password"))
        return [words for name, place in places for words in differences(sent[name], inner.get(name), place)]
    if isinstance(sent, list):
        held = found if isinstance(found, list) else []
        missing = any(all(differences(item, other) for other in held) for item in sent)
        return [f"{path} is {found!r}, not {sent!r}"] if missing else []
    same = sent == found or (isinstance(sent, str) and BOOLEANS.get(sent, sent) == found)
    return [] if same else [f"{path} is {found!r}, not {sent!r}"]


def same(sent: Any, found: Any) -> None:
    """Expect all sent values in a resource."""
    wrong = differences(sent, found)
    expect.that(not wrong, "; ".join(wrong)[:500])


def write_manager(run: TestRun, label: str, op: str, value: Any) -> Any:
    """Patch the manager of a person, None for an operation without a value, and return what is stored."""
    change = {"op": op, "path": MANAGER} | ({} if value is None else {"value": value})
    patch(run, run.user_path(label), change)
    return at(read_user(run, label), MANAGER)


def manager_id(held: Any) -> str:
    return (held.get("value") if isinstance(held, dict) else held) or ""


def flattened(run: TestRun, core: str) -> dict[str, Document]:
    """Return the attributes of people or groups by the names that Entra makes of `/Schemas`, without case."""
    found = {name: leaf for attribute in attributes(run, core) for name, leaf in _flat(attribute)}
    for urn in schemas(run) if core == USER else ():
        if urn not in (USER, GROUP) and urn.endswith(":User"):
            leaves = {str(item.get("name")): item for item in attributes(run, urn)}
            found |= {name if name == "manager" else f"{urn}:{name}": leaf for name, leaf in leaves.items()}
    return {name.lower(): leaf for name, leaf in found.items()}


def _flat(attribute: Document) -> Iterator[tuple[str, Document]]:
    name = str(attribute.get("name"))
    parts = [part for part in attribute.get("subAttributes") or [] if isinstance(part, dict)]
    if attribute.get("type") != "complex" or name == "members":
        yield name, attribute
        return
    leaves = {part["name"]: part for part in parts if part.get("type") not in ("complex", "reference")}
    if not attribute.get("multiValued"):
        yield from ((f"{name}.{leaf}", leaves[leaf]) for leaf in leaves)
        return
    kinds = leaves.get("type", {}).get("canonicalValues")
    for leaf in leaves:
        if not kinds and leaf != "primary":
            yield f'{name}[primary eq "True"].{leaf}', leaves[leaf]
        for kind in kinds or ():
            if leaf not in ("type", "primary"):
                yield f'{name}[type eq "{kind}"].{leaf}', leaves[leaf]
