"""What the checks of several steps share: requests with their usual expectation, and what discovery lists."""

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document
from scim.emulator.client import Reply
from scim.emulator.runner import TestRun, shared


def read(run: TestRun, path: str) -> Document:
    """Return a resource as the server has it now."""
    return expect.document(run.get(path), 200)


def read_user(run: TestRun, label: str) -> Document:
    """Return the user with a label as the server has it now."""
    return read(run, run.user_path(label))


def patch(run: TestRun, path: str, *changes: Document) -> Reply:
    """Send a PATCH and expect 200 or 204."""
    return expect.status(run.send("PATCH", path, body=bodies.patch(*changes)), 200, 204)


@shared
def discovered(run: TestRun, path: str) -> Reply:
    """Return the reply of a discovery endpoint (RFC 7644 section 4)."""
    return run.get(path)


def schemas(run: TestRun) -> dict[str, Document]:
    """Return the server's schemas by URN."""
    listed = expect.resources(discovered(run, "/Schemas"))
    return {str(schema.get("id")): schema for schema in listed if isinstance(schema, dict)}


def attributes(run: TestRun, urn: str) -> list[Document]:
    """Return the attributes of a schema; an empty list without it."""
    return [item for item in schemas(run).get(urn, {}).get("attributes") or [] if isinstance(item, dict)]


@shared
def listed_roles(run: TestRun, count: int) -> list[str]:
    """Return the slugs of the first roles that the server lists; an empty list where it lists none."""
    reply = run.get("/Roles", startIndex=1, count=count)
    listed = expect.value_at(reply.document, "Resources") if reply.status == 200 else None
    return [str(role["id"]) for role in listed or [] if isinstance(role, dict) and role.get("id")][:count]
