"""What the checks of several steps share: requests with an expectation, discovery, and the clauses of a profile."""

from collections.abc import Callable
from dataclasses import dataclass

from scim.emulator import bodies, expect
from scim.emulator.bodies import Document
from scim.emulator.client import Reply
from scim.emulator.oauth import OAuthClient
from scim.emulator.runner import AnyCheck, CheckFunction, CheckSkipped, CheckStep, NotJudged, TestRun, shared


def read(run: TestRun, path: str) -> Document:
    """Return a resource as the server has it now."""
    return expect.document(run.get(path), 200)


def read_user(run: TestRun, label: str) -> Document:
    """Return the user with a label as the server has it now."""
    return read(run, run.user_path(label))


def patch(run: TestRun, path: str, *changes: Document) -> Reply:
    """Send a PATCH and expect 200 or 204."""
    return expect.status(run.send("PATCH", path, body=bodies.patch(*changes)), 200, 204)


def change(run: TestRun, path: str, *operations: Document, expected: Document | None = None) -> None:
    """Patch a resource, and expect the values of the operations, or else `expected`."""
    patch(run, path, *operations)
    written: Document = {}
    for each in operations:
        written |= {each["path"]: each.get("value")} if "path" in each else each["value"]
    expect.values(read(run, path), expected or written)


def oauth_client(run: TestRun, proof: str) -> OAuthClient:
    """Return the client of OAuth with its "secret" or "assertion".

    :raises CheckSkipped: when there is none.
    """
    if run.oauth is None or not getattr(run.oauth, proof):
        raise CheckSkipped(f"needs --token-url, --client-id and --client-{proof}")
    return run.oauth


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


@dataclass(slots=True)
class Profile(CheckStep):
    """The clauses of a draft, by its numbers of sections."""

    draft: str = ""

    def must(
        self, number: str, name: str, title: str, expected: str, otherwise: str, *functions: CheckFunction
    ) -> Callable[[AnyCheck], AnyCheck]:
        """Add a clause, or return a decorator for it."""
        source = f"{self.draft} section {number}: MUST."
        return self.row(f"{number}-{name}", f"{number} {title}", expected, otherwise, source, *functions)

    def should(
        self, number: str, name: str, title: str, expected: str, otherwise: str, *functions: CheckFunction
    ) -> Callable[[AnyCheck], AnyCheck]:
        """Add a clause whose failure is a warning, or return a decorator for it."""
        source = f"{self.draft} section {number}: SHOULD."
        return self.row(f"{number}-{name}", f"{number} {title}", expected, otherwise, source, *functions, warning=True)

    def unseen(self, number: str, name: str, title: str, reason: str) -> None:
        """Add a clause that cannot be checked from outside."""

        def tell(run: TestRun) -> None:
            raise NotJudged(reason)

        self.must(number, name, title, "", reason, tell)


def config(run: TestRun) -> Document:
    """Return the ServiceProviderConfig."""
    return expect.document(discovered(run, "/ServiceProviderConfig"), 200)


def refused(reply: Reply, status: int, scim_type: str) -> None:
    """Expect a SCIM error with a scimType."""
    expect.that(not reply.ok, f"{reply.status}: it was accepted")
    expect.error(reply, status, scim_type)
