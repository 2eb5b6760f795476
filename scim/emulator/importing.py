"""What Okta would import from a server: users and groups in pages of 100, and whom it could not take."""

from collections.abc import Callable
from typing import Any

from scim.emulator.bodies import Document
from scim.emulator.expect import value
from scim.emulator.flows import Flows

REQUIRED = {"userName": "userName", "name.givenName": "first name", "name.familyName": "last name"}


def imported(flows: Flows, seen: Callable[[str, int], None] = lambda kind, count: None) -> dict[str, Any]:
    """Return `users` and `groups` as Okta's import would see them; `seen` is told of each."""
    found: dict[str, list[Document]] = {"users": [], "groups": []}
    for kind, read, kept in (("Users", user, found["users"]), ("Groups", group, found["groups"])):
        for resource in flows.import_all(kind):
            kept.append(read(resource))
            seen(kind, len(kept))
    return {
        **found,
        "problems": [f"{u['userName'] or u['id']}: {u['problem']}" for u in found["users"] if u["problem"]],
    }


def user(resource: Document) -> Document:
    """Return a user's profile in the app as Okta would fill it; `problem` says why it could not."""
    emails = [email for email in resource.get("emails") or [] if isinstance(email, dict)]
    chosen = next((email for email in emails if email.get("primary") is True), emails[0] if emails else {})
    missing = [words for path, words in REQUIRED.items() if not value(resource, path)]
    missing += [] if chosen.get("value") else ["email"]
    identifier = resource.get("id")
    problem = f"no {', no '.join(missing)}" if missing else ""
    return {
        "id": identifier,
        "externalId": resource.get("externalId"),
        "userName": resource.get("userName"),
        "firstName": value(resource, "name.givenName"),
        "lastName": value(resource, "name.familyName"),
        "email": chosen.get("value"),
        "active": resource.get("active", True),
        "roles": resource.get("roles") or [],
        "problem": problem if isinstance(identifier, str) else "the id is no text",
    }


def group(resource: Document) -> Document:
    """Return a group as Okta would import it."""
    members = [str(value(member, "value")) for member in resource.get("members") or []]
    return {"id": resource.get("id"), "name": resource.get("displayName"), "members": members}
