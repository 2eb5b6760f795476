"""Direct roles as clients send them: checked against the catalogue, completed from the roles that the user has."""

from collections.abc import Callable, Mapping, Sequence
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


def naming(connection: Connection) -> Callable[[Roles], None]:
    """Return a function that gives roles without a `display` the catalogue's name, as GET shows them."""
    names: dict[str, str | None] = {}

    def complete(held: Roles) -> None:
        bare = [role for role in held if "value" in role and "display" not in role]
        if unread := [role["value"] for role in bare if role["value"] not in names]:
            names.update(dict.fromkeys(unread) | roles.names(connection, unread))
        for role in bare:
            if name := names[role["value"]]:
                role["display"] = name

    return complete


def accept(context: Context, write: Transaction, sent: Roles, held: Roles | None = None) -> Accepted:
    """Check the sent roles against the catalogue, unless they equal those `held`.

    The key's `unknownRoles`, else PERCH_UNKNOWN_ROLES, decides whether unknown ones are refused, ignored or added to
    the catalogue. A `display` that GET shows anyway is not stored, so that it follows the catalogue's name.

    :raises InvalidValue: naming unknown slugs and the nearest known ones, when unknown roles are refused.
    """
    if not sent or sent == held:
        return Accepted(sent)
    names = roles.names(write.connection, [role["value"] for role in sent])
    unknown = tuple(role["value"] for role in sent if role["value"] not in names)
    policy = (context.key.unknownRoles or context.settings["PERCH_UNKNOWN_ROLES"]) if unknown else ""
    if policy == "reject":
        raise InvalidValue(_refusal(write.connection, unknown, context.key))
    if policy == "create":
        names |= _created(write, [role for role in sent if role["value"] in unknown])
    own = {role["value"]: role.get("display") for role in held or ()}
    known = [_without_name(role, names, own) for role in sent if role["value"] in names]
    return Accepted(known, unknown if policy == "ignore" else ())


def _created(write: Transaction, unknown: Roles) -> dict[str, str]:
    """Add roles to the catalogue with the sent `display` as their name; return the names."""
    names = {role["value"]: role.get("display") or role["value"] for role in unknown}
    for slug, name in names.items():
        write.add_role(slug, name)
    return names


def _without_name(role: dict[str, Any], names: Mapping[str, str], own: Mapping[str, str | None]) -> dict[str, Any]:
    """Return a role without a `display` that is the catalogue's name, unless it is stored already."""
    display, slug = role.get("display"), role["value"]
    if display is None or display != names[slug] or display == own.get(slug):
        return role
    return {name: value for name, value in role.items() if name != "display"}


def _refusal(connection: Connection, unknown: Sequence[str], key: Key) -> str:
    sentences = [f"roles: there is no role '{slug}'.{roles.suggestion(connection, slug)}" for slug in unknown[:5]]
    sentences.append("The Roles page of Perch lists the slugs.")
    if key.idp == "entra":
        way = f"flask keys set {key.id} --unknown-roles create"
        sentences.append(f"Microsoft's SCIM Validator sends random roles; to accept such roles of this key: {way}.")
    return " ".join(sentences)
