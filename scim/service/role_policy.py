"""Direct roles as clients send them: checked against the catalogue, completed from the roles that the user has."""

from dataclasses import dataclass
from typing import Any

from schemas.errors import InvalidValue
from scim.service.context import Context
from storage import roles
from storage.database import Connection
from storage.keys import Key
from storage.repository import Transaction

Roles = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The sent roles that a user gets, and the unknown slugs that the policy `ignore` left out."""

    roles: Roles
    ignored: tuple[str, ...] = ()

    def of(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return a document with the accepted roles in place of the sent ones."""
        others = {name: value for name, value in document.items() if name != "roles"}
        return {**others, "roles": self.roles} if self.roles else others

    @property
    def remarks(self) -> dict[str, Any]:
        """The ignored slugs, for the journal."""
        return {"roles.ignored": {"before": [], "after": list(self.ignored)}} if self.ignored else {}


def with_kept_details(sent: Roles, held: Roles) -> Roles:
    """Return the sent roles; a role sent as a bare slug keeps the details of the held role with that slug."""
    details = {role["value"]: role for role in held}
    return [details.get(role["value"], role) if role.keys() == {"value"} else role for role in sent]


def accept(context: Context, write: Transaction, sent: Roles, held: Roles | None = None) -> Accepted:
    """Check the sent roles against the catalogue, unless they equal those `held`.

    The key's `unknownRoles`, else PERCH_UNKNOWN_ROLES, decides whether unknown ones are refused, ignored or created.

    :raises InvalidValue: naming unknown slugs and the nearest known ones, when unknown roles are refused.
    """
    unknown = roles.unknown(write.connection, [role["value"] for role in sent]) if sent and sent != held else []
    if not unknown:
        return Accepted(sent)
    policy = context.key.unknownRoles or context.settings["PERCH_UNKNOWN_ROLES"]
    if policy == "reject":
        raise InvalidValue(_refusal(write.connection, unknown, context.key))
    if policy == "ignore":
        return Accepted([role for role in sent if role["value"] not in unknown], tuple(unknown))
    for role in sent:
        if role["value"] in unknown:
            write.add_role(role["value"], role.get("display") or role["value"])
    return Accepted(sent)


def _refusal(connection: Connection, unknown: list[str], key: Key) -> str:
    sentences = [f"roles: there is no role '{slug}'.{roles.suggestion(connection, slug)}" for slug in unknown[:5]]
    sentences.append("The Roles page of Perch lists the slugs.")
    if key.idp == "entra":
        way = f"flask keys set {key.id} --unknown-roles create"
        sentences.append(f"Microsoft's SCIM Validator sends random roles; to accept such roles of this key: {way}.")
    return " ".join(sentences)
