"""Where webhooks may lead: public addresses over https unless told otherwise, checked at each connection."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from schemas.errors import InvalidValue
from scim.settings import Settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
NAT64 = ipaddress.ip_network("64:ff9b::/96")
LONGEST = 2000


class Refused(Exception):
    """A webhook may not be sent to where its host leads."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart; `path` has the query, `host` is without brackets."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator allows: private addresses and plain http for all (`private`), or for these hosts."""

    private: bool
    hosts: frozenset[str]

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        """Return the policy that the settings make."""
        return cls(settings["PERCH_WEBHOOKS_ALLOW_PRIVATE"], settings["PERCH_WEBHOOK_HOSTS"])

    def trusts(self, host: str) -> bool:
        """Tell whether a host may be anywhere."""
        return self.private or host in self.hosts or f"[{host}]" in self.hosts

    def read(self, url: str) -> Target:
        """Take a webhook's URL apart.

        :raises InvalidValue: when it is none, or not https where that is needed.
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise InvalidValue("The URL is none; write https://app.example.com/path.") from None
        host = (parts.hostname or "").lower()
        if parts.scheme not in ("http", "https") or not host or len(url) > LONGEST or not url.isascii():
            raise InvalidValue("The URL is none for webhooks; write https://app.example.com/path.")
        if parts.username is not None or parts.fragment or any(character <= " " for character in url):
            raise InvalidValue("A webhook's URL has no user, no fragment and no spaces.")
        if parts.scheme == "http" and not self.trusts(host):
            raise InvalidValue(
                "Webhooks go over https; for a test on this machine set PERCH_WEBHOOKS_ALLOW_PRIVATE=on, or name the "
                "host in PERCH_WEBHOOK_HOSTS."
            )
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Target(parts.scheme, host, port or (443 if parts.scheme == "https" else 80), path)

    def addresses(self, target: Target) -> list[str]:
        """Resolve a host and return its addresses, to connect to these and to no other.

        :raises Refused: when one of them is not public and the host is not trusted; :raises OSError: without any.
        """
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        texts = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        for text in texts:
            if not self.trusts(target.host) and not is_public(ipaddress.ip_address(text.partition("%")[0])):
                raise Refused(
                    f"{target.host} leads to {text}, which is not public; PERCH_WEBHOOK_HOSTS can allow the host."
                )
        return texts


def is_public(address: Address) -> bool:
    """Tell whether an address is one of the public internet, whatever it is wrapped in."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and not address.is_reserved
