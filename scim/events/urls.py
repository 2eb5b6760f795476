"""Which URLs and addresses webhooks may use: https to public addresses, unless settings allow more."""

import ipaddress
import socket
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from schemas.errors import InvalidValue
from scim.settings import Settings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Not public, whatever the version of Python says: IPv6's former site-local and NAT64's local networks, documentation,
# segment routing, IPv4's protocol assignments (Oracle's metadata), the former 6to4 relays, Azure's metadata.
NOT_PUBLIC = tuple(
    ipaddress.ip_network(text)
    for text in (
        "fec0::/10", "64:ff9b:1::/48", "3fff::/20", "5f00::/16", "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32",
    )
)  # fmt: skip
LONGEST = 2000


class AddressRefused(Exception):
    """A webhook's host resolves to an address that webhooks may not use."""


class WebhookUrl(NamedTuple):
    """The parts of a URL; `path` includes the query, `host` has no brackets."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What the operator allows: private addresses and plain http for all hosts (`private`), or for `hosts` only."""

    private: bool
    hosts: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> "AddressPolicy":
        """Return the policy of the settings."""
        return cls(settings["PERCH_WEBHOOKS_ALLOW_PRIVATE"], settings["PERCH_WEBHOOK_HOSTS"])

    def trusts(self, host: str) -> bool:
        """Return whether a host may have any address."""
        return self.private or host in self.hosts or f"[{host}]" in self.hosts

    def parse(self, url: str) -> WebhookUrl:
        """Return the parts of a webhook's URL.

        :raises InvalidValue: for text that is no such URL, and for http where https is required.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InvalidValue("This is not a URL. Send one such as https://app.example.com/path.") from None
        host = (parts.hostname or "").lower()
        if parts.scheme not in ("http", "https") or not host or len(url) > LONGEST or not url.isascii():
            raise InvalidValue("Webhooks need an http(s) URL in ASCII. Send one such as https://app.example.com/path.")
        if parts.username is not None or parts.fragment or " " in url or not url.isprintable():
            raise InvalidValue("A webhook's URL has no user, fragment, spaces or control characters; send none.")
        if parts.scheme == "http" and not self.trusts(host):
            raise InvalidValue(
                "Webhooks need https. For plain http to a test receiver, set PERCH_WEBHOOKS_ALLOW_PRIVATE=on, or name "
                "its host in PERCH_WEBHOOK_HOSTS."
            )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return WebhookUrl(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)

    def addresses(self, target: WebhookUrl) -> list[str]:
        """Resolve a host; connections must use the returned addresses, without another DNS query.

        :raises AddressRefused: when one of them is not public and the host is not trusted.
        :raises OSError: when the host has no address.
        """
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        texts = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for text in texts:
            if not self.trusts(target.host) and not is_public(ipaddress.ip_address(text.partition("%")[0])):
                raise AddressRefused(
                    f"{target.host} resolves to {text}, which is not public. PERCH_WEBHOOK_HOSTS can allow the host."
                )
        return texts


def is_public(address: IPAddress) -> bool:
    """Return whether an address, or the IPv4 address embedded in it, is on the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return is_public(inner)
    special = address.is_multicast or address.is_reserved or any(address in network for network in NOT_PUBLIC)
    return address.is_global and not special
