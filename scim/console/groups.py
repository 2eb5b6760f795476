"""Groups: the list, the members page by page, and which roles a group gives to each of them."""

import json
from typing import Any

from flask import Response
from werkzeug.wrappers import Response as BaseResponse

from scim.console.blueprint import console
from scim.console.people import PER_PAGE, Pager, asked, listing, sorted_by
from scim.console.users import summaries
from scim.console.web import author, database, field, number, onward, page, repository, resource_type
from storage import journal, keys, members, resources, roles, search
from storage.database import Connection
from storage.journal import JournalQuery
from storage.resources import ResourceRow

HISTORY = 10


@console.get("/groups")
def groups() -> Response:
    """List groups."""
    wanted = asked()
    with database().read() as connection:
        rows, total = search.list_page(
            connection, listing(resource_type("Group"), wanted), (wanted.page - 1) * PER_PAGE, PER_PAGE
        )
        seqs = [row.seq for row in rows]
        sizes = members.counts(connection, seqs)
        given = roles.assigned(connection, seqs)
    listed = [{"row": row, "name": row.name, "size": sizes[row.seq], "roles": given.get(row.seq, [])} for row in rows]
    pager = Pager(wanted.page, len(rows), total)
    return page("groups.html", groups=listed, wanted=wanted, pager=pager, sorted_by=sorted_by)


@console.get("/groups/<identifier>")
def group(identifier: str) -> Response:
    """Show a group."""
    at = number("page")
    with database().read() as connection:
        row = resources.get(connection, "Group", identifier)
        size = members.counts(connection, [row.seq])[row.seq]
        listed = members.page(connection, row.seq, (at - 1) * PER_PAGE, PER_PAGE)
        people = summaries(connection, listed)
        own = roles.assigned(connection, [row.seq]).get(row.seq, [])
        outer = _inherited(connection, row)
        known = roles.catalogue(connection)
        entries = journal.entries(connection, JournalQuery(row.id), HISTORY)
        actors = keys.names(connection)
    given = {role.role for role in own}
    return page(
        "group.html", row=row, name=row.name, size=size, people=people, own=own, outer=outer, entries=entries,
        actors=actors, free=[role for role in known if role.slug not in given], pager=Pager(at, len(listed), size),
        external=json.loads(row.document).get("externalId", ""),
    )  # fmt: skip


@console.post("/groups/<identifier>/roles")
def assign_to_group(identifier: str) -> BaseResponse:
    """Give a role to a group, for all its members."""
    row, slug = _row(identifier), field("slug")
    with repository().writing(author()) as write:
        done = write.assign(row, slug)
    text = f"Every member of {row.name} has the role '{slug}' now." if done else "The group gave that role already."
    return onward("group", text, "good" if done else "calm", identifier=identifier)


@console.post("/groups/<identifier>/roles/withdraw")
def withdraw_from_group(identifier: str) -> BaseResponse:
    """Take a role from a group, and so from members who have it from nowhere else."""
    row, slug = _row(identifier), field("slug")
    with repository().writing(author()) as write:
        done = write.unassign(row, slug)
    text = f"The role '{slug}' is withdrawn from {row.name}." if done else "The group did not give that role."
    return onward("group", text, "good" if done else "calm", identifier=identifier)


def _inherited(connection: Connection, row: ResourceRow) -> list[dict[str, Any]]:
    """Return the roles that members get from the groups around this one, each with the path that leads there."""
    paths = members.paths_above(connection, row.seq)
    identifiers = {above.group: above.id for above in members.groups_above(connection, [row.seq]).get(row.seq, [])}
    return [
        {"role": role, "path": paths[seq], "id": identifiers.get(seq)}
        for seq, held in roles.assigned(connection, list(paths)).items()
        for role in held
    ]


def _row(identifier: str) -> ResourceRow:
    with repository().reading() as snapshot:
        return snapshot.get("Group", identifier)
