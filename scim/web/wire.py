"""The only reader of requests and writer of bytes: JSON bodies, parameters, SCIM answers."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

from flask import Request, Response
from werkzeug.exceptions import BadHost, HTTPException
from werkzeug.sansio.utils import get_host
from werkzeug.wrappers import Response as BaseResponse

from schemas.errors import InvalidSyntax, PayloadTooLarge, ScimError, UnsupportedMediaType
from schemas.json import parse_json, to_text
from schemas.messages import error_document
from scim.protocol.etags import Conditions
from scim.service.context import Answer
from scim.settings import Settings
from scim.web.call import Call

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MEDIA_TYPE = "application/scim+json"
ACCEPTED_TYPES = (MEDIA_TYPE, "application/json")
# How long an unread body is dropped, how long each pause in it may be (seconds), and how much is read at once (bytes).
DROP_SECONDS, DROP_PAUSE, DROP_AT_ONCE = 15.0, 2.0, 65536


def base_of(sent: Request, settings: Settings, workspace: str) -> str:
    """Return the base URL of a workspace that a client sees, without a final slash (PERCH_PUBLIC_URL, else its own)."""
    return f"{settings['PERCH_PUBLIC_URL'] or _origin(sent)}/{workspace}/scim/v2"


def _origin(sent: Request) -> str:
    scheme = "https" if sent.scheme == "https" else "http"
    # Of a Host header that names no host, and where there is none (HTTP/1.0), nothing is left.
    host = _host(sent.scheme, sent.environ.get("HTTP_HOST"), sent.server)
    return f"{scheme}://{host or '{SERVER_NAME}:{SERVER_PORT}'.format_map(sent.environ)}"


@lru_cache(maxsize=64)
def _host(scheme: str, header: str | None, server: tuple[str, int | None] | None) -> str:
    """Return the host that a client names; most name one host all the time.

    :raises BadRequest: for a name that no host can have.
    """
    found = get_host(scheme, header, server)
    try:
        found.partition(":")[0].encode("idna")
    except UnicodeError:
        raise BadHost from None
    return found


def read_json(call: Call) -> Any:
    """Return the request's JSON body (RFC 7644 section 3.1).

    :raises UnsupportedMediaType: for another type than SCIM's or JSON's.
    :raises InvalidSyntax: when the body is empty or no JSON.
    """
    sent = call.sent
    if sent.mimetype and sent.mimetype not in ACCEPTED_TYPES:
        raise UnsupportedMediaType(f"Content-Type: send application/scim+json, not {sent.mimetype[:100]}.")
    data = _body(sent, call.settings["PERCH_MAX_BODY"])
    if not data:
        raise InvalidSyntax("The request has no body; send a JSON object.")
    return parse_json(data)


def _body(sent: Request, limit: int) -> bytes:
    announced = sent.content_length
    # Of chunks, werkzeug gives just as many bytes as this, be there more or not.
    sent.max_content_length = limit + 1
    try:
        data = b"" if (announced or 0) > limit else sent.get_data(cache=True)
    except HTTPException:
        raise
    except Exception:
        # What a server raises for a body cut short or for bad chunks is its own affair.
        raise InvalidSyntax("The body did not arrive whole; send it again.") from None
    if max(announced or 0, len(data)) > limit:
        raise PayloadTooLarge(f"The body is larger than {limit} bytes (PERCH_MAX_BODY); send less at once.")
    if len(data) < (announced or 0):
        raise InvalidSyntax("The body did not arrive whole; send it again.")
    return data


def drop_unread(sent: Request, response: BaseResponse, most: int) -> None:
    """Have the body that a refused request left unread dropped once the answer is sent, so that the client sees it."""
    environ = sent.environ
    if "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" not in environ:
        return
    whole = len(getattr(sent, "_cached_data", None) or b"") == sent.content_length
    if "gunicorn.socket" in environ and not whole:
        response.call_on_close(partial(_drop, environ, most))


def _drop(environ: Mapping[str, Any], most: int) -> None:
    """Read and drop at most so many bytes, as long as they come quickly; gunicorn closes where more are left."""
    connection, end = environ["gunicorn.socket"], time.monotonic() + DROP_SECONDS
    patience = connection.gettimeout()
    with suppress(Exception):
        connection.settimeout(DROP_PAUSE)
        while most > 0 and time.monotonic() < end and (dropped := environ["wsgi.input"].read(DROP_AT_ONCE)):
            most -= len(dropped)
    with suppress(OSError):
        connection.settimeout(patience)


def parameters(sent: Request) -> dict[str, str]:
    """Return a request's query parameters by lower-case name; of repeated ones the first counts."""
    found: dict[str, str] = {}
    # As werkzeug reads them, without its dictionary of lists.
    text = sent.query_string.decode(errors="replace")
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            found.setdefault(_unquoted(name).lower(), _unquoted(value))
    return found


def _unquoted(text: str) -> str:
    """Return a part of a query as it was before it was quoted (RFC 3986 section 2.1, with + for a space)."""
    text = text.replace("+", " ")
    return unquote(text, errors="werkzeug.url_quote") if "%" in text else text


def conditions(sent: Request) -> Conditions:
    """Return a request's conditional headers."""
    environ = sent.environ
    return Conditions(environ.get("HTTP_IF_MATCH"), environ.get("HTTP_IF_NONE_MATCH"))


def answer_response(answer: Answer) -> Response:
    """Return an answer as bytes, with its entity tag, and of what was created the location."""
    headers = {"ETag": answer.etag} if answer.etag else {}
    if answer.status == 201 and answer.location:
        headers["Location"] = answer.location
    return _response(answer.pieces, answer.status, headers)


def document_response(document: Any, status: int = 200) -> Response:
    """Return a document as a SCIM answer."""
    return _response([to_text(document).encode()], status)


def error_response(error: ScimError) -> Response:
    """Return an error as a SCIM Error message (RFC 7644 section 3.12)."""
    response = document_response(error_document(error), error.status)
    response.headers.update(error.headers)
    return response


class _Whole(Response):
    """An answer that is there as a whole, which werkzeug need not look through at the end."""

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer (PEP 3333)."""
        pieces = cast(list[bytes], self.response)
        status = self.status_code
        plain = status == 200 or status == 201 and self.headers.get("Location", "").isascii()
        if not plain or self._on_close or environ["REQUEST_METHOD"] == "HEAD":
            return super().__call__(environ, start_response)
        start_response(self.status, [*self.headers.to_wsgi_list(), ("Content-Length", str(sum(map(len, pieces))))])
        return pieces if len(pieces) == 1 else _given_away(pieces)


def _given_away(pieces: list[bytes]) -> Iterator[bytes]:
    """Yield pieces and keep none: a thread would hold on to what it sent last."""
    while pieces:
        yield pieces.pop(0)


def _response(pieces: Sequence[bytes], status: int, headers: dict[str, str] | None = None) -> Response:
    return _Whole(pieces, status, headers, content_type=MEDIA_TYPE if pieces else None)
