"""Roles: the catalogue with the slugs that Okta needs, who holds each and why, create, edit, remove."""

from flask import Response, request
from werkzeug.wrappers import Response as BaseResponse

from schemas.errors import Conflict, InvalidValue, Uniqueness
from scim.console.blueprint import console
from scim.console.people import PER_PAGE, Asked, Pager, listing
from scim.console.users import summaries
from scim.console.web import author, database, field, number, onward, page, parameter, repository, resource_type
from scim.service import roles as catalogue
from storage import keys, roles, search
from storage.database import Connection


@console.get("/roles", endpoint="roles")
def show_roles() -> Response:
    """List the catalogue, names first."""
    return _listed()


@console.post("/roles")
def create_role() -> BaseResponse:
    """Add a role to the catalogue."""
    try:
        role = catalogue.add(repository(), author(), field("slug"), field("name"), field("description") or None)
    except (InvalidValue, Uniqueness) as error:
        return _listed(error.status, error.detail)
    return onward("roles", f"The role '{role.name}' is in the catalogue; its slug is {role.slug}.")


@console.get("/role")
def role() -> Response:
    """Show a role and who holds it; the slug may hold any character, so it is a parameter."""
    return _shown(parameter("slug"))


@console.post("/role")
def edit_role() -> BaseResponse:
    """Change a role's name and description."""
    slug = parameter("slug")
    try:
        catalogue.edit(repository(), author(), slug, field("name"), field("description"))
    except InvalidValue as error:
        return _shown(slug, error.status, error.detail)
    return onward("role", "The role is saved.", slug=slug)


@console.get("/role/remove")
def confirm_remove_role() -> Response:
    """Ask before a role is removed, and say who would lose it."""
    slug = parameter("slug")
    with database().read() as connection:
        found = roles.get(connection, slug)
        counts = roles.assignment_counts(connection).get(slug, {})
        people = _holders(connection, slug)
    return page("role_remove.html", role=found, counts=counts, people=people)


@console.post("/role/remove")
def remove_role() -> BaseResponse:
    """Remove a role, from its holders too if the form says so."""
    slug = parameter("slug")
    try:
        with repository().writing(author()) as write:
            write.remove_role(slug, force="force" in request.form)
    except Conflict as error:
        return onward("confirm_remove_role", error.detail, "bad", slug=slug)
    return onward("roles", f"The role '{slug}' is removed.")


def _listed(status: int = 200, problem: str = "") -> Response:
    with database().read() as connection:
        found = roles.catalogue(connection)
        counts = roles.assignment_counts(connection)
    found.sort(key=lambda role: (role.name.casefold(), role.slug))
    return page("roles.html", status, roles=found, counts=counts, problem=problem)


def _shown(slug: str, status: int = 200, problem: str = "") -> Response:
    at = number("page")
    with database().read() as connection:
        found = roles.get(connection, slug)
        counts = roles.assignment_counts(connection).get(slug, {})
        held = roles.holders_page(connection, slug, (at - 1) * PER_PAGE, PER_PAGE)
        named = {item["row"].seq: item["name"] for item in summaries(connection, [row for row, *_ in held])}
        people = _holders(connection, slug)
        actors = keys.names(connection)
    pager = Pager(at, len(held), sum(counts.values()))
    return page(
        "role.html", status, role=found, counts=counts, held=held, named=named, people=people, actors=actors,
        pager=pager, problem=problem,
    )  # fmt: skip


def _holders(connection: Connection, slug: str) -> int:
    """Return how many people hold a role for whatever reason."""
    return search.list_total(connection, listing(resource_type("User"), Asked("", "", slug, "", "name", False, 1)))
