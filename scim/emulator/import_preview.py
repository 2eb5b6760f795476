"""What Okta would import from a server: all users and groups, and the users that it could not import."""

from typing import Any

from scim.emulator.bodies import Document
from scim.emulator.expect import value_at
from scim.emulator.flows import Flows

REQUIRED = {"userName": "userName", "name.givenName": "first name", "name.familyName": "last name"}


def import_preview(flows: Flows) -> dict[str, Any]:
    """Return `users` and `groups` as Okta would import them, and the `problems` of users that it could not."""
    users = [imported_user(resource) for resource in flows.import_all("/Users")]
    groups = [imported_group(resource) for resource in flows.import_all("/Groups")]
    problems = [f"{user['userName'] or user['id']}: {user['problem']}" for user in users if user["problem"]]
    return {"users": users, "groups": groups, "problems": problems}


def imported_user(resource: Document) -> Document:
    """Return a user's profile as Okta would fill it; `problem` is the reason why it could not, else empty."""
    emails = [email for email in resource.get("emails") or [] if isinstance(email, dict)]
    email = next((email for email in emails if email.get("primary") is True), emails[0] if emails else {}).get("value")
    missing = [words for path, words in REQUIRED.items() if not value_at(resource, path)] + ([] if email else ["email"])
    identifier = resource.get("id")
    problem = f"no {', no '.join(missing)}" if missing else ""
    return {
        "id": identifier,
        "externalId": resource.get("externalId"),
        "userName": resource.get("userName"),
        "firstName": value_at(resource, "name.givenName"),
        "lastName": value_at(resource, "name.familyName"),
        "email": email,
        "active": resource.get("active", True),
        "roles": resource.get("roles") or [],
        "problem": problem if isinstance(identifier, str) else "the id is not text",
    }


def imported_group(resource: Document) -> Document:
    """Return a group as Okta would import it; `members` are ids."""
    members = [str(value_at(member, "value")) for member in resource.get("members") or []]
    return {"id": resource.get("id"), "name": resource.get("displayName"), "members": members}
