"""Request bodies as Okta and Entra write them: users, groups, and the operations of a PATCH."""

import secrets
import string
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LETTERS_AND_DIGITS = string.ascii_letters + string.digits

Document = dict[str, Any]


def random_password() -> str:
    """Return the eight random characters that Okta sends as a password even with password sync off."""
    return "".join(secrets.choice(LETTERS_AND_DIGITS) for _ in range(8))


def smallest_user(user_name: str, given: str, family: str) -> Document:
    """Return the body that Okta's public suite sends: the smallest realistic user."""
    return {
        "schemas": [USER],
        "userName": user_name,
        "name": {"givenName": given, "familyName": family},
        "emails": [{"primary": True, "value": user_name, "type": "work"}],
        "displayName": f"{given} {family}",
        "active": True,
    }


def user(
    user_name: str, given: str, family: str, external_id: str = "", mapped: Mapping[str, Any] | None = None
) -> Document:
    """Return the POST body of a custom app; `mapped` holds the custom attributes, such as roles."""
    random_id = "00u" + "".join(secrets.choice(LETTERS_AND_DIGITS) for _ in range(17))
    body = smallest_user(user_name, given, family)
    body |= {"locale": "en-US", "externalId": external_id or random_id, "groups": [], "password": random_password()}
    return {**body, **(mapped or {})}


def edited_user(read: Document, changes: Mapping[str, Any]) -> Document:
    """Return the PUT body of a custom app: the user as read, with the changed values and a password."""
    body = {**read, **changes, "password": random_password()}
    emails = body.get("emails")
    if isinstance(emails, list):
        body["emails"] = [
            {"display": email.get("value"), **email} if isinstance(email, dict) else email for email in emails
        ]
    return body


def group(name: str, members: Sequence[Mapping[str, str]] | None = ()) -> Document:
    """Return the body of POST and PUT of a group; None as `members` is sent as null."""
    return {"schemas": [GROUP], "displayName": name, "members": None if members is None else list(members)}


def member(identifier: str, display: str) -> dict[str, str]:
    """Return a group member as Okta writes it, without a `type`."""
    return {"value": identifier, "display": display}


def operation(op: str, path: str, value: Any) -> Document:
    """Return one operation of a PatchOp."""
    return {"op": op, "path": path, "value": value}


def patch(*operations: Mapping[str, Any]) -> Document:
    """Return a PatchOp (RFC 7644 section 3.5.2)."""
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def replace(values: Mapping[str, Any]) -> Document:
    """Return the PatchOp that replaces attributes, without a path."""
    return patch({"op": "replace", "value": dict(values)})


def rename_group(identifier: str, name: str) -> Document:
    """Return the operation that sets a group's name; OIN apps send it with each change of members."""
    return {"op": "replace", "value": {"id": identifier, "displayName": name}}


def replace_members(members: Iterable[Mapping[str, str]]) -> Document:
    """Return the operation that replaces all members of a group."""
    return operation("replace", "members", list(members))


def add_members(members: Iterable[Mapping[str, str]]) -> Document:
    """Return the operation that adds members to a group."""
    return operation("add", "members", list(members))


def remove_member(identifier: str) -> Document:
    """Return the operation that removes one member from a group."""
    return {"op": "remove", "path": f'members[value eq "{identifier}"]'}


def entra_group(name: str) -> Document:
    """Return the body with which Entra creates a group."""
    return {"schemas": [GROUP], "displayName": name, "externalId": str(uuid.uuid4())}


def entra_operations(values: Mapping[str, Any], prefix: str = "") -> list[Document]:
    """Return Entra's operations for the values of a user: one for each, with a path, booleans as text."""
    found = []
    for name, value in values.items():
        path = prefix + name
        if isinstance(value, Mapping) and name != "manager":
            found += entra_operations(value, path + (":" if name.startswith("urn:") else "."))
        elif name in ("emails", "addresses", "phoneNumbers") and isinstance(value, list):
            for item in value:
                typed = f'{name}[type eq "{item.get("type", "work")}"]'
                parts = {part: item[part] for part in item if part not in ("type", "primary")}
                found += entra_operations(parts, f"{typed}.")
        else:
            found.append(operation("Replace", path, str(value) if isinstance(value, bool) else value))
    return found


def entra_role(slug: str) -> Document:
    """Return an app role as Entra's default mapping writes it."""
    return {"primary": "True", "type": "WindowsAzureActiveDirectoryRole", "value": slug, "display": slug}


def entra_group_changes(name: str, members: Sequence[str], before: Sequence[str] | None) -> list[Document]:
    """Return the PATCH bodies that bring a group to a name and members; `before` holds the ids written last."""
    removed = [member for member in before or () if member not in members]
    added = [member for member in members if member not in (before or ())]
    changes = [operation("Replace", "displayName", name)]
    for op, ids in (("Remove", removed), ("Add", added)):
        if ids:
            changes.append(operation(op, "members", [{"$ref": None, "value": member} for member in ids]))
    return [patch(change) for change in changes]
