"""Users: the list with its filters, and a person's page with the reasons for each role."""

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any

from werkzeug.wrappers import Response

from schemas.datetimes import now
from schemas.fields import Attribute, Complex
from scim.console import lists, words
from scim.console.blueprint import console
from scim.console.history import timeline_page
from scim.console.lists import NO_ROLE, PER_PAGE, Pager, listing, named_group, offset, read_query, sorted_by
from scim.console.web import author, field, page, redirect_to, resource
from scim.service import roles as role_service
from scim.service.login_reasons import full_name
from scim.web.requests import perch
from storage import members, receipts, resources, roles, search
from storage.database import Connection
from storage.resources import ResourceRow

CHOOSE = "Choose a role first."
# Groups that the filter suggests; any other one is found by its name.
MOST_GROUPS = 200
NOT_ATTRIBUTES = {"schemas", "id", "externalId", "meta", "groups", "roles", "members"}


@console.get("/users")
def users() -> Response:
    """List people."""
    query = read_query()
    with perch().database.read() as connection:
        group, name = named_group(connection, query.group)
        query = replace(query, group=name)
        rows, total = search.list_page(connection, listing("User", query, group), offset(query.page), PER_PAGE)
        people = summaries(connection, rows)
        known = roles.catalogue(connection)
        groups = search.group_names(connection, MOST_GROUPS)
    pager = Pager(query.page, len(rows), total, bool(query.text))
    return page(
        "users.html", people=people, query=query, pager=pager, roles=known, no_role=NO_ROLE, groups=groups,
        states=lists.STATE_LABELS, sorted_by=sorted_by,
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
        name = full_name(document)
        history = timeline_page(connection, row)
        withdrawn = receipts.list_all(connection, row.id)
    manual = {reason.role for reason in reasons if reason.source == roles.MANUAL}
    answers = {request: list(found) for request, found in groupby(withdrawn, key=lambda receipt: receipt.request)}
    last = answers[withdrawn[-1].request] if withdrawn else []
    # Of those who may log in, only an open one is of interest at the top.
    is_told = not (row.active and reasons) or any(each.open for each in last)
    return page(
        "user.html", row=row, document=document, name=name, attributes=list(shown("User", document)),
        groups=groups, group_ids={above.display: above.id for above in groups}, actors=history.told.words.actors,
        held=[(slug, list(why)) for slug, why in groupby(reasons, key=lambda reason: reason.role)],
        free=[role for role in known if role.slug not in manual and role.grantedBy != roles.SCIM],
        history=history, withdrawal=words.withdrawal(last if is_told else (), now()), answers=answers, instant=now(),
    )  # fmt: skip


@console.post("/users/<identifier>/roles")
def assign_to_user(identifier: str) -> Response:
    """Assign a role manually."""
    texts = ("{name} now has the role '{slug}'.", "That role is already assigned manually.")
    return change_role(True, "User", identifier, *texts)


@console.post("/users/<identifier>/roles/withdraw")
def withdraw_from_user(identifier: str) -> Response:
    """Withdraw a role that was assigned manually."""
    texts = ("The role '{slug}' is withdrawn.", "That role is not assigned manually.")
    return change_role(False, "User", identifier, *texts)


def change_role(assigned: bool, type_name: str, identifier: str, done: str, otherwise: str) -> Response:
    """Assign the form's role to a user or group, or withdraw it, and say that it is done, or was so before."""
    row, slug, endpoint = resource(type_name, identifier), field("slug"), type_name.lower()
    if not slug:
        return redirect_to(endpoint, CHOOSE, "bad", identifier=identifier)
    with perch().repository.writing(author()) as write:
        is_new = write.assign(row, slug) if assigned else write.unassign(row, slug)
    text = (done if is_new else otherwise).format(name=row.name, slug=slug)
    return redirect_to(endpoint, text, "good" if is_new else "calm", identifier=identifier)


def summaries(connection: Connection, rows: list[ResourceRow]) -> list[dict[str, Any]]:
    """Return a row of a list for each user or inner group; its `roles` are names by slug."""
    users_only = [row.seq for row in rows if row.type == "User"]
    above = members.groups_above(connection, users_only)
    groups = {membership.group for memberships in above.values() for membership in memberships}
    assigned = roles.assigned(connection, [*users_only, *groups])
    found = []
    for row in rows:
        owners = [row.seq, *(membership.group for membership in above.get(row.seq, ()))]
        held = {role.role: role.name for owner in owners for role in assigned.get(owner, ())}
        document = json.loads(row.document)
        mails = document.get("emails") or []
        mail = next((each for each in mails if each.get("primary")), mails[0] if mails else {})
        shown = {"name": full_name(document), "userName": document.get("userName", ""), "email": mail.get("value", "")}
        found.append({"row": row, **shown, "roles": held, "login": bool(row.active and held)})
    return found


def shown(type_name: str, document: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Yield name, description and values of each assigned attribute, in the order of the declarations."""
    schema = perch().resource_types[type_name].schema
    for name, attribute in schema.attributes.items():
        if name in document and name not in NOT_ATTRIBUTES and (type_name, name) != ("Group", "displayName"):
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
