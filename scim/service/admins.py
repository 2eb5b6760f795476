"""Who may come into the console by the claims of an OpenID provider: the names of PERCH_OIDC_ADMINS, or a role."""

from collections.abc import Mapping
from typing import Any

from schemas.errors import Forbidden
from schemas.text import fold
from scim.settings import Settings
from storage import effective_roles, resources
from storage.database import Connection

ROLE = "role:"
EMAIL, SUB = "email", "sub"
LONGEST = 1000


def person_of(settings: Settings, claims: Mapping[str, Any]) -> str:
    """Return the value of the claim that PERCH_OIDC_CLAIM names.

    :raises Forbidden: when the provider sent none, or does not vouch for an e-mail address.
    """
    claim = settings["PERCH_OIDC_CLAIM"]
    value = claims.get(claim)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST or not value.isprintable():
        raise Forbidden(
            f"The provider sent no claim '{claim}' with one name in it. Perch knows administrators by it "
            "(PERCH_OIDC_CLAIM): release it to this client in the provider, or choose another claim."
        )
    said = "email_verified" in claims
    trusted = settings["PERCH_OIDC_VERIFIED"] == "issuer" and not said
    if claim == EMAIL and not trusted and claims.get("email_verified") is not True:
        advice = "Verify it there." if said else "If it never does, as Okta and Entra, set PERCH_OIDC_VERIFIED=issuer."
        raise Forbidden(f"The provider does not say that {value} is verified (email_verified: true). {advice}")
    return value


def refusal(connection: Connection, settings: Settings, person: str) -> str:
    """Return why a person may not come into the console, "" if they may; for each request, so in few statements."""
    claim, admins = settings["PERCH_OIDC_CLAIM"], settings["PERCH_OIDC_ADMINS"]
    row = resources.find(connection, "User", person) if claim != SUB else resources.find_external(connection, person)
    if row is not None and not row.active:
        return f"The claim '{claim}' says {person}, who is deactivated in Perch."
    comparable = fold if claim == EMAIL else str
    names = {comparable(each) for each in admins if not each.startswith(ROLE)}
    if comparable(person) in names:
        return ""
    slugs = {each.removeprefix(ROLE).strip() for each in admins if each.startswith(ROLE)}
    if not slugs:
        return f"The claim '{claim}' says {person}, whom PERCH_OIDC_ADMINS does not list."
    if row is None:
        whose = "externalId of nobody or of several people" if claim == SUB else "userName of nobody"
        return f"The claim '{claim}' says {person}, which is the {whose} in Perch."
    held = {reason.role for reason in effective_roles.held_roles(connection, [row.seq])[row.seq]}
    if held & slugs:
        return ""
    return f"The claim '{claim}' says {person}, who does not have the role {' or '.join(sorted(slugs))} in Perch."
