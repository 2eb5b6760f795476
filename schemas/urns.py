"""The URNs of schemas and messages, and their names before RFC 7643 and RFC 7644."""

import re
from collections.abc import Collection, Mapping
from functools import cache
from itertools import product
from typing import Any

from schemas.fields import is_unassigned
from schemas.tolerances import Tolerance, note

_REGISTERED = re.compile(r"urn:ietf:params:scim:([a-z:]+):2\.0:(\w+)")
# RFC 8141 section 2, as long as a declared URN may be; names as RFC 7643 section 2.1 has them.
URN = re.compile(r"(?ai)urn:[a-z0-9][a-z0-9-]{0,30}[a-z0-9]:(?:[a-z0-9._~!$&'()*+,;=:@/-]|%[0-9a-f]{2})+")
LONGEST_URN = 200
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")
SUB_NAME = re.compile(r"\$?[A-Za-z][A-Za-z0-9_-]{0,99}")
# The resource types that may have attributes beside the built-in ones.
RESOURCES = ("User", "Group")
_URI = re.compile(r"urn:|[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def names_schema(body: Mapping[str, Any], urn: str, title: str = "") -> bool:
    """Tell whether a body names a schema in `schemas`, in any case; one without `schemas` counts as if it did.

    `title` is the example that the tolerance MISSING_SCHEMAS records.
    """
    sent = next((value for key, value in body.items() if key.lower() == "schemas"), None)
    if is_unassigned(sent):
        note(Tolerance.MISSING_SCHEMAS, title)
        return True
    named = [one.lower() for one in (sent if isinstance(sent, list) else [sent]) if isinstance(one, str)]
    if urn.lower() in named:
        return True
    former = next((one for one in named if one in former_names(urn)), None)
    if former is not None:
        note_former(former, urn)
    return former is not None


def unknown_schemas(body: Mapping[str, Any], known: Collection[str]) -> list[str]:
    """Return those texts in `schemas` that are none of the known URNs, which are in lower case."""
    sent = next((value for key, value in body.items() if key.lower() == "schemas"), None)
    return [str(one) for one in (sent if isinstance(sent, list) else ()) if str(one).lower() not in known]


@cache
def former_names(urn: str) -> frozenset[str]:
    """Return the names, in lower case, that SCIM 1 and drafts of SCIM 2 had for a schema or message of the RFCs.

    They lack `ietf:params:`, have version 1.0, or leave the type out, as `urn:scim:schemas:core:1.0` does. Messages had
    names of the core schema.
    """
    registered = _REGISTERED.fullmatch(urn)
    if registered is None:
        return frozenset()
    area, type_ = registered.groups()
    areas = (area, "schemas:core") if area == "api:messages" else (area,)
    parts = product(("urn:scim", "urn:ietf:params:scim"), areas, ("1.0", "2.0"), ("", f":{type_}"))
    names = {f"{prefix}:{middle}:{version}{end}".lower() for prefix, middle, version, end in parts}
    return frozenset(names - {urn.lower()})


def note_former(sent: str, urn: str) -> None:
    """Record that a client sent a former name of a URN, unless it sent the URN itself in any case."""
    if sent.lower() != urn.lower():
        note(Tolerance.FORMER_URN, sent)


def begins_with_uri(path: str) -> bool:
    """Tell whether a path begins with the URI of a schema, of whatever schema (RFC 7644 section 3.10)."""
    return _URI.match(path) is not None


def default_resource(urn: str) -> str:
    """Return the resource type that a URN ends with, or ""."""
    end = urn.rpartition(":")[2].lower()
    return next((name for name in RESOURCES if name.lower() == end), "")
