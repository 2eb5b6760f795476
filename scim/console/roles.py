"""Roles: the catalogue with its slugs, a role's page with its assignments; create, edit and remove roles."""

from flask import request
from werkzeug.wrappers import Response

from schemas.errors import Conflict
from schemas.text import fold
from scim.console import words
from scim.console.blueprint import console
from scim.console.lists import PER_PAGE, ListQuery, Pager, listing, offset
from scim.console.users import summaries
from scim.console.web import author, field, form_of, number, page, parameter, redirect_to
from scim.service import plan
from scim.service import roles as role_service
from scim.web.requests import perch
from storage import group_rules, keys, roles, search
from storage import words as search_words
from storage.database import Connection
from storage.roles import Role


@console.get("/roles", endpoint="roles")
def show_roles() -> Response:
    """List the catalogue in the order of names."""
    return _list_page()


@console.post("/roles")
def create_role() -> Response:
    """Add a role to the catalogue."""
    form_of(_list_page)
    role = role_service.add(perch().repository, author(), field("slug"), field("name"), field("description"))
    return redirect_to("roles", f"The role '{role.name}' is in the catalogue; its slug is {role.slug}.")


@console.get("/role")
def role() -> Response:
    """Show a role with its assignments; a slug may contain any character, so it is a query parameter."""
    return _role_page(parameter("slug"))


@console.post("/role")
def edit_role() -> Response:
    """Change a role's name, its description and who may give it."""
    slug, granted_by = parameter("slug"), field("granted_by")
    form_of(_role_page, slug)
    chosen = granted_by if granted_by in words.GRANTED_BY else None
    role_service.edit(perch().repository, author(), slug, field("name"), field("description"), chosen)
    return redirect_to("role", "The role is saved.", slug=slug)


@console.get("/role/remove")
def confirm_remove_role() -> Response:
    """Ask for confirmation before a role is removed, and show who would lose the role and the login."""
    slug = parameter("slug")
    with perch().database.read() as connection:
        found = roles.get(connection, slug)
        slug = found.slug
        counts = roles.assignment_counts(connection).get(slug, {})
        planned = plan.of_changes(connection, [], [slug])
        rules = [rule.pattern for rule in group_rules.of_role(connection, slug)]
    unknown_roles = perch().settings["PERCH_UNKNOWN_ROLES"]
    return page("role_remove.html", role=found, counts=counts, rules=rules, plan=planned, unknown_roles=unknown_roles)


@console.post("/role/remove")
def remove_role() -> Response:
    """Remove a role; if the form says so, withdraw it from everybody who has it, and from rules."""
    slug = parameter("slug")
    try:
        with perch().repository.writing(author()) as write:
            write.remove_role(slug, force="force" in request.form)
    except Conflict as error:
        return redirect_to("confirm_remove_role", error.detail, "bad", slug=slug)
    return redirect_to("roles", f"The role '{slug}' is removed.")


def by_name(connection: Connection) -> list[Role]:
    """Return the catalogue in the order of names."""
    return sorted(roles.catalogue(connection), key=lambda role: (fold(role.name), role.slug))


def _list_page(status: int = 200, problem: str = "") -> Response:
    text = parameter("q")
    with perch().database.read() as connection:
        found = by_name(connection)
        counts = roles.assignment_counts(connection)
        rules = group_rules.list_all(connection)
    if text:
        sought = search_words.typed(text)
        found = [role for role in found if search_words.begin(sought, (role.name, role.slug))]
    return page("roles.html", status, roles=found, counts=counts, rules=rules, problem=problem, text=text)


def _role_page(slug: str, status: int = 200, problem: str = "") -> Response:
    at = number("page")
    with perch().database.read() as connection:
        found = roles.get(connection, slug)
        slug = found.slug
        counts = roles.assignment_counts(connection).get(slug, {})
        held = roles.holders_page(connection, slug, offset(at), PER_PAGE)
        named = {item["row"].seq: item["name"] for item in summaries(connection, [row for row, *_ in held])}
        people = search.list_total(connection, listing("User", ListQuery(role=slug)))
        actors = keys.names(connection)
    pager = Pager(at, len(held), sum(counts.values()))
    return page(
        "role.html", status, role=found, counts=counts, held=held, named=named, people=people, actors=actors,
        pager=pager, problem=problem,
    )  # fmt: skip
