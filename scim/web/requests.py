"""Requests in: JSON bodies, query parameters, conditional headers, the origin that a client names."""

import os
from typing import Any, NamedTuple

from flask import Request, current_app, g, has_request_context, request
from werkzeug.exceptions import RequestEntityTooLarge

from schemas.datetimes import now
from schemas.errors import BadRequest, InvalidSyntax, PayloadTooLarge, ScimError, UnsupportedMediaType
from schemas.json import parse_json
from schemas.json_bounds import MOST_LARGE, MOST_VALUES, check_bounds
from scim.deployment import Perch
from scim.protocol.etags import Conditions

# Commands have no request; without PERCH_PUBLIC_URL they can only guess the origin.
LOCAL_ORIGIN = f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
KIB = 1024
ACCEPTED_TYPES = ("", "application/scim+json", "application/json")


class BodyLimits(NamedTuple):
    """The bounds of a body: bytes, at most PERCH_MAX_BODY, and JSON values."""

    size: int | None
    values: int


# Of searches and polls; of a user; of groups, whose members are many, and Bulk.
MESSAGE, SINGLE = BodyLimits(256 * KIB, MOST_VALUES), BodyLimits(2048 * KIB, MOST_VALUES)
LARGE = BodyLimits(None, MOST_LARGE)


def perch() -> Perch:
    """Return the deployment that the application serves."""
    found: Perch = current_app.extensions["perch"]
    return found


def sent_path(sent: Request) -> str:
    """Return the path as the client sent it, with its query; decoded where the server does not keep the original."""
    raw: str | None = sent.environ.get("RAW_URI") or sent.environ.get("REQUEST_URI")
    return raw or sent.full_path.removesuffix("?")


def route_of(sent: Request) -> str:
    """Return the rule of the route that a request takes, whatever spelling its path has; "" without a route."""
    return sent.url_rule.rule if sent.url_rule is not None else ""


def origin_of(sent: Request) -> str:
    """Return the origin that a request names: its scheme, and its Host header or else the server's address."""
    scheme = "https" if sent.scheme == "https" else "http"
    return f"{scheme}://{sent.host or '{SERVER_NAME}:{SERVER_PORT}'.format_map(sent.environ)}"


def origin() -> str:
    """Return the origin that clients use: PERCH_PUBLIC_URL, else the request's, else this machine's."""
    return perch().origin(origin_of(request) if has_request_context() else LOCAL_ORIGIN)


def base_url() -> str:
    """Return the base URL that clients use, without a final slash."""
    return origin() + perch().base_path


def issuer() -> str:
    """Return the workspace's URL: the issuer of its security event tokens, under which jwks.json lies."""
    return f"{origin()}/{perch().workspace}"


def read_json(limits: BodyLimits) -> Any:
    """Return the JSON body of the request (RFC 7644 section 3.1).

    :raises UnsupportedMediaType: for another type than SCIM's or JSON's, or a compressed body.
    :raises PayloadTooLarge: when the body is larger than its limits or PERCH_MAX_BODY.
    :raises InvalidSyntax: when the body is empty, cut short or no JSON.
    """
    if request.mimetype not in ACCEPTED_TYPES:
        raise UnsupportedMediaType(f"Content-Type: send application/scim+json, not {request.mimetype[:100]}.")
    codings = request.environ.get("HTTP_CONTENT_ENCODING", "").split(",")
    for coding in map(str.strip, codings):
        if coding.lower() not in ("", "identity"):
            # An answer of 415 names the coding that is accepted (RFC 9110 section 15.5.16).
            text = f"Content-Encoding: send the body as it is, not encoded as {coding[:100]}."
            raise UnsupportedMediaType(text, {"Accept-Encoding": "identity"})
    # A body that could not be read to its end must not be read again for the recorder.
    g.body = b""
    g.body = read_body(limits.size)
    g.context.author.received = now()
    if not g.body:
        raise InvalidSyntax("The request has no body; send a JSON object.")
    check_bounds(g.body, limits.values)
    return parse_json(g.body)


def read_body(size: int | None) -> bytes:
    """Return the body of the request, of at most `size` bytes and PERCH_MAX_BODY.

    :raises PayloadTooLarge: when it is larger; :raises InvalidSyntax: when it did not arrive whole.
    """
    largest = perch().settings["PERCH_MAX_BODY"]
    limit = largest if size is None else min(size, largest)
    announced = request.content_length or 0
    # werkzeug reads at most this many bytes of a chunked body and leaves the rest unread.
    request.max_content_length = limit + 1
    try:
        data = b"" if announced > limit else request.get_data(cache=True)
    except (RequestEntityTooLarge, ScimError):
        raise
    except Exception:
        # Servers raise different errors for a body that is cut short or badly chunked.
        raise InvalidSyntax("The body did not arrive whole; send it again.") from None
    if max(announced, len(data)) > limit:
        reason = " (PERCH_MAX_BODY)" if limit == largest else ""
        raise PayloadTooLarge(f"The body is larger than {limit} bytes{reason}; send less at once.")
    if len(data) < announced:
        raise InvalidSyntax("The body did not arrive whole; send it again.")
    return data


def parameters() -> dict[str, str]:
    """Return the query parameters by lower-case name; the first of a repeated one counts.

    :raises BadRequest: when the query is not UTF-8 text.
    """
    found: dict[str, str] = {}
    try:
        for name, value in request.args.items():
            found.setdefault(name.lower(), value)
    except UnicodeDecodeError:
        raise BadRequest("The URL's query is not UTF-8 text; percent-encode it.") from None
    return found


def conditions() -> Conditions:
    """Return the conditional headers of the request (RFC 7644 section 3.14)."""
    environ = request.environ
    return Conditions(environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH"))
