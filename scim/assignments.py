"""Direct roles as clients send them, held against the catalogue and against what the user already has."""

import difflib
from typing import Any

from schemas.errors import InvalidValue
from scim.context import Context
from storage import journal, roles
from storage.database import Connection

Roles = list[dict[str, Any]]


def with_kept_details(sent: Roles, held: Roles) -> Roles:
    """Return the sent roles, a bare slug taking over the details of the role already held by that slug."""
    details = {role["value"]: role for role in held}
    return [details.get(role["value"], role) if role.keys() == {"value"} else role for role in sent]


def known_roles(context: Context, connection: Connection, sent: Roles) -> Roles:
    """Return the sent roles that the catalogue has, after PERCH_UNKNOWN_ROLES was applied to the others.

    :raises InvalidValue: naming unknown slugs and the nearest known ones, when unknown roles are refused.
    """
    unknown = roles.unknown(connection, [role["value"] for role in sent]) if sent else []
    if not unknown:
        return sent
    policy = context.settings["PERCH_UNKNOWN_ROLES"]
    if policy == "reject":
        raise InvalidValue(_refusal(connection, unknown))
    if policy == "ignore":
        return [role for role in sent if role["value"] not in unknown]
    for role in sent:
        if role["value"] in unknown:
            roles.add(connection, role["value"], role.get("display") or role["value"])
            subject = ("Role", role["value"], role.get("display") or role["value"])
            journal.append(connection, context.author, "create", subject, {})
    return sent


def _refusal(connection: Connection, unknown: list[str]) -> str:
    slugs = [role.slug for role in roles.catalogue(connection)]
    folded = {slug.casefold(): slug for slug in slugs}
    sentences = []
    for slug in unknown[:5]:
        near = difflib.get_close_matches(slug.casefold(), folded, n=3, cutoff=0.5) if len(slugs) < 5000 else []
        hint = f" Did you mean {' or '.join(folded[name] for name in near)}?" if near else ""
        sentences.append(f"roles: there is no role '{slug}'.{hint}")
    return " ".join([*sentences, "The Roles page of Perch lists the slugs."])
