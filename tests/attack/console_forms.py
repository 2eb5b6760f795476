"""Inputs for the console: pages and forms of people who are signed in, and of others."""

from random import Random
from urllib.parse import quote

from tests.attack.grammar import any_filter
from tests.attack.inputs import SIGNED_IN, Input
from tests.support.hostile import NASTY_NUMBERS, NASTY_TEXTS

PAGES = (
    "/", "/users", "/users/{USER:1}", "/groups", "/groups/{GROUP:1}", "/groups/{GROUP:1}/roles?slug=attack:1",
    "/role", "/roles", "/role/remove", "/keys", "/keys/{KEYID:0}/revoke",
    "/webhooks", "/webhooks/{HOOK:0}", "/webhooks/{HOOK:0}/remove", "/requests",
    "/requests/{ENTRY:0}", "/requests/{ENTRY:9}", "/requests/quirks", "/journal", "/setup", "/okta", "/entra",
    "/sessions",
    "/fuse", "/sign-in", "/nothing", "/static/perch.svg", "/static/../../app.py", "/requests/99999999999999999999",
    "/users/{CANARY:1}",
)  # fmt: skip
PARAMETERS = ("q", "page", "state", "role", "group", "sort", "dir", "slug", "before", "key", "method", "show", "type")
SLUGS = ("managed:admin", "attack:1", "attack:2", "nope", "", "\u202e", "a" * 3000, "\0", "{USER:1}")
FORMS: dict[str, dict[str, tuple[str, ...]]] = {
    "/users/{USER:4}/roles": {"slug": SLUGS},
    "/users/{USER:4}/roles/withdraw": {"slug": SLUGS},
    "/groups/{GROUP:4}/roles": {"slug": SLUGS},
    "/groups/{GROUP:4}/roles/withdraw": {"slug": SLUGS},
    "/roles": {"slug": SLUGS, "name": ("R", "", "\0", "x" * 5000), "description": ("d", "\ud800")},
    "/role?slug=attack:1": {"name": ("R", ""), "description": ("d",)},
    "/role/remove?slug=attack:2": {"force": ("1", "")},
    "/keys": {
        "name": ("made", ""), "idp": ("okta", "x"), "access": ("read", "x"), "days": ("1", "0", "\u0661", "9" * 30),
        "rolesAs": ("", "x"), "unknownRoles": ("", "x"),
    },
    "/keys/{KEYID:1}/revoke": {},
    "/webhooks": {
        "url": ("http://127.0.0.1:9/", "https://10.0.0.1/", "ftp://x", "https://[::1", "http://169.254.169.254/", ""),
        "format": ("standard", "set", "x"), "kinds": ("user.created", "nope"),
    },
    "/webhooks/{HOOK:0}/pause": {},
    "/webhooks/{HOOK:0}/resume": {},
    "/webhooks/{HOOK:0}/rotate": {},
    "/webhooks/{HOOK:0}/replay": {"from": ("beginning", "time"), "at": ("2026-01-01T00:00", "x", "0001-01-01T00:00")},
    "/requests/{ENTRY:0}/replay": {},
    "/requests/{ENTRY:9}/replay": {},
    "/fuse": {"minutes": ("10", "-1", "x", "9" * 40)},
    "/sessions": {"session": ("x", "\0")},
}  # fmt: skip
SECRETS = ("wrong password", "", "\0", "x" * 5000, "\ud800")
# Forms that would be believed if the token or the session were not checked.
STOLEN: dict[str, dict[str, str]] = {
    "/users/{CANARY:3}/roles": {"slug": "managed:admin"},
    "/groups/{TEAM:3}/roles": {"slug": "managed:admin"},
    "/role/remove?slug=canary": {"force": "1"},
    "/role?slug=canary": {"name": "stolen", "description": "stolen"},
    "/sessions": {"session": "others"},
    "/keys": {"name": "stolen", "idp": "okta", "access": "provision", "once": "stolen"},
}


def encoded(fields: dict[str, str]) -> str:
    """Return fields as the body of a form; placeholders stay as they are."""
    pairs = ((quote(name), quote(text.encode("utf-8", "surrogatepass"), safe="{}:/")) for name, text in fields.items())
    return "&".join(f"{name}={text}" for name, text in pairs)


def page(chance: Random) -> Input:
    """Return a page with odd parameters."""
    target = "/console" + chance.choice(PAGES).replace("ENTRY:9", f"ENTRY:{chance.randrange(50)}")
    values = (*SLUGS, *NASTY_TEXTS[:12], *map(str, NASTY_NUMBERS), any_filter(chance))
    asked = encoded({name: chance.choice(values)[:500] for name in chance.sample(PARAMETERS, chance.choice((0, 1, 3)))})
    signed = SIGNED_IN if chance.random() < 0.8 else ()
    return Input("console", "GET", f"{target}?{asked}", (*signed, ("X-Forwarded-For", "192.0.2.7")))


def form(chance: Random) -> Input:
    """Return a form of a person who is signed in, with fields missing or odd."""
    path = chance.choice(sorted(FORMS))
    fields = {name: chance.choice(values) for name, values in FORMS[path].items() if chance.random() < 0.9}
    if chance.random() < 0.1:
        fields |= {chance.choice(PARAMETERS): chance.choice(NASTY_TEXTS)[:3000]}
    fields |= {"form_token": "{TOKEN}", "once": str(chance.random())}
    return Input("console", "POST", "/console" + path, (*SIGNED_IN, *_form_headers(chance)), encoded(fields))


def stolen_form(chance: Random) -> Input:
    """Return a form that has to be refused: no session, no token, or another site's."""
    path = chance.choice(sorted(STOLEN))
    fields, how = dict(STOLEN[path]), chance.randrange(4)
    headers: tuple[tuple[str, str], ...] = SIGNED_IN if how else (("Cookie", "perch_console=x.y"),)
    if how in (0, 1):
        fields["form_token"] = "{TOKEN}" if how == 0 else "x" * chance.randrange(50)
    elif how == 2:
        fields["form_token"] = "{TOKEN}"
        headers += (chance.choice((("Origin", "https://evil.example"), ("Sec-Fetch-Site", "cross-site"))),)
    headers += _form_headers(chance)
    return Input("unwelcome form", "POST", "/console" + path, headers, encoded(fields), forbidden=True)


def sign_in(chance: Random) -> Input:
    """Return an attempt to sign in without the password."""
    fields = {"password": chance.choice(SECRETS), "next": chance.choice(("/console/users", "//evil", *NASTY_TEXTS[:9]))}
    if chance.random() < 0.5:
        fields["form_token"] = "x"
    body = encoded(fields)
    if chance.random() < 0.1:
        body = chance.choice(("%", "&" * 5000, "=", "password", "\xff\xfe=\x00", "a=1&" * 3000))
    return Input("unwelcome form", "POST", "/console/sign-in", _form_headers(chance), body, forbidden=True)


def _form_headers(chance: Random) -> tuple[tuple[str, str], ...]:
    kinds = ("application/x-www-form-urlencoded",) * 8 + ("multipart/form-data; boundary=x", "text/plain", "")
    return ("Content-Type", chance.choice(kinds)), ("X-Forwarded-For", f"192.0.2.{chance.randrange(256)}")
