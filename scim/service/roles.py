"""Roles for operators: the catalogue, assignments by hand, and the reasons for a user's roles."""

from dataclasses import dataclass

from schemas.errors import Conflict, InvalidValue, NotFound
from schemas.user import SLUG
from storage import group_rules, keys, members, roles
from storage.journal import Author
from storage.repository import Repository
from storage.resources import ResourceRow
from storage.roles import Role


def add(
    repository: Repository, author: Author, slug: str, name: str, description: str | None = None,
    granted_by: str = roles.ANY,
) -> Role:  # fmt: skip
    """Add a role to the catalogue.

    :raises InvalidValue: when the slug is malformed or the name empty; :raises Uniqueness: when the slug exists.
    """
    if not SLUG.fullmatch(slug):
        raise InvalidValue(
            "A slug is 1 to 255 characters without spaces, such as managed:inbox_agent, not '.' or '..'."
        )
    if not name.strip():
        raise InvalidValue("A role needs a name.")
    with repository.writing(author) as write:
        return write.add_role(slug, name.strip(), description, granted_by)


def edit(
    repository: Repository, author: Author, slug: str, name: str | None = None, description: str | None = None,
    granted_by: str | None = None,
) -> Role:  # fmt: skip
    """Change a role's name, description or by whom it may be given; None keeps, "" clears the description.

    :raises NotFound: when the catalogue has no such role; :raises InvalidValue: when the name is empty.
    :raises Conflict: when a rule gives the role to groups, but it may be given by hand only.
    """
    if name is not None and not name.strip():
        raise InvalidValue("A role needs a name.")
    with repository.writing(author) as write:
        rules = group_rules.of_role(write.connection, slug) if granted_by == roles.HAND else ()
        for rule in rules:
            raise Conflict(f"The rule '{rule.pattern}' gives '{slug}' to groups; take the role out of the rule first.")
        return write.edit_role(slug, name and name.strip(), description, granted_by)


def find(repository: Repository, type_name: str, name: str) -> ResourceRow:
    """Return the user of that userName or the group of that displayName, in any case.

    :raises NotFound: when there is none.
    """
    with repository.reading() as snapshot:
        row = snapshot.find(type_name, name)
    if row is None:
        raise NotFound(
            f"There is no {type_name.lower()} '{name[:200]}'; the console's page {type_name}s lists them all."
        )
    return row


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason for a user's role: the source, since when, by whom, and through which path of groups.

    `actor` is as in the journal; `by` is the same in words, with the name of a key. `rule` is the pattern of the
    rule that gives the role to the group, or None.
    """

    role: str
    name: str
    source: str
    since: str
    actor: str
    by: str
    path: tuple[str, ...] = ()
    rule: str | None = None


def explain(repository: Repository, user: ResourceRow) -> list[Reason]:
    """Return every reason for each of a user's effective roles, in the order of the roles' slugs."""
    with repository.reading() as snapshot:
        paths = members.paths_above(snapshot.connection, user.seq)
        assigned = roles.assigned(snapshot.connection, [user.seq, *paths])
        names = keys.names(snapshot.connection)
    found = [
        Reason(
            role.role, role.name, role.source, role.since, role.actor,
            keys.label(role.actor, names), paths.get(seq, ()), role.rule,
        )
        for seq, held in assigned.items()
        for role in held
    ]  # fmt: skip
    return sorted(found, key=lambda reason: (reason.role, reason.source, reason.path, reason.rule or ""))
