"""Direct roles as clients send them: checked against the catalogue, completed from the roles that the user has."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.errors import InvalidValue
from scim.service.context import Context
from storage import roles
from storage.database import Connection
from storage.keys import Key
from storage.repository import Transaction
from storage.roles import Role

Roles = list[dict[str, Any]]


class Accepted(NamedTuple):
    """The sent roles that a user gets, and the slugs that the policy `ignore` left out: unknown, or given by hand."""

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
            found = {slug: role.name for slug, role in roles.known(connection, unread).items()}
            names.update(dict.fromkeys(unread) | found)
        for role in bare:
            if name := names[role["value"]]:
                role["display"] = name

    return complete


def accept(context: Context, write: Transaction, sent: Roles, held: Roles | None = None) -> Accepted:
    """Check the sent roles against the catalogue, unless they equal those `held`.

    The key's `unknownRoles`, else PERCH_UNKNOWN_ROLES, decides whether unknown ones are refused, ignored or added to
    the catalogue; roles that are given by hand only are refused or ignored. A `display` that GET shows anyway is not
    stored, so that it follows the catalogue's name.

    :raises InvalidValue: naming the slugs, and the nearest known ones of unknown slugs.
    """
    if not sent or sent == held:
        return Accepted(sent)
    known = roles.known(write.connection, [role["value"] for role in sent])
    own = {role["value"]: role.get("display") for role in held or ()}
    unknown = tuple(role["value"] for role in sent if role["value"] not in known)
    by_hand = tuple(slug for slug, role in known.items() if role.grantedBy == roles.HAND and slug not in own)
    policy = context.key.unknownRoles or context.settings["PERCH_UNKNOWN_ROLES"]
    if by_hand and policy != "ignore":
        named = ", ".join(f"'{slug}'" for slug in by_hand[:5])
        raise InvalidValue(
            f"roles: {named} can be given by hand only, in Perch; leave it out of what the provider sends."
        )
    if unknown and policy == "reject":
        raise InvalidValue(_refusal(write.connection, unknown, context.key))
    if unknown and policy == "create":
        known |= _created(write, [role for role in sent if role["value"] in unknown])
        unknown = ()
    wanted = [_without_name(role, known, own) for role in sent if role["value"] not in unknown + by_hand]
    return Accepted(wanted, unknown + by_hand)


def _created(write: Transaction, unknown: Roles) -> dict[str, Role]:
    """Add roles to the catalogue with the sent `display` as their name; return them by slug."""
    names = {role["value"]: role.get("display", "").strip() or role["value"] for role in unknown}
    return {slug: write.add_role(slug, name) for slug, name in names.items()}


def _without_name(role: dict[str, Any], known: Mapping[str, Role], own: Mapping[str, str | None]) -> dict[str, Any]:
    """Return a role without a `display` that is the catalogue's name, unless it is stored already."""
    display, slug = role.get("display"), role["value"]
    if display is None or display != known[slug].name or display == own.get(slug):
        return role
    return {name: value for name, value in role.items() if name != "display"}


def _refusal(connection: Connection, unknown: Sequence[str], key: Key) -> str:
    sentences = [f"roles: there is no role '{slug}'.{roles.suggestion(connection, slug)}" for slug in unknown[:5]]
    sentences.append("The Roles page of Perch lists the slugs.")
    if key.idp == "entra":
        way = f"flask keys set {key.id} --unknown-roles create"
        sentences.append(f"Microsoft's SCIM Validator sends random roles; to accept such roles of this key: {way}.")
    return " ".join(sentences)
