"""An OAuth 2.0 client: its token URL, its secrets and the trusts in signed assertions."""

from flask import request
from werkzeug.wrappers import Response

from scim.console.blueprint import console
from scim.console.web import author, days_of, field, form_of, is_first, once, page, redirect_to
from scim.service import oauth as service
from scim.web.oauth import token_url
from scim.web.requests import perch
from storage import keys, oauth
from storage.keys import Key
from storage.oauth import KINDS

FIELDS = ("issuer", "subject", "audiences")


@console.get("/keys/<identifier>/oauth", endpoint="oauth_client")
def show_oauth_client(identifier: str) -> Response:
    """Show an OAuth client with its secrets and trusts."""
    return _client_page(identifier)


@console.post("/keys/<identifier>/oauth/secrets")
def add_secret(identifier: str) -> Response:
    """Add a secret and show it only in this answer; a form that is sent again adds no second secret."""
    form_of(_client_page, identifier)
    days = days_of("Works for (days)", service.MOST_SECRET_DAYS)
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        if not is_first(write.connection):
            text = "This form was already sent; no second secret was made."
            return redirect_to("oauth_client", text, "calm", identifier=identifier)
        _, text = service.add_secret(write, key, days)
    return secret_page(key, text)


@console.post("/keys/<identifier>/oauth/trusts")
def add_trust(identifier: str) -> Response:
    """Trust the signed assertions of the client itself, or those of an issuer."""
    form_of(_client_page, identifier)
    issuer, subject, audiences = map(field, FIELDS)
    # A key set is longer than other fields.
    jwks = request.form.get("jwks", "").strip()
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        service.add_trust(write, key, issuer or None, subject or None, audiences.split(), jwks or None)
    return redirect_to("oauth_client", "Perch trusts these assertions from now on.", identifier=identifier)


@console.post("/keys/<identifier>/oauth/<kind>/<credential>/revoke")
def revoke_credential(identifier: str, kind: str, credential: str) -> Response:
    """Revoke a secret or a trust; its tokens stop at once."""
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        service.revoke_credential(write, key, kind if kind in KINDS else "secret", credential)
    return redirect_to("oauth_client", f"The {kind} is revoked, and its tokens with it.", identifier=identifier)


def secret_page(key: Key, text: str) -> Response:
    """Return the page that shows a new secret once."""
    return page("oauth_secret.html", 201, key=key, text=text, token_url=token_url())


def _client_page(identifier: str, status: int = 200, problem: str = "") -> Response:
    with perch().database.read() as connection:
        key = keys.get(connection, identifier)
        service.check_oauth(key)
        lists = {f"{kind}s": oauth.list_all(connection, identifier, kind) for kind in KINDS}
    return page(
        "oauth_client.html", status, key=key, problem=problem, once=once(), token_url=token_url(),
        days=service.SECRET_DAYS, most_days=service.MOST_SECRET_DAYS, **lists,
    )  # fmt: skip
