"""Access keys: list them, create one and show it once, revoke one."""

from werkzeug.wrappers import Response

from schemas.datetimes import now
from schemas.errors import InvalidValue
from scim.console import words
from scim.console.blueprint import console
from scim.console.oauth import secret_page
from scim.console.requests import recording
from scim.console.web import author, days_of, field, form_of, is_first, once, page, redirect_to
from scim.service import keys as key_service
from scim.service import oauth as oauth_service
from scim.web.requests import perch
from storage import keys, traffic

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
    return secret_page(key, text) if key.oauth else page("key_made.html", 201, key=key, text=text)


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


def _list_page(status: int = 200, problem: str = "") -> Response:
    with perch().database.read() as connection:
        found = sorted(keys.list_all(connection), key=lambda key: (not key.live, key.created))
        today = traffic.count_per_key(connection, now()[:10])
    return page(
        "keys.html", status, keys=found, today=today, once=once(), problem=problem, recording=recording()
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
