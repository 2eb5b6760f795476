"""Access keys: create one and see it this once, list them, revoke them."""

from flask import Response
from werkzeug.wrappers import Response as BaseResponse

from schemas.errors import InvalidValue
from scim.console import once, traffic, words
from scim.console.blueprint import console
from scim.console.web import database, field, onward, page
from scim.service.keys import make_key
from storage import keys

LONGEST_NAME = 200
MOST_DAYS = 3650


@console.get("/keys", endpoint="keys")
def show_keys() -> Response:
    """List the keys, live ones first, with the form for a new one."""
    return _listed()


@console.post("/keys")
def create_key() -> BaseResponse:
    """Make a key and show it on this answer alone; the same form sent again makes no other."""
    try:
        wanted = _wanted()
    except InvalidValue as error:
        return _listed(400, error.detail)
    key, text = make_key(*wanted)
    with database().write() as connection:
        if not once.is_first(connection):
            return onward("keys", "That form was sent before, and no second key was made.", "calm")
        keys.insert(connection, key)
    return page("key_made.html", 201, key=key, text=text)


@console.get("/keys/<identifier>/revoke")
def confirm_revoke(identifier: str) -> Response:
    """Ask before a key is revoked."""
    with database().read() as connection:
        key = keys.get(connection, identifier)
    return page("key_revoke.html", key=key)


@console.post("/keys/<identifier>/revoke")
def revoke(identifier: str) -> BaseResponse:
    """Revoke a key; it stops at once, in every worker."""
    with database().write() as connection:
        key = keys.revoke(connection, identifier)
    return onward("keys", f"The key '{key.name}' is revoked; whoever uses it is refused from now on.")


def _listed(status: int = 200, problem: str = "") -> Response:
    with database().read() as connection:
        found = sorted(keys.list_all(connection), key=lambda key: (not key.live, key.created))
    today = traffic.per_key_today()
    return page(
        "keys.html", status, keys=found, today=today, once=once.token(), problem=problem,
        mode=traffic.mode(), modes=traffic.MODES,
    )  # fmt: skip


def _wanted() -> tuple[str, str, str, str | None, float | None]:
    """Return what the form asks for.

    :raises InvalidValue: naming the field that is wrong.
    """
    name, idp, access = field("name"), field("idp"), field("access")
    shape, days = field("rolesAs"), field("days")
    if not name or len(name) > LONGEST_NAME:
        raise InvalidValue(f"Give the key a name of 1 to {LONGEST_NAME} characters, so that you know it later.")
    if idp not in words.PROVIDERS or access not in words.ACCESS or shape not in ("", *words.SHAPES):
        raise InvalidValue("Choose the provider, the access and the shape of roles from the lists.")
    if days and not (days.isascii() and days.isdigit() and 1 <= int(days[:9]) <= MOST_DAYS):
        raise InvalidValue(f"Days until the key expires: a whole number from 1 to {MOST_DAYS}, or empty for never.")
    return name, idp, access, shape or None, float(days) if days else None
