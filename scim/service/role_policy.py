"""Direct roles as clients send them, held against the catalogue and against what the user already has."""

from dataclasses import dataclass
from typing import Any

from schemas.errors import InvalidValue
from scim.service.context import Context
from storage import journal, members, roles
from storage.database import Connection
from storage.resources import Row

Roles = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The sent roles that a user gets, and the unknown slugs that PERCH_UNKNOWN_ROLES=ignore left out."""

    roles: Roles
    ignored: tuple[str, ...] = ()

    @property
    def journalled(self) -> dict[str, Any]:
        """What of it the journal keeps beside the change of `roles`."""
        return {"roles.ignored": {"before": [], "after": list(self.ignored)}} if self.ignored else {}


def with_kept_details(sent: Roles, held: Roles) -> Roles:
    """Return the sent roles, a bare slug taking over the details of the role already held by that slug."""
    details = {role["value"]: role for role in held}
    return [details.get(role["value"], role) if role.keys() == {"value"} else role for role in sent]


def accept(context: Context, connection: Connection, sent: Roles) -> Accepted:
    """Hold the sent roles against the catalogue; PERCH_UNKNOWN_ROLES says what becomes of unknown ones.

    :raises InvalidValue: naming unknown slugs and the nearest known ones, when unknown roles are refused.
    """
    unknown = roles.unknown(connection, [role["value"] for role in sent]) if sent else []
    if not unknown:
        return Accepted(sent)
    policy = context.settings["PERCH_UNKNOWN_ROLES"]
    if policy == "reject":
        raise InvalidValue(_refusal(connection, unknown))
    if policy == "ignore":
        return Accepted([role for role in sent if role["value"] not in unknown], tuple(unknown))
    for role in sent:
        if role["value"] in unknown:
            roles.add(connection, role["value"], role.get("display") or role["value"])
            subject = ("Role", role["value"], role.get("display") or role["value"])
            journal.append(connection, context.author, "create", subject, {})
    return Accepted(sent)


def _refusal(connection: Connection, unknown: list[str]) -> str:
    slugs = [role.slug for role in roles.catalogue(connection)]
    sentences = [f"roles: there is no role '{slug}'.{roles.near(slug, slugs)}" for slug in unknown[:5]]
    return " ".join([*sentences, "The Roles page of Perch lists the slugs."])


def withdrawn(connection: Connection, row: Row) -> dict[str, Any]:
    """Return, for the journal, what goes with a resource beside its document: roles by hand, members, memberships."""
    found: dict[str, Any] = {}
    for role in roles.assigned(connection, [row.seq]).get(row.seq, ()):
        if role.source != roles.DIRECT:
            found.setdefault(f"roles.{role.source}", {"before": [], "after": []})["before"].append(role.role)
    everyone = members.everyone(connection, row.seq)
    if everyone:
        found["members"] = members.journalled(connection, everyone)
    above = [group.id for group in members.groups_above(connection, [row.seq]).get(row.seq, ()) if group.direct]
    if above:
        found["groups"] = {"before": above, "after": []}
    return found
