"""Access keys: list them, create one and show it once, revoke one; secrets and trusts of OAuth 2.0 clients."""

from flask import request
from werkzeug.wrappers import Response

from schemas.datetimes import now
from schemas.errors import InvalidValue
from scim.console import words
from scim.console.blueprint import console
from scim.console.requests import recording
from scim.console.web import author, days_of, field, form_of, is_first, once, page, redirect_to
from scim.service import keys as key_service
from scim.service import oauth as oauth_service
from scim.web.oauth import token_url
from scim.web.requests import perch
from storage import keys, oauth, traffic
from storage.keys import Key
from storage.oauth import KINDS

LONGEST_NAME = 200
MOST_DAYS = 3650


@console.get("/keys", endpoint="keys")
def show_keys() -> Response:
    """List the keys, live ones first, with the form for a new one."""
    return _list_page()


@console.post("/keys")
def create_key() -> Response:
    """Create a key and show it only in this answer; a form that is sent again creates no second key."""
    form_of(_list_page)
    key, bearer = key_service.make_key(*_read_form(), oauth=bool(field("oauth")))
    with perch().repository.writing(author()) as write:
        if not is_first(write.connection):
            return redirect_to("keys", "This form was already sent; no second key was made.", "calm")
        text = oauth_service.add_client(write, key, bearer) or ""
    return _secret_page(key, text) if key.oauth else page("key_made.html", 201, key=key, text=text)


@console.get("/keys/<identifier>/revoke")
def confirm_revoke(identifier: str) -> Response:
    """Ask for confirmation before a key is revoked."""
    with perch().database.read() as connection:
        key = keys.get(connection, identifier)
    return page("key_revoke.html", key=key)


@console.post("/keys/<identifier>/revoke")
def revoke(identifier: str) -> Response:
    """Revoke a key; all workers refuse it at once."""
    with perch().repository.writing(author()) as write:
        key = key_service.revoke(write, identifier)
    return redirect_to("keys", f"The key '{key.name}' is revoked. Perch refuses all requests with it from now on.")


@console.get("/keys/<identifier>/oauth", endpoint="oauth_client")
def show_oauth_client(identifier: str) -> Response:
    """Show an OAuth client with its secrets and trusts."""
    return _client_page(identifier)


@console.post("/keys/<identifier>/oauth/secrets")
def add_secret(identifier: str) -> Response:
    """Add a secret and show it only in this answer; a form that is sent again adds no second secret."""
    form_of(_client_page, identifier)
    days = days_of("Works for (days)", oauth_service.MOST_SECRET_DAYS)
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        if not is_first(write.connection):
            text = "This form was already sent; no second secret was made."
            return redirect_to("oauth_client", text, "calm", identifier=identifier)
        _, text = oauth_service.add_secret(write, key, days)
    return _secret_page(key, text)


@console.post("/keys/<identifier>/oauth/trusts")
def add_trust(identifier: str) -> Response:
    """Trust the signed assertions of the client itself, or those of an issuer."""
    form_of(_client_page, identifier)
    issuer, subject, audiences = field("issuer"), field("subject"), field("audiences")
    # A key set is longer than other fields.
    jwks = request.form.get("jwks", "").strip()
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        oauth_service.add_trust(write, key, issuer or None, subject or None, audiences.split(), jwks or None)
    return redirect_to("oauth_client", "Perch trusts these assertions from now on.", identifier=identifier)


@console.post("/keys/<identifier>/oauth/<any(secret, trust):kind>/<credential>/revoke")
def revoke_credential(identifier: str, kind: str, credential: str) -> Response:
    """Revoke a secret or a trust; its tokens stop at once."""
    with perch().repository.writing(author()) as write:
        key = keys.get(write.connection, identifier)
        oauth_service.revoke_credential(write, key, kind, credential)
    return redirect_to("oauth_client", f"The {kind} is revoked, and its tokens with it.", identifier=identifier)


def _secret_page(key: Key, text: str) -> Response:
    """Return the page that shows a new secret once."""
    return page("oauth_secret.html", 201, key=key, text=text, token_url=token_url())


def _client_page(identifier: str, status: int = 200, problem: str = "") -> Response:
    with perch().database.read() as connection:
        key = keys.get(connection, identifier)
        oauth_service.check_oauth(key)
        lists = {f"{kind}s": oauth.list_all(connection, identifier, kind) for kind in KINDS}
    return page(
        "oauth_client.html", status, key=key, problem=problem, once=once(), token_url=token_url(),
        days=oauth_service.SECRET_DAYS, most_days=oauth_service.MOST_SECRET_DAYS, **lists,
    )  # fmt: skip


def _list_page(status: int = 200, problem: str = "") -> Response:
    with perch().database.read() as connection:
        found = sorted(keys.list_all(connection), key=lambda key: (not key.live, key.created))
        today = traffic.count_per_key(connection, now()[:10])
    return page(
        "keys.html", status, keys=found, today=today, once=once(), problem=problem, recording=recording(),
        is_recorded=perch().settings["PERCH_TRAFFIC"] != "off",
    )  # fmt: skip


def _read_form() -> tuple[str, str, str, str | None, float | None, str | None]:
    """Return name, provider, access, shape of roles, days and policy for unknown roles of the form."""
    name, idp, access = field("name"), field("idp"), field("access")
    shape, unknown = field("rolesAs"), field("unknownRoles")
    if not name or len(name) > LONGEST_NAME:
        raise InvalidValue(f"Give the key a name of 1 to {LONGEST_NAME} characters by which you recognise it later.")
    if idp not in words.PROVIDERS or access not in words.ACCESS or shape not in ("", *words.SHAPES):
        raise InvalidValue("Choose the provider, the access and the shape of roles from the lists.")
    if unknown not in ("", *words.UNKNOWN_ROLES):
        raise InvalidValue("Choose what happens to unknown roles from the list.")
    days = days_of("Expires after (days)", MOST_DAYS, ", or nothing for never") if field("days") else None
    return name, idp, access, shape or None, days, unknown or None
