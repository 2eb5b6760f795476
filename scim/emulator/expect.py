"""Expectations about a reply; each raises CheckFailed with the value that came instead."""

from collections.abc import Mapping, Sequence
from typing import Any

from scim.emulator.bodies import Document
from scim.emulator.client import Reply
from scim.emulator.runner import CheckFailed

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
NUMBERS = ("totalResults", "startIndex", "itemsPerPage")
NEEDED_BY_IMPORT = ("id", "userName", "name.givenName", "name.familyName", "active", "emails.0.value")


def value_at(document: Any, path: str) -> Any:
    """Return the value at a dotted path with indexes, such as `emails.0.value`; None where there is none."""
    for part in path.split("."):
        if isinstance(document, list):
            document = document[int(part)] if part.isdigit() and int(part) < len(document) else None
        else:
            document = document.get(part) if isinstance(document, Mapping) else None
    return document


def that(holds: object, came: str) -> None:
    """Expect a condition to hold; `came` says what came instead."""
    if not holds:
        raise CheckFailed(came)


def status(reply: Reply, *statuses: int) -> Reply:
    """Expect one of the statuses."""
    if reply.status not in statuses:
        raise CheckFailed(f"{reply.status} {reply.detail}".strip())
    return reply


def document(reply: Reply, *statuses: int) -> Document:
    """Expect a JSON object, and one of the statuses where some are given."""
    if statuses:
        status(reply, *statuses)
    found = reply.document
    if isinstance(found, dict):
        return found
    media_type = reply.headers.get("Content-Type", "no Content-Type")
    content = f"{media_type}, {reply.text[:60]!r}" if reply.text else "no body"
    raise CheckFailed(f"{reply.status}, {content}")


def resources(reply: Reply) -> list[Document]:
    """Expect a list with an array of resources."""
    found = document(reply, 200)
    if "Resources" not in found:
        raise CheckFailed("no Resources")
    if not isinstance(found["Resources"], list):
        raise CheckFailed(f"Resources is {found['Resources']!r}"[:100])
    return found["Resources"]


def numbers(reply: Reply) -> dict[str, int]:
    """Expect the three numbers of a list as JSON numbers, and return them."""
    found = document(reply, 200)
    wrong = [name for name in NUMBERS if type(found.get(name)) is not int]
    if wrong:
        raise CheckFailed(", ".join(f"{name} is {found[name]!r}" if name in found else f"no {name}" for name in wrong))
    return {name: found[name] for name in NUMBERS}


def schema(reply: Reply, urn: str) -> Document:
    """Expect a URN in `schemas`."""
    found = document(reply)
    that(urn in (found.get("schemas") or []), f"schemas is {found.get('schemas')!r}")
    return found


def empty_list(reply: Reply) -> None:
    """Expect a list without resources."""
    found = resources(reply)
    total = document(reply).get("totalResults")
    that(not found and total == 0, f"totalResults {total!r}, {len(found)} Resources")


def only(identifier: str, reply: Reply) -> Document:
    """Expect a list of exactly one resource, the one with this id."""
    found = resources(reply)
    ids = [str(item.get("id")) for item in found]
    if ids != [identifier]:
        raise CheckFailed(f"{len(ids)} found" + ("" if identifier in ids else ", the expected one is not among them"))
    return found[0]


def values(found: Document | Reply, expected: Mapping[str, Any]) -> Document:
    """Expect values at dotted paths of a resource, or of the one in a reply."""
    resource = document(found) if isinstance(found, Reply) else found
    wrong = [path for path, value in expected.items() if value_at(resource, path) != value]
    that(not wrong, ", ".join(f"{path} is {value_at(resource, path)!r}" for path in wrong))
    return resource


def members(group: Document, expected: Sequence[str]) -> str:
    """Expect exactly these ids as members of a group."""
    found = [str(member.get("value")) for member in group.get("members") or []]
    that(sorted(found) == sorted(expected), f"{len(found)} members, not {len(expected)}")
    return f"members: {len(found)}"


def text_id(found: Document) -> None:
    """Expect an `id` that is a non-empty string (RFC 7643 section 3.1)."""
    that(isinstance(found.get("id"), str) and found["id"], f"id is {found.get('id')!r}")


def importable(user: Document) -> None:
    """Expect all attributes that Okta's import needs of a user."""
    missing = [path for path in NEEDED_BY_IMPORT if value_at(user, path) in (None, "")]
    that(not missing, f"{user.get('userName')} has no {', no '.join(missing)}")


def error(reply: Reply, expected: int, scim_type: str = "") -> Document:
    """Expect a SCIM error (RFC 7644 section 3.12) with this status, and with this scimType if one is given."""
    found = schema(status(reply, expected), ERROR)
    shown, detail = found.get("status"), found.get("detail")
    that(shown == str(reply.status), f"status in the body is {shown!r}, not {str(reply.status)!r}")
    that(isinstance(detail, str) and detail.strip(), f"detail is {detail!r}")
    return values(found, {"scimType": scim_type} if scim_type else {})
