"""What checks expect of an answer; each raises Broken with what was got instead."""

from collections.abc import Mapping
from typing import Any

from scim.emulator.bodies import Document
from scim.emulator.client import Exchange
from scim.emulator.test_run import Broken

LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
NUMBERS = ("totalResults", "startIndex", "itemsPerPage")


def status(exchange: Exchange, *wanted: int) -> Exchange:
    """Expect one of the statuses."""
    if exchange.status not in wanted:
        raise Broken(f"{exchange.status} {exchange.detail}".strip())
    return exchange


def document(exchange: Exchange) -> Document:
    """Expect a JSON object."""
    found = exchange.document
    if isinstance(found, dict):
        return found
    kind = exchange.headers.get("Content-Type", "no Content-Type")
    raise Broken(
        f"{exchange.status}, {kind}, {exchange.text[:60]!r}" if exchange.text else f"{exchange.status}, no body"
    )


def resources(exchange: Exchange) -> list[Document]:
    """Expect a list with an array of resources."""
    found = document(status(exchange, 200))
    if "Resources" not in found:
        raise Broken("no Resources")
    if not isinstance(found["Resources"], list):
        raise Broken(f"Resources is {found['Resources']!r}"[:100])
    return found["Resources"]


def numbers(exchange: Exchange) -> Document:
    """Expect the three numbers of a list as JSON numbers."""
    found = document(status(exchange, 200))
    wrong = [f"{name} is {found.get(name)!r}" for name in NUMBERS if name not in found or not _number(found[name])]
    if wrong:
        raise Broken(", ".join(wrong).replace("None", "missing"))
    return found


def _number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def schema(exchange: Exchange, urn: str) -> Document:
    """Expect the URN among `schemas`."""
    found = document(exchange)
    if urn not in (found.get("schemas") or []):
        raise Broken(f"schemas is {found.get('schemas')!r}")
    return found


def nobody(exchange: Exchange) -> None:
    """Expect a list of nothing."""
    found = resources(exchange)
    total = document(exchange).get("totalResults")
    if found or total != 0:
        raise Broken(f"totalResults {total!r}, {len(found)} Resources")


def only(exchange: Exchange, identifier: str) -> Document:
    """Expect a list of exactly the one resource."""
    found = resources(exchange)
    ids = [str(item.get("id")) for item in found]
    if ids != [identifier]:
        raise Broken(f"{len(ids)} found" + ("" if identifier in ids else ", the wanted one is not among them"))
    return found[0]


def value(found: Mapping[str, Any], path: str) -> Any:
    """Return the value at a dotted path with indexes, such as `emails.0.value`; None where nothing is."""
    current: Any = found
    for part in path.split("."):
        if isinstance(current, list):
            current = current[int(part)] if part.isdigit() and int(part) < len(current) else None
        else:
            current = current.get(part) if isinstance(current, Mapping) else None
    return current


def same(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Expect values at dotted paths; returns them in words."""
    wrong = [f"{path} is {value(found, path)!r}" for path, is_ in wanted.items() if value(found, path) != is_]
    if wrong:
        raise Broken(", ".join(wrong))
    return ", ".join(f"{path} {is_!r}" for path, is_ in wanted.items())


def error(exchange: Exchange, *wanted: int) -> Document:
    """Expect a SCIM Error message (RFC 7644 section 3.12) with one of the statuses."""
    found = document(status(exchange, *wanted))
    if ERROR not in (found.get("schemas") or []):
        raise Broken(f"{exchange.status}, schemas is {found.get('schemas')!r}")
    if found.get("status") != str(exchange.status):
        raise Broken(f"status in the body is {found.get('status')!r}, not {str(exchange.status)!r}")
    if not isinstance(found.get("detail"), str) or not found["detail"].strip():
        raise Broken(f"detail is {found.get('detail')!r}")
    return found
