"""Sends a request over the public URL, as a provider on the internet would, and tells only what that proves."""

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from scim.events.urls import is_public

PASSED, FAILED, UNKNOWN = "passed", "failed", "unknown"
TIMEOUT_S = 10.0
# Public ones.
AUTHORITIES = DEFAULT_CA_BUNDLE_PATH
PROBE = "/Users?startIndex=1&count=1"


class Outcome(NamedTuple):
    """What a request over the public URL proved about a provider on the internet: PASSED, FAILED or UNKNOWN."""

    state: str
    text: str


class _Refused(Exception):
    """Okta would refuse the URL, too; the message is the reason."""


def check(base: str, key: str, headers: Mapping[str, str]) -> Outcome:
    """Read users over a base URL, first without a key and then with it, and return what Okta would meet."""
    try:
        return _check(urlsplit(base), key, headers)
    except _Refused as refused:
        return Outcome(FAILED, str(refused))
    except ssl.SSLCertVerificationError as error:
        return Outcome(FAILED, f"Okta would not accept the certificate of this URL: {error.verify_message}.")
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = f"{type(error).__name__}: {error}"[:200]
        text = f"The URL could not be reached from this machine, which proves nothing about Okta. ({reason})"
        return Outcome(UNKNOWN, text)


def _check(url: SplitResult, key: str, headers: Mapping[str, str]) -> Outcome:
    host = url.hostname or ""
    if url.scheme != "https":
        raise _Refused("Okta needs https. Put a proxy with a certificate in front of Perch and set PERCH_PUBLIC_URL.")
    addresses = resolve(host, url.port or 443)
    for address in addresses:
        if not is_public(ipaddress.ip_address(address)):
            raise _Refused(f"{host} has the address {address}, which is not on the public internet.")
    without = _get(url, headers, addresses)
    if without != 401:
        raise _Refused(f"A request without an access key was answered {without}, not 401: another server answers here.")
    status = _get(url, {**headers, "Authorization": f"Bearer {key}"}, addresses)
    if status != 200:
        proxy = " If the key is valid, a proxy removes the header Authorization." if status == 401 else ""
        raise _Refused(f"A request with the access key was answered {status}, not 200.{proxy}")
    return Outcome(PASSED, "A request over this URL was answered: 401 without an access key, 200 with it.")


def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def _get(url: SplitResult, headers: Mapping[str, str], addresses: Sequence[str]) -> int:
    """Return the status of a GET below the base URL, sent to the first address that can be connected to."""
    host, port = url.hostname or "", url.port or 443
    with closing(http.client.HTTPConnection(host, port)) as connection:
        # Connected already, since http.client would resolve the name again.
        connection.sock = _connected(host, port, addresses)
        sent = {"Host": url.netloc, "Connection": "close", **headers}
        connection.request("GET", f"{url.path}{PROBE}", headers=sent)
        return connection.getresponse().status


def _connected(host: str, port: int, addresses: Sequence[str]) -> ssl.SSLSocket:
    last = OSError("The host has no address.")
    for address in addresses:
        try:
            plain = socket.create_connection((address, port), TIMEOUT_S)
        except OSError as error:
            last = error
            continue
        try:
            plain.settimeout(TIMEOUT_S)
            # As providers do, only public authorities are trusted, not those of this machine.
            trusting = ssl.create_default_context(cafile=AUTHORITIES)
            return trusting.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
    raise last
