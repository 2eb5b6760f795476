"""Counts requests without a valid access key by the address of the caller; tells whether an origin is public."""

import ipaddress
from urllib.parse import urlsplit

from schemas.errors import TooManyRequests
from scim.events.urls import is_public
from storage.failed_keys import FailedKeys

# RFC 6761, RFC 6762 and RFC 9476, and the name that ICANN keeps for private use.
PRIVATE_NAMES = (".localhost", ".test", ".local", ".alt", ".internal")


def origin_is_public(origin: str) -> bool:
    """Tell whether a provider can reach an origin: https, and no name or address of a private network."""
    parts = urlsplit(origin)
    host = parts.hostname or ""
    try:
        reachable = is_public(ipaddress.ip_address(host))
    except ValueError:
        reachable = "." in host and not host.endswith(PRIVATE_NAMES)
    return parts.scheme == "https" and reachable


def counted(address: str | None) -> str:
    """Return the form in which an address is counted: without its port, and for IPv6 its /64 network."""
    text = (address or "").strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return text[:100]
    if isinstance(found, ipaddress.IPv6Address):
        return str(found.ipv4_mapped or ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def count_refused(failures: FailedKeys, address: str | None) -> None:
    """Count a request without a valid access key.

    :raises TooManyRequests: when the address has failed more often than PERCH_FAILED_KEYS within a minute.
    """
    seconds = failures.add(counted(address))
    if seconds:
        raise TooManyRequests(
            f"More than {failures.limit} requests from {counted(address) or 'this address'} had no valid key within a "
            "minute; put a valid key into the provider's settings. Valid keys still work.",
            seconds,
        )
