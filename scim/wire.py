"""The only reader of requests and writer of bytes: JSON bodies, parameters, SCIM answers."""

import json
from typing import Any

from flask import Response, g, request

from schemas.errors import InvalidSyntax, PayloadTooLarge, ScimError, UnsupportedMediaType
from schemas.messages import error_document
from scim.context import Answer, Context
from scim.representation import dump
from scim.service import Conditions

MEDIA_TYPE = "application/scim+json"
ACCEPTED_TYPES = (MEDIA_TYPE, "application/json")


def context() -> Context:
    """Return the context of the authenticated request."""
    found: Context = g.context
    return found


def base_url() -> str:
    """Return the base URL that the client sees, without a final slash (PERCH_PUBLIC_URL, else the request's)."""
    origin = g.settings["PERCH_PUBLIC_URL"] or f"{request.scheme}://{request.host}"
    return f"{origin}/{g.workspace}/scim/v2"


def read_json() -> Any:
    """Return the request's JSON body (RFC 7644 section 3.1).

    :raises UnsupportedMediaType: for another type than SCIM's or JSON's.
    :raises InvalidSyntax: when the body is empty or no JSON.
    """
    if request.mimetype and request.mimetype not in ACCEPTED_TYPES:
        raise UnsupportedMediaType(f"Content-Type: send application/scim+json, not {request.mimetype[:100]}.")
    data = read_bytes()
    if not data:
        raise InvalidSyntax("The request has no body; send a JSON object.")
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise InvalidSyntax("The JSON in the body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise InvalidSyntax("The body is not UTF-8 text.") from None
    except ValueError as error:
        raise InvalidSyntax(f"The body is not valid JSON: {error}.") from None


def read_bytes() -> bytes:
    """Return the body, at most PERCH_MAX_BODY bytes of it.

    :raises PayloadTooLarge: before a larger body is read.
    """
    limit = g.settings["PERCH_MAX_BODY"]
    if (request.content_length or 0) > limit:
        raise PayloadTooLarge(f"The body is larger than {limit} bytes (PERCH_MAX_BODY); send less at once.")
    data = request.get_data(cache=True)
    if len(data) > limit:
        raise PayloadTooLarge(f"The body is larger than {limit} bytes (PERCH_MAX_BODY); send less at once.")
    return data


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def parameters() -> dict[str, str]:
    """Return the query parameters by lower-case name; of repeated ones the first counts."""
    found: dict[str, str] = {}
    for name, value in request.args.items(multi=True):
        found.setdefault(name.lower(), value)
    return found


def conditions() -> Conditions:
    """Return the request's conditional headers."""
    return Conditions(request.headers.get("If-Match"), request.headers.get("If-None-Match"))


def answer_response(answer: Answer) -> Response:
    """Return an answer as bytes, with its entity tag, and of what was created the location."""
    named = (("ETag", answer.etag), ("Location", answer.location if answer.status == 201 else None))
    return _response(answer.text, answer.status, [(name, value) for name, value in named if value])


def document_response(document: Any, status: int = 200) -> Response:
    """Return a document as a SCIM answer."""
    return _response(dump(document), status)


def error_response(error: ScimError) -> Response:
    """Return an error as a SCIM Error message (RFC 7644 section 3.12)."""
    response = document_response(error_document(error), error.status)
    response.headers.update(error.headers)
    return response


def _response(text: str | None, status: int, headers: list[tuple[str, str]] | None = None) -> Response:
    data = None if text is None else text.encode()
    return Response(data, status, headers, content_type=MEDIA_TYPE if data is not None else None)
