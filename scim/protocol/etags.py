"""Entity tags and conditional requests (RFC 7644 section 3.14, RFC 9110 section 13)."""

import re
from dataclasses import dataclass

from schemas.errors import PreconditionFailed

# A quoted tag may contain commas; a tag without quotes, which some clients send, ends at the next comma.
TAG = re.compile(r'(?:^|(?<=,))\s*(?:W/)?(?:"([^"]*)"|([^",\s]+))\s*(?=,|$)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditional headers of a request (RFC 7644 section 3.14)."""

    if_match: str | None = None
    if_none_match: str | None = None


def etag(version: int, epoch: int) -> str:
    """Return the weak entity tag of a resource's version and the workspace's epoch (RFC 7644 section 3.14)."""
    return f'W/"{version}.{epoch}"'


def check_if_match(header: str | None, version: int) -> None:
    """Check `If-Match` against the resource's own version, ignoring the epoch (RFC 9110 section 13.1.1).

    The comparison is the weak one, since SCIM's entity tags are weak; a malformed tag matches nothing.

    :raises PreconditionFailed: when no tag of the header names the version.
    """
    tags = _tags(header)
    if tags is None or "*" in tags or any(tag.partition(".")[0] == str(version) for tag in tags):
        return
    raise PreconditionFailed(
        f"If-Match: the resource has changed; its version is now {version}. Read it again and repeat the change."
    )


def not_modified(header: str | None, version: int, epoch: int) -> bool:
    """Tell whether a GET's `If-None-Match` has the current entity tag, for the answer 304 (RFC 9110 section 13.1.2)."""
    tags = _tags(header)
    return tags is not None and ("*" in tags or f"{version}.{epoch}" in tags)


def check_if_none_match(header: str | None, version: int, epoch: int) -> None:
    """Check `If-None-Match` of a write to an existing resource (RFC 9110 section 13.1.2).

    :raises PreconditionFailed: when the header is `*` or has the current entity tag.
    """
    if not_modified(header, version, epoch):
        raise PreconditionFailed("If-None-Match: the resource exists with that entity tag; nothing was written.")


def _tags(header: str | None) -> set[str] | None:
    """Return the opaque tags of the header, a bare `*` among them, or None when there is no condition."""
    if header is None or not header.strip():
        return None
    found = (match.groups() for match in TAG.finditer(header))
    return {bare if quoted is None else quoted for quoted, bare in found if quoted != "*"}
