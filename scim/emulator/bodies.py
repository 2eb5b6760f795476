"""What Okta writes into a request: users of a custom app, groups, and the PATCH operations of OIN apps."""

import secrets
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

Document = dict[str, Any]


def placeholder() -> str:
    """Return the random eight-character password that Okta sends even with password sync off."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(8))


def suite_user(user_name: str, given: str, family: str) -> Document:
    """Return the body of Okta's public suite: the smallest realistic user."""
    return {
        "schemas": [USER],
        "userName": user_name,
        "name": {"givenName": given, "familyName": family},
        "emails": [{"primary": True, "value": user_name, "type": "work"}],
        "displayName": f"{given} {family}",
        "active": True,
    }


def user(
    user_name: str,
    given: str,
    family: str,
    *,
    email: str = "",
    external_id: str = "",
    locale: str = "en-US",
    mapped: Mapping[str, Any] | None = None,
) -> Document:
    """Return the POST body of a custom app; `mapped` are the custom attributes, such as roles."""
    body = suite_user(user_name, given, family)
    body["emails"] = [{"primary": True, "value": email or user_name, "type": "work"}]
    body |= {"locale": locale, "externalId": external_id or okta_id(), "groups": [], "password": placeholder()}
    return {**body, **(mapped or {})}


def okta_id() -> str:
    """Return an id as Okta gives its users."""
    return "00u" + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(17))


def edited(read: Document, changes: Mapping[str, Any]) -> Document:
    """Return the PUT body of a custom app: all that it read, its own values in, and a password."""
    body = {**read, **changes, "password": placeholder()}
    emails = body.get("emails")
    if isinstance(emails, list):
        body["emails"] = [
            {"display": email.get("value"), **email} if isinstance(email, dict) else email for email in emails
        ]
    return body


def group(name: str, members: Sequence[Mapping[str, str]] | None = ()) -> Document:
    """Return the body of POST and PUT of a group; `members` None is sent as null."""
    return {"schemas": [GROUP], "displayName": name, "members": None if members is None else list(members)}


def member(identifier: str, display: str) -> dict[str, str]:
    """Return a member as Okta writes it: no `type`."""
    return {"value": identifier, "display": display}


def patch(*operations: Mapping[str, Any]) -> Document:
    """Return a PatchOp (RFC 7644 section 3.5.2)."""
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def activation(active: bool) -> Document:
    """Return the PATCH that (de)activates."""
    return patch({"op": "replace", "value": {"active": active}})


def named(identifier: str, name: str) -> dict[str, Any]:
    """Return the operation that names a group; OIN apps send it with each change of members."""
    return {"op": "replace", "value": {"id": identifier, "displayName": name}}


def without_member(identifier: str) -> dict[str, Any]:
    """Return the operation that takes one person out of a group."""
    return {"op": "remove", "path": f'members[value eq "{identifier}"]'}


def with_members(members: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """Return the operation that adds people to a group."""
    return {"op": "add", "path": "members", "value": list(members)}
