"""Users: the list with its filters, and a person's page with the reasons for each role."""

import json
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from werkzeug.wrappers import Response

from schemas.errors import NotFound
from schemas.fields import Attribute, Complex
from scim.console.blueprint import console
from scim.console.history import timeline_page
from scim.console.lists import PER_PAGE, STATE_LABELS, Pager, listing, offset, read_query, sorted_by
from scim.console.web import author, field, page, redirect_to, resource
from scim.service import roles as role_service
from scim.service.login_reasons import name_of
from scim.web.requests import perch
from storage import members, resources, roles, search
from storage.database import Connection
from storage.resources import ResourceRow

CHOOSE = "Choose a role first."
NOT_ATTRIBUTES = {"schemas", "id", "externalId", "meta", "groups", "roles"}


@console.get("/users")
def users() -> Response:
    """List people."""
    query = read_query()
    with perch().database.read() as connection:
        rows, total = search.list_page(connection, listing("User", query), offset(query.page), PER_PAGE)
        people = summaries(connection, rows)
        known = roles.catalogue(connection)
        group = _group_name(connection, query.group)
    return page(
        "users.html", people=people, query=query, pager=Pager(query.page, len(rows), total), roles=known,
        group=group, states=STATE_LABELS, sorted_by=sorted_by,
    )  # fmt: skip


@console.get("/users/<identifier>")
def user(identifier: str) -> Response:
    """Show a person."""
    with perch().database.read() as connection:
        row = resources.get(connection, "User", identifier)
        reasons = role_service.explain(perch().repository, row)
        groups = members.groups_above(connection, [row.seq]).get(row.seq, [])
        known = roles.catalogue(connection)
        document = json.loads(row.document)
        name = name_of(document)
        history = timeline_page(connection, row)
    manual = {reason.role for reason in reasons if reason.source == roles.MANUAL}
    return page(
        "user.html", row=row, document=document, name=name, attributes=list(shown(document)),
        groups=groups, group_ids={above.display: above.id for above in groups}, actors=history.told.words.actors,
        held=[(slug, list(why)) for slug, why in groupby(reasons, key=lambda reason: reason.role)],
        free=[role for role in known if role.slug not in manual],
        history=history,
    )  # fmt: skip


@console.post("/users/<identifier>/roles")
def assign_to_user(identifier: str) -> Response:
    """Assign a role manually."""
    row, slug = resource("User", identifier), field("slug")
    if not slug:
        return redirect_to("user", CHOOSE, "bad", identifier=identifier)
    with perch().repository.writing(author()) as write:
        done = write.assign(row, slug)
    text = f"{row.name} now has the role '{slug}'." if done else "That role is already assigned manually."
    return redirect_to("user", text, "good" if done else "calm", identifier=identifier)


@console.post("/users/<identifier>/roles/withdraw")
def withdraw_from_user(identifier: str) -> Response:
    """Withdraw a role that was assigned manually."""
    row, slug = resource("User", identifier), field("slug")
    with perch().repository.writing(author()) as write:
        done = write.unassign(row, slug)
    text = f"The role '{slug}' is withdrawn." if done else "That role is not assigned manually."
    return redirect_to("user", text, "good" if done else "calm", identifier=identifier)


def summaries(connection: Connection, rows: list[ResourceRow]) -> list[dict[str, Any]]:
    """Return a row of a list for each user or inner group, read in two statements for all."""
    users_only = [row.seq for row in rows if row.type == "User"]
    above = members.groups_above(connection, users_only)
    groups = {membership.group for memberships in above.values() for membership in memberships}
    assigned = roles.assigned(connection, [*users_only, *groups])
    found = []
    for row in rows:
        owners = [row.seq, *(membership.group for membership in above.get(row.seq, ()))]
        found.append(summary(row, {role.role: role.name for owner in owners for role in assigned.get(owner, ())}))
    return found


def summary(row: ResourceRow, held: dict[str, str]) -> dict[str, Any]:
    """Return the row of a list for a user or an inner group; `held` maps slugs of roles to names."""
    document = json.loads(row.document)
    mails = document.get("emails") or []
    mail = next((each for each in mails if each.get("primary")), mails[0] if mails else {})
    return {
        "row": row,
        "name": name_of(document),
        "userName": document.get("userName", ""),
        "email": mail.get("value", ""),
        "roles": held,
        "login": bool(row.active and held),
    }


def shown(document: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield name, description and values of each assigned attribute, in the order of the declarations."""
    schema = perch().resource_types["User"].schema
    for name, attribute in schema.attributes.items():
        if name in document and name not in NOT_ATTRIBUTES:
            yield name, attribute.description, _parts(attribute, document[name])
    for urn, extension in schema.extensions.items():
        if not extension.computed:
            for name, attribute in extension.subAttributes.items():
                if name in document.get(urn, {}):
                    yield name, attribute.description, _parts(attribute, document[urn][name])


def _parts(attribute: Attribute, value: Any) -> list[Any]:
    """Return a value as lines: simple values unchanged, complex values as pairs of name and value."""
    items = value if isinstance(value, list) else [value]
    if not isinstance(attribute, Complex):
        return items
    return [
        [(name, item[name]) for name in attribute.subAttributes if item.get(name) not in (None, "")] for item in items
    ]


def _group_name(connection: Connection, identifier: str) -> str:
    if not identifier:
        return ""
    try:
        return str(json.loads(resources.get(connection, "Group", identifier).document)["displayName"])
    except NotFound:
        return "a deleted group"
