"""Groups: the list, and a group's page with its members and the roles that they inherit."""

import json
from dataclasses import replace
from typing import Any

from werkzeug.wrappers import Response

from scim.console.blueprint import console
from scim.console.history import timeline_page
from scim.console.lists import NO_ROLE, PER_PAGE, Pager, listing, offset, read_query, sorted_by
from scim.console.users import CHOOSE, change_role, shown, summaries
from scim.console.web import number, page, parameter, redirect_to
from scim.service import plan
from scim.web.requests import perch
from storage import members, resources, roles, search
from storage.database import Connection
from storage.planned_roles import RoleChange
from storage.resources import ResourceRow


@console.get("/groups")
def groups() -> Response:
    """List groups."""
    query = replace(read_query(), state="", group="")
    with perch().database.read() as connection:
        rows, total = search.list_page(connection, listing("Group", query), offset(query.page), PER_PAGE)
        seqs = [row.seq for row in rows]
        sizes = members.counts(connection, seqs)
        given = roles.assigned(connection, seqs)
        known = roles.catalogue(connection)
    listed = [{"row": row, "name": row.name, "size": sizes[row.seq], "roles": given.get(row.seq, [])} for row in rows]
    pager = Pager(query.page, len(rows), total, bool(query.text))
    return page(
        "groups.html", groups=listed, query=query, pager=pager, roles=known, no_role=NO_ROLE, sorted_by=sorted_by
    )


@console.get("/groups/<identifier>")
def group(identifier: str) -> Response:
    """Show a group."""
    at = number("page")
    with perch().database.read() as connection:
        row = resources.get(connection, "Group", identifier)
        size = members.counts(connection, [row.seq])[row.seq]
        listed = members.page(connection, row.seq, offset(at), PER_PAGE)
        people = summaries(connection, listed)
        own = roles.assigned(connection, [row.seq]).get(row.seq, [])
        outer = _inherited(connection, row)
        known = roles.catalogue(connection)
        history = timeline_page(connection, row)
    by_hand = {role.role for role in own if not role.rule}
    free = [role for role in known if role.slug not in by_hand and role.grantedBy != roles.HAND]
    document = json.loads(row.document)
    return page(
        "group.html", row=row, name=row.name, size=size, people=people, own=own, outer=outer, history=history,
        actors=history.told.words.actors, free=free, attributes=list(shown("Group", document)),
        pager=Pager(at, len(listed), size), external=document.get("externalId", ""),
    )  # fmt: skip


@console.get("/groups/<identifier>/roles")
def confirm_group_role(identifier: str) -> Response:
    """Show who would gain or lose roles and logins when a role is assigned to a group or withdrawn from it."""
    withdraw = parameter("do") == "withdraw"
    if not parameter("slug"):
        return redirect_to("group", CHOOSE, "bad", identifier=identifier)
    with perch().database.read() as connection:
        row = resources.get(connection, "Group", identifier)
        slug = parameter("slug")
        role = roles.get(connection, slug) if withdraw else roles.assignable(connection, slug, roles.GROUP)
        planned = plan.of_changes(connection, [RoleChange(row.seq, roles.GROUP, role.slug, not withdraw)])
    return page("group_role.html", row=row, role=role, plan=planned, withdraw=withdraw)


@console.post("/groups/<identifier>/roles")
def assign_to_group(identifier: str) -> Response:
    """Assign a role to a group, for all its members."""
    texts = ("Every member of {name} now has the role '{slug}'.", "The group already has that role.")
    return change_role(True, "Group", identifier, *texts)


@console.post("/groups/<identifier>/roles/withdraw")
def withdraw_from_group(identifier: str) -> Response:
    """Withdraw a role from a group, and so from members without another reason for it."""
    texts = ("The role '{slug}' is withdrawn from {name}.", "The group does not have that role.")
    return change_role(False, "Group", identifier, *texts)


def _inherited(connection: Connection, row: ResourceRow) -> list[dict[str, Any]]:
    """Return the roles that members inherit from outer groups, each with the path of groups."""
    paths = members.paths_above(connection, row.seq)
    identifiers = {above.group: above.id for above in members.groups_above(connection, [row.seq]).get(row.seq, [])}
    return [
        {"role": role, "path": paths[seq], "id": identifiers.get(seq)}
        for seq, held in roles.assigned(connection, list(paths)).items()
        for role in held
    ]
