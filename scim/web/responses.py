"""Responses out: answers of the service, documents and errors as application/scim+json."""

from collections.abc import Mapping, Sequence
from typing import Any

from flask import Response

from schemas.errors import ScimError
from schemas.json import to_text
from schemas.messages import error_document
from scim.service.context import Answer
from scim.web.headers import located

MEDIA_TYPE = "application/scim+json"


class ScimResponse(Response):
    """Pieces of JSON text as a response."""

    def __init__(self, pieces: Sequence[bytes], status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(pieces, status, headers, content_type=MEDIA_TYPE)
        if not pieces:
            # Without a type of our own, Flask would give an answer without content the type text/html.
            del self.headers["Content-Type"]


def answer_response(answer: Answer) -> Response:
    """Return an answer of the service; that of a single resource has its entity tag and its location."""
    headers = {"ETag": answer.etag} if answer.etag else {}
    if answer.location and answer.status != 204:
        located(answer.status, answer.location)
    return ScimResponse(answer.pieces, answer.status, headers)


def resource_response(document: Mapping[str, Any]) -> Response:
    """Return a resource that is no stored row, such as a schema, with its location."""
    located(200, document["meta"]["location"])
    return document_response(document)


def document_response(document: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON document as a response."""
    return ScimResponse([to_text(document).encode()], status, headers)


def error_response(error: ScimError) -> Response:
    """Return an error as a SCIM Error message (RFC 7644 section 3.12)."""
    return document_response(error_document(error), error.status, error.headers)
