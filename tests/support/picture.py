"""An application's picture of logins and roles, made from a snapshot and the events after it."""

from typing import Any
from urllib.parse import quote

from tests.support.client import ScimClient

ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"
Held = tuple[str, bool, frozenset[str]]


def server_picture(client: ScimClient, condition: str = "") -> dict[str, Held]:
    """Return each user by id: userName, whether active, and the effective roles; read by cursor."""
    found: dict[str, Held] = {}
    cursor: str | None = ""
    while cursor is not None:
        query = f"/Users?count=200&cursor={cursor}" + (f"&filter={quote(condition)}" if condition else "")
        body = client.get(query).body
        for user in body["Resources"]:
            roles = frozenset(role["value"] for role in user[ACCESS].get("effectiveRoles", ()))
            assert user[ACCESS]["loginAllowed"] is (user.get("active", False) and bool(roles))
            found[user["id"]] = (user["userName"], user.get("active", False), roles)
        cursor = body.get("nextCursor")
    return found


class Picture:
    """The picture of an application; it asks `client` only after events about many people."""

    def __init__(self, client: ScimClient, users: dict[str, Held] | None = None) -> None:
        self.client = client
        self.users = dict(users or {})
        self.login: dict[str, bool] = {}

    def apply(self, event: dict[str, Any]) -> None:
        """Apply an event; a repeated event has no lasting effect."""
        data, kind = event["data"], event["type"]
        if kind == "roles.changed_for_many":
            for step in data["walk"]:
                self.read_holders(step["role"], step["filter"])
            return
        if "user" not in data:
            return
        identifier, name = data["user"]["id"], data["user"]["userName"]
        if kind == "user.deleted":
            self.users.pop(identifier, None)
            return
        _, active, roles = self.users.get(identifier, (name, False, frozenset()))
        if kind == "user.created":
            active, roles = data["active"], frozenset()
        if kind in ("user.deactivated", "user.reactivated"):
            active = kind == "user.reactivated"
        if "effectiveRoles" in data:
            roles = frozenset(data["effectiveRoles"])
            self.login[identifier] = data["loginAllowed"]
        self.users[identifier] = (name, active, roles)

    def read_holders(self, slug: str, condition: str) -> None:
        holders = server_picture(self.client, condition)
        for identifier, (name, active, roles) in self.users.items():
            kept = roles - {slug}
            self.users[identifier] = (name, active, kept | {slug} if identifier in holders else kept)
