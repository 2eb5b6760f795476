"""Sends a request over the public URL, as a provider on the internet would, and tells only what that proves."""

import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from scim.events.urls import is_public

PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"
TIMEOUT_S = 10.0
STATUS_LINE, LONGEST_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})\b"), 500
PROBE = "/Users?startIndex=1&count=1"


def _resolve(host: str, port: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def _trust() -> ssl.SSLContext:
    """Return a context of public authorities, as providers trust them, without those of this machine."""
    return ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH)


@dataclass(frozen=True, slots=True)
class Network:
    """The way to a host: its addresses, the trusted certificates, and connections to an address."""

    resolve: Callable[[str, int], Sequence[str]] = _resolve
    trust: Callable[[], ssl.SSLContext] = _trust
    connect: Callable[[tuple[str, int], float], socket.socket] = socket.create_connection


class Outcome(NamedTuple):
    """What a request over the public URL proved about a provider on the internet: PASSED, FAILED or UNKNOWN."""

    state: str
    text: str


class _Refused(Exception):
    """Okta would refuse the URL, too; the message is the reason."""


def check(base: str, key: str, headers: Mapping[str, str], network: Network) -> Outcome:
    """Read users over a base URL, first without a key and then with it, and return what Okta would meet."""
    try:
        return _check(urlsplit(base), key, headers, network)
    except _Refused as refused:
        return Outcome(FAILED, str(refused))
    except ssl.SSLCertVerificationError as error:
        return Outcome(FAILED, f"Okta would not accept the certificate of this URL: {error.verify_message}.")
    except (OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        text = f"The URL could not be reached from this machine, which proves nothing about Okta. ({reason})"
        return Outcome(UNKNOWN, text)


def _check(url: SplitResult, key: str, headers: Mapping[str, str], network: Network) -> Outcome:
    host, port = url.hostname or "", url.port or 443
    if url.scheme != "https":
        raise _Refused("Okta needs https. Put a proxy with a certificate in front of Perch and set PERCH_PUBLIC_URL.")
    addresses = network.resolve(host, port)
    for address in addresses:
        if not is_public(ipaddress.ip_address(address)):
            raise _Refused(f"{host} has the address {address}, which is not on the public internet.")
    without = _get(url, headers, addresses, network)
    if without != 401:
        raise _Refused(f"A request without an access key was answered {without}, not 401: another server answers here.")
    status = _get(url, {**headers, "Authorization": f"Bearer {key}"}, addresses, network)
    if status != 200:
        proxy = " If the key is valid, a proxy removes the header Authorization." if status == 401 else ""
        raise _Refused(f"A request with the access key was answered {status}, not 200.{proxy}")
    return Outcome(PASSED, "A request over this URL was answered: 401 without an access key, 200 with it.")


def _get(url: SplitResult, headers: Mapping[str, str], addresses: Sequence[str], network: Network) -> int:
    """Return the status of a GET below the base URL, sent to the first address that can be connected to."""
    lines = [f"GET {url.path}{PROBE} HTTP/1.1", f"Host: {url.netloc}", "Connection: close"]
    lines += [f"{name}: {text}" for name, text in headers.items()]
    # http.client would resolve the name again.
    with _connected(url.hostname or "", url.port or 443, addresses, network) as connected:
        connected.sendall("\r\n".join([*lines, "", ""]).encode())
        with connected.makefile("rb") as answer:
            status = STATUS_LINE.match(answer.readline(LONGEST_LINE))
    if status is None:
        raise ValueError("no answer in HTTP")
    return int(status[1])


def _connected(host: str, port: int, addresses: Sequence[str], network: Network) -> ssl.SSLSocket:
    last = OSError("The host has no address.")
    for address in addresses:
        try:
            plain = network.connect((address, port), TIMEOUT_S)
        except OSError as error:
            last = error
            continue
        try:
            plain.settimeout(TIMEOUT_S)
            return network.trust().wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
    raise last
