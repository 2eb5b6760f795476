"""/{workspace}/oauth/token, which gives access tokens to OAuth 2.0 clients (RFC 6749 section 4.4), and its metadata."""

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from flask import Blueprint, Response, g, request

from schemas.errors import NotFound, ScimError
from scim.service import jose, oauth
from scim.service.oauth import InvalidClient, OAuthError, UnsupportedGrantType
from scim.web import addresses
from scim.web.auth import decoded_basic
from scim.web.health import failures
from scim.web.requests import KIB, issuer, perch, read_body
from storage.journal import Author
from storage.keys import Key
from storage.oauth import READ, Credential, trusts

blueprint = Blueprint("oauth", __name__)
GRANT = "client_credentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FORM = "application/x-www-form-urlencoded"
MOST_BYTES, MOST_FIELDS = 64 * KIB, 100
CREDENTIALS = ("client_id", "client_secret", "client_assertion", "access_token")
# Written by `make openapi`.
DESCRIPTION = Path(__file__).with_name("openapi.json")
# Seconds after which a wrong client is answered, whatever was found to be wrong.
REFUSED_AFTER = 0.02
Found = tuple[Key, Credential, tuple[str, float] | None]


@blueprint.errorhandler(ScimError)
def answer_oauth_error(error: ScimError) -> Response:
    """Answer an error as OAuth 2.0 has it (RFC 6749 section 5.2)."""
    otherwise = "temporarily_unavailable" if error.status == 429 or error.status >= 500 else "invalid_request"
    named = getattr(error, "error", otherwise)
    return _json({"error": named, "error_description": error.detail}, error.status, error.headers)


@blueprint.post("/<workspace>/oauth/token", strict_slashes=False)
def token(workspace: str) -> Response:
    """Answer an access token for the client's credentials.

    :raises OAuthError: for a wrong request; :raises InvalidClient: for a wrong client, always in the same words.
    :raises Unavailable: on a follower.
    """
    began = time.monotonic()
    _check_workspace(workspace)
    perch().database.primary_only()
    form = _read_form()
    try:
        key, credential, once = _client(form)
        author, minutes = Author(f"key:{key.id}", g.request_id), perch().settings["PERCH_TOKEN_MINUTES"]
        issued = oauth.issue(perch().repository, key, credential, form.get("scope", ""), minutes, author, once)
    except InvalidClient:
        addresses.count_refused(failures(), request.remote_addr)
        time.sleep(max(0.0, began + REFUSED_AFTER - time.monotonic()))
        raise
    return _json(
        {"access_token": issued.token, "token_type": "Bearer", "expires_in": issued.seconds, "scope": issued.scope}
    )


@blueprint.get("/.well-known/oauth-authorization-server/<workspace>", strict_slashes=False)
def metadata(workspace: str) -> Response:
    """Answer the metadata of the authorization server (RFC 8414 section 3); public."""
    _check_workspace(workspace)
    return _json(
        {
            "issuer": issuer(),
            "token_endpoint": token_url(),
            "grant_types_supported": [GRANT],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": list(jose.ALGORITHMS),
            "scopes_supported": [oauth.SCIM, READ],
            "response_types_supported": ["none"],
        }
    )


@blueprint.get("/<workspace>/openapi.json", strict_slashes=False)
def openapi(workspace: str) -> Response:
    """Answer the OpenAPI 3.1 description of SCIM, events and OAuth; public."""
    _check_workspace(workspace)
    found = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    # Strangers are told the version of SCIM, not that of Perch.
    return _json({**found, "info": {**found["info"], "version": "2.0"}, "servers": [{"url": issuer()}]})


def token_url() -> str:
    """Return the URL of the token endpoint."""
    return f"{issuer()}/oauth/token"


def _check_workspace(workspace: str) -> None:
    if workspace != perch().workspace:
        raise NotFound("There is no such workspace; copy the token URL again from Perch.")


def _json(document: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(document), status, headers, content_type="application/json")


def _read_form() -> dict[str, str]:
    """Return the parameters of a token request (RFC 6749 section 4.4.2); those without a value are left out."""
    if any(name in request.args for name in CREDENTIALS):
        raise OAuthError("Credentials do not belong in the URL, since logs keep it; send them in the form.")
    if request.mimetype != FORM:
        raise OAuthError(f"Content-Type: send a form, {FORM}.")
    try:
        pairs = parse_qsl(read_body(MOST_BYTES).decode(), errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise OAuthError(f"The body is no form of at most {MOST_FIELDS} fields in UTF-8.") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise OAuthError("A parameter comes twice; send each once.")
    if "grant_type" not in form:
        raise OAuthError(f"grant_type is missing; send grant_type={GRANT}.")
    if form["grant_type"] != GRANT:
        raise UnsupportedGrantType(f"Only grant_type={GRANT} is possible.")
    return form


def _client(form: dict[str, str]) -> Found:
    """Return the client that authenticated, and with what."""
    basic, secret, assertion = _basic(), form.get("client_secret"), form.get("client_assertion")
    if sum(found is not None for found in (basic, secret, assertion)) > 1:
        raise OAuthError("The client authenticates in two ways; send one: Basic, client_secret or client_assertion.")
    client = form.get("client_id", "")
    if basic is not None:
        if client and client != basic[0]:
            raise OAuthError("The header Authorization and client_id name two clients; send one.")
        client, secret = basic
    if assertion is not None:
        return _by_assertion(form, client, assertion)
    return *oauth.by_secret(perch().database, client, secret or ""), None


def _basic() -> tuple[str, str] | None:
    """Return id and secret of the header Authorization (RFC 6749 section 2.3.1); None without the header."""
    header = request.environ.get("HTTP_AUTHORIZATION")
    if header is None:
        return None
    scheme, _, rest = header.strip().partition(" ")
    credentials = decoded_basic(rest) if scheme.lower() == "basic" else ""
    client, _, secret = credentials.partition(":")
    return unquote_plus(client), unquote_plus(secret)


def _by_assertion(form: dict[str, str], client: str, text: str) -> Found:
    assertion = jose.read_jwt(text)
    if assertion is None or form.get("client_assertion_type") != ASSERTION_TYPE:
        raise InvalidClient()
    # A client that signs for itself need not be named twice (RFC 7521 section 4.2).
    # Half of a surrogate pair, which JSON may contain, cannot be looked up.
    client = client or str(assertion.claims.get("sub")).encode(errors="replace").decode()
    held = trusts(perch().database, client)
    if held is None or not held[0].live:
        raise InvalidClient()
    verified = jose.verify(assertion, client, held[1], (token_url(), issuer()))
    if verified is None:
        raise InvalidClient()
    return held[0], *verified
