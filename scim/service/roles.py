"""Roles as an operator handles them: the catalogue, assignments by hand, and why somebody has a role."""

import json
from dataclasses import dataclass

from schemas.errors import Conflict, InvalidValue, NotFound
from schemas.user import SLUG
from storage import changes as record
from storage import journal, keys, members, resources, roles
from storage.database import Connection, Database
from storage.journal import Author
from storage.resources import Row
from storage.roles import Role

SHOWN_HOLDERS = 5


def add(database: Database, author: Author, slug: str, name: str, description: str | None = None) -> Role:
    """Add a role to the catalogue.

    :raises InvalidValue: when the slug is none; :raises Uniqueness: when it exists.
    """
    if not SLUG.fullmatch(slug):
        raise InvalidValue("A slug is 1 to 255 characters without spaces, such as managed:inbox_agent.")
    if not name.strip():
        raise InvalidValue("A role needs a name.")
    with database.write() as connection:
        role = roles.add(connection, slug, name.strip(), description)
        journal.append(connection, author, "create", ("Role", slug, role.name), {})
    return role


def edit(
    database: Database, author: Author, slug: str, name: str | None = None, description: str | None = None
) -> Role:
    """Change a role's name, its description or both; None keeps what is there, "" clears the description."""
    if name is not None and not name.strip():
        raise InvalidValue("A role needs a name.")
    with database.write() as connection:
        before = roles.get(connection, slug)
        wanted = {
            "name": before.name if name is None else name.strip(),
            "description": before.description if description is None else description or None,
        }
        changes = journal.difference({"name": before.name, "description": before.description}, wanted)
        if not changes:
            return before
        role = roles.edit(connection, slug, str(wanted["name"]), wanted["description"])
        journal.append(connection, author, "replace", ("Role", slug, role.name), changes)
    return role


def remove(database: Database, author: Author, slug: str, *, force: bool = False) -> None:
    """Remove a role from the catalogue; with `force` from its holders too.

    :raises Conflict: naming holders, when somebody has it.
    """
    with database.write(alone=True) as connection:
        role = roles.get(connection, slug)
        held = roles.holders(connection, slug)
        if held and not force:
            named = ", ".join(f"{row.type.lower()} {name_of(row)} ({source})" for row, source in held[:SHOWN_HOLDERS])
            more = f" and {len(held) - SHOWN_HOLDERS} more" if len(held) > SHOWN_HOLDERS else ""
            raise Conflict(f"The role '{slug}' is in use: {named}{more}. Withdraw it first, or force its removal.")
        reach = record.before(connection, [row.seq for row, _ in held], [slug])
        for row, source in held:
            roles.unassign(connection, row.seq, source, slug)
            if source == roles.DIRECT:
                resources.touch(connection, row)
            _note(connection, author, "unassign", row, source, slug)
        roles.remove(connection, slug)
        record.settle(author, connection, "unassign", reach, ("Role", slug, role.name), "role removed")
        journal.append(connection, author, "delete", ("Role", slug, role.name), {})


def assign(database: Database, author: Author, row: Row, slug: str) -> bool:
    """Assign a role by hand to a user, or to a group for all its members; False when it was there already."""
    with database.write(alone=True) as connection:
        source = _source(row)
        reach = record.before(connection, [row.seq], [slug])
        done = roles.assign(connection, row.seq, source, slug, author.actor)
        if done:
            record.settle(author, connection, "assign", reach, (row.type, row.id, name_of(row)), "role assigned")
            _note(connection, author, "assign", row, source, slug)
    return done


def unassign(database: Database, author: Author, row: Row, slug: str) -> bool:
    """Withdraw a role that was assigned by hand; False when it was not there."""
    with database.write(alone=True) as connection:
        source = _source(row)
        reach = record.before(connection, [row.seq], [slug])
        done = roles.unassign(connection, row.seq, source, slug)
        if done:
            record.settle(author, connection, "unassign", reach, (row.type, row.id, name_of(row)), "role withdrawn")
            _note(connection, author, "unassign", row, source, slug)
    return done


def find(database: Database, type_name: str, name: str) -> Row:
    """Return the user of that userName or the group of that displayName, in any case.

    :raises NotFound: when there is none.
    """
    with database.read() as connection:
        row = resources.find(connection, type_name, name)
    if row is None:
        raise NotFound(f"There is no {type_name.lower()} '{name[:200]}'.")
    return row


def name_of(row: Row) -> str:
    """Return what people call a user or group."""
    document = json.loads(row.document)
    return str(document.get("userName") or document["displayName"])


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a user has a role: the source, since when, by whom, and through which path of groups.

    `actor` is as in the journal; `by` is the same for people, with the key's name.
    """

    role: str
    name: str
    source: str
    since: str
    actor: str
    by: str
    path: tuple[str, ...] = ()


def explain(database: Database, user: Row) -> list[Reason]:
    """Return every reason for each of a user's effective roles, in the order of the roles' slugs."""
    with database.read() as connection:
        paths = members.paths_above(connection, user.seq)
        assigned = roles.assigned(connection, [user.seq, *paths])
        names = keys.labels(connection)
    found = [
        Reason(
            role.role, role.name, role.source, role.since, role.actor,
            names.get(role.actor, role.actor), paths.get(seq, ()),
        )
        for seq, held in assigned.items()
        for role in held
    ]  # fmt: skip
    return sorted(found, key=lambda reason: (reason.role, reason.source, reason.path))


def _source(row: Row) -> str:
    return roles.MANUAL if row.type == "User" else roles.GROUP


def _note(connection: Connection, author: Author, action: str, row: Row, source: str, slug: str) -> None:
    was, becomes = ([slug], []) if action == "unassign" else ([], [slug])
    changes = {f"roles.{source}": {"before": was, "after": becomes}}
    journal.append(connection, author, action, (row.type, row.id, name_of(row)), changes)
