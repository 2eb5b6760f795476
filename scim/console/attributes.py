"""Attributes: those that the workspace declares, and those that providers send and Perch drops."""

from werkzeug.wrappers import Response

from schemas.declarations import is_core, is_served, read_declaration
from schemas.errors import NotFound
from schemas.urns import default_resource
from scim.console.blueprint import console
from scim.console.web import author, field, form_of, page, redirect_to
from scim.service import attributes as service
from scim.service.attributes import SeenAttribute
from scim.web.requests import perch
from storage import keys

# Where an attribute can be declared that was sent by its bare name.
SUGGESTED = "urn:ietf:params:scim:schemas:extension:custom:2.0:{}"


@console.get("/attributes", endpoint="attributes")
def show_attributes() -> Response:
    """List the declared attributes, and what was dropped."""
    return _page()


@console.post("/attributes")
def declare_attribute() -> Response:
    """Declare an attribute that a key sent, with the shape that it had."""
    form_of(_page)
    key, sent, schema = field("key"), field("sent"), field("schema")
    with perch().database.read() as connection:
        found = [one for one in service.seen(connection) if (one.key, f"{one.schema}:{one.name}") == (key, sent)]
        current = service.declared(connection)
    if not found:
        raise NotFound("Nobody sent that attribute, or it is declared by now; open the page again.")
    known = {one.schema.lower(): one.resource for one in current}.get(schema.lower())
    resource = default_resource(found[0].schema) or known or found[0].shape.get("resource")
    table = {**found[0].shape, "schema": schema, "name": found[0].name, "resource": resource}
    wanted = read_declaration({key: item for key, item in table.items() if item})
    with perch().repository.writing(author()) as write:
        service.carry_out(write, service.changes(current, [wanted], prune=False))
    return redirect_to("attributes", f"The attribute '{wanted.name}' is declared. {service.PUSH_AGAIN}")


def _page(status: int = 200, problem: str = "") -> Response:
    with perch().database.read() as connection:
        found = service.seen(connection)
        declared = service.declared(connection)
        names = keys.names(connection)
    seen = [(one, suggested(one), names.get(f"key:{one.key}", one.key)) for one in found]
    return page(
        "attributes.html", status, declared=declared, seen=seen, problem=problem, push_again=service.PUSH_AGAIN,
        described=service.described,
    )  # fmt: skip


def suggested(one: SeenAttribute) -> str:
    """Return the URN under which an attribute that was sent can be declared; "" if no declaration would find it."""
    if one.type == "decimal":
        return ""
    if is_core(one.schema):
        return SUGGESTED.format(default_resource(one.schema))
    return "" if is_served(one.schema) else one.schema
