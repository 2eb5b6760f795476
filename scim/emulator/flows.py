"""The request sequences of each dialect: assign, update, deactivate, push and unlink a group, import."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scim.emulator import bodies
from scim.emulator.bodies import Document
from scim.emulator.client import ProvisioningClient, Reply, look_up
from scim.emulator.dialects import CUSTOM, ENTRA

PAGE = 100


class ProvisioningError(Exception):
    """The server did not do what the provider asked; `reply` is its reply and `reason` the cause."""

    def __init__(self, reply: Reply, reason: str = "") -> None:
        self.reply = reply
        self.reason = reason or reply.detail or "no detail"
        super().__init__(f"{reply.request}: {reply.status}: {self.reason}")


class Flows:
    """The request sequences in one dialect: a `custom` app updates by GET and PUT, the others by PATCH.

    Entra names each value by a path of its own, and writes operations with capitals and booleans as text.

    Every method raises ProvisioningError when the server refuses a request or its reply is of no use.
    """

    def __init__(self, client: ProvisioningClient, dialect: str = CUSTOM) -> None:
        self.client = client
        self.dialect = dialect

    def find(self, endpoint: str, attribute: str, value: str) -> Document | None:
        """Look a resource up as a provider does before it creates one; None when there is none."""
        reply = self.client.send("GET", endpoint, look_up(attribute, value, self.dialect))
        listed = resources(reply)
        found = [item for item in listed if str(item.get(attribute, "")).casefold() == value.casefold()]
        if listed and not found:
            raise ProvisioningError(reply, f"The look-up of '{value}' returned other resources only.")
        return found[0] if found else None

    def assign(self, body: Document) -> str:
        """Look a user up and POST it, or update the one found; returns the id."""
        found = self.find("/Users", "userName", body["userName"])
        if found is None:
            return identifier(self._send("POST", "/Users", body, 201))
        values = {name: value for name, value in body.items() if name not in ("groups", "password")}
        if self.dialect == ENTRA:
            self.update(str(found["id"]), values)
        else:
            self.put_user(str(found["id"]), values)
        return str(found["id"])

    def put_user(self, user: str, values: Mapping[str, Any]) -> None:
        """Read a user and write all of it back with changed values."""
        read = document(self._send("GET", f"/Users/{user}", None, 200))
        self._send("PUT", f"/Users/{user}", bodies.edited_user(read, values), 200)

    def update(self, user: str, values: Mapping[str, Any]) -> None:
        """Write changed values of a user."""
        if self.dialect == CUSTOM:
            self.put_user(user, values)
            return
        changes = {name: value for name, value in values.items() if name != "schemas"}
        body = bodies.replace(changes)
        if self.dialect == ENTRA:
            document(self._send("GET", f"/Users/{user}", None, 200))
            body = bodies.patch(*bodies.entra_operations(changes))
        self._send("PATCH", f"/Users/{user}", body, 200, 204)

    def set_active(self, user: str, active: bool) -> None:
        """Deactivate a user, or reactivate it."""
        self.update(user, {"active": active})

    def push_group(self, name: str) -> str:
        """Create a group without members, or adopt the one of that name; returns the id."""
        found = self.find("/Groups", "displayName", name)
        if found is not None:
            return str(found["id"])
        created = bodies.entra_group(name) if self.dialect == ENTRA else bodies.group(name)
        group = identifier(self._send("POST", "/Groups", created, 201))
        if self.dialect == CUSTOM:
            self._send("PUT", f"/Groups/{group}", bodies.group(name), 200)
        return group

    def write_group(
        self, group: str, name: str, members: Sequence[Mapping[str, str]], before: Sequence[str] | None
    ) -> None:
        """Write a group's name and members; `before` holds the ids written last, None when they are unknown."""
        if self.dialect == CUSTOM:
            self._send("PUT", f"/Groups/{group}", bodies.group(name, members), 200)
            return
        if self.dialect == ENTRA:
            for body in bodies.entra_group_changes(name, [member["value"] for member in members], before):
                self._send("PATCH", f"/Groups/{group}", body, 200, 204)
            return
        operations = [bodies.rename_group(group, name)]
        if before is None:
            operations.append(bodies.replace_members(members))
        else:
            wanted = {member["value"] for member in members}
            operations += [bodies.remove_member(member) for member in before if member not in wanted]
            added = [member for member in members if member["value"] not in set(before)]
            operations += [bodies.add_members(added)] if added else []
        self._send("PATCH", f"/Groups/{group}", bodies.patch(*operations), 200, 204)

    def unlink_group(self, group: str) -> None:
        """Delete a group that is no longer pushed; one that does not exist any more is no error."""
        self._send("DELETE", f"/Groups/{group}", None, 204, 200, 404)

    def import_all(self, endpoint: str) -> Iterator[Document]:
        """Yield all resources of an endpoint in pages of 100, as an import reads them."""
        start, total = 1, 1
        while start <= total:
            reply = self.client.send("GET", endpoint, {"startIndex": start, "count": PAGE})
            page = resources(reply)
            total = reply.document.get("totalResults", 0)
            if not isinstance(total, int):
                raise ProvisioningError(
                    reply, f"totalResults is {total!r}, not a number: here Okta stops without an error message."
                )
            yield from page
            start += len(page) or total

    def _send(self, method: str, path: str, body: Any, *statuses: int) -> Reply:
        reply = self.client.send(method, path, body=body)
        if reply.status not in statuses:
            raise ProvisioningError(reply)
        return reply


def document(reply: Reply) -> Document:
    """Return the JSON object in a reply."""
    found = reply.document
    if not isinstance(found, dict):
        raise ProvisioningError(reply, "The answer is not a JSON object.")
    return found


def identifier(reply: Reply) -> str:
    """Return the id in a reply (RFC 7643 section 3.1)."""
    found = document(reply).get("id")
    if not found or not isinstance(found, str):
        raise ProvisioningError(reply, f"The id in the answer is {found!r}; it must be text.")
    return found


def resources(reply: Reply) -> list[Document]:
    """Return the resources of a ListResponse (RFC 7644 section 3.4.2)."""
    if reply.status != 200:
        raise ProvisioningError(reply)
    found = document(reply).get("Resources")
    if not isinstance(found, list):
        raise ProvisioningError(reply, "The answer has no Resources; send [] when there are none.")
    return [item for item in found if isinstance(item, dict)]
