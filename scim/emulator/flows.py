"""Okta's request sequences: assign, update, deactivate, push a group, unlink it, import; in both dialects."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scim.emulator import bodies
from scim.emulator.bodies import Document
from scim.emulator.client import Exchange, Sender, look_up

PAGE = 100
APPS = ("custom", "oin")


class Refused(Exception):
    """The server did not do what Okta asked; `exchange` is the request that failed."""

    def __init__(self, exchange: Exchange, why: str = "") -> None:
        self.exchange = exchange
        self.why = why or exchange.detail or "no detail"
        super().__init__(f"{exchange.request}: {exchange.status}: {self.why}")


class Flows:
    """One app of Okta: `custom` reads and PUTs all of it back, `oin` PATCHes."""

    def __init__(self, sender: Sender, app: str = "custom") -> None:
        self.sender = sender
        self.app = app

    def find(self, kind: str, attribute: str, value: str) -> Document | None:
        """Look a resource up as Okta does before it creates one; None when the server has none."""
        exchange = self.sender.send("GET", f"/{kind}", look_up(attribute, value))
        found = [item for item in listed(exchange) if str(item.get(attribute, "")).casefold() == value.casefold()]
        if not found and listed(exchange):
            raise Refused(exchange, f"The answer to a look-up of '{value}' holds others.")
        return found[0] if found else None

    def assign(self, body: Document) -> str:
        """Bring a person to the server: look up, then POST, or GET and PUT of the one found; returns the id."""
        found = self.find("Users", "userName", body["userName"])
        if found is None:
            return identifier(self._must("POST", "/Users", body, 201))
        self.overwrite(str(found["id"]), {name: body[name] for name in body.keys() - {"groups", "password"}})
        return str(found["id"])

    def overwrite(self, user: str, values: Mapping[str, Any]) -> None:
        """Read a user, write all of it back with the values in it."""
        read = document(self._must("GET", f"/Users/{user}", None, 200))
        self._must("PUT", f"/Users/{user}", bodies.edited(read, values), 200)

    def update(self, user: str, values: Mapping[str, Any]) -> None:
        """Bring changed values of a person to the server."""
        if self.app == "custom":
            self.overwrite(user, values)
        else:
            changed = {name: value for name, value in values.items() if name != "schemas"}
            self._must("PATCH", f"/Users/{user}", bodies.patch({"op": "replace", "value": changed}), 200, 204)

    def activate(self, user: str, active: bool) -> None:
        """Deactivate a person, who is never deleted, or activate them again."""
        if self.app == "custom":
            self.overwrite(user, {"active": active})
        else:
            self._must("PATCH", f"/Users/{user}", bodies.activation(active), 200, 204)

    def push_group(self, name: str) -> str:
        """Create a group without members, or adopt the one of that name; returns its id."""
        found = self.find("Groups", "displayName", name)
        if found is not None:
            return str(found["id"])
        group = identifier(self._must("POST", "/Groups", bodies.group(name), 201))
        if self.app == "custom":
            self._must("PUT", f"/Groups/{group}", bodies.group(name), 200)
        return group

    def write_group(
        self, group: str, name: str, members: Sequence[Mapping[str, str]], before: Sequence[str] | None
    ) -> None:
        """Write a group's name and members; `before` are the ids that Okta wrote last, None when it does not know."""
        if self.app == "custom":
            self._must("PUT", f"/Groups/{group}", bodies.group(name, members), 200)
            return
        operations = [bodies.named(group, name)]
        if before is None:
            operations.append({"op": "replace", "path": "members", "value": list(members)})
        else:
            wanted = {member["value"] for member in members}
            operations += [bodies.without_member(gone) for gone in before if gone not in wanted]
            added = [member for member in members if member["value"] not in set(before)]
            operations += [bodies.with_members(added)] if added else []
        self._must("PATCH", f"/Groups/{group}", bodies.patch(*operations), 200, 204)

    def unlink_group(self, group: str) -> None:
        """Delete a group that is pushed no longer; one that is gone already is fine."""
        self._must("DELETE", f"/Groups/{group}", None, 204, 200, 404)

    def import_all(self, kind: str) -> Iterator[Document]:
        """Yield all users or groups in pages of 100, as an import reads them."""
        start, total = 1, 1
        while start <= total:
            exchange = self.sender.send("GET", f"/{kind}", {"startIndex": start, "count": PAGE})
            page = listed(exchange)
            total = exchange.document.get("totalResults", 0)
            if not isinstance(total, int):
                raise Refused(exchange, f"totalResults is {total!r}, not a number: Okta stops here without a word.")
            yield from page
            start += len(page) or total

    def _must(self, method: str, path: str, body: Any, *statuses: int) -> Exchange:
        exchange = self.sender.send(method, path, body=body)
        if exchange.status not in statuses:
            raise Refused(exchange)
        return exchange


def document(exchange: Exchange) -> Document:
    """Return the answer's JSON object."""
    found = exchange.document
    if not isinstance(found, dict):
        raise Refused(exchange, "The answer is no JSON object.")
    return found


def identifier(exchange: Exchange) -> str:
    """Return the id in an answer; Okta needs one to go on (RFC 7643 section 3.1)."""
    found = document(exchange).get("id")
    if not found or not isinstance(found, str):
        raise Refused(exchange, f"The answer has the id {found!r}; Okta needs text.")
    return found


def listed(exchange: Exchange) -> list[Document]:
    """Return the resources of a ListResponse (RFC 7644 section 3.4.2)."""
    if exchange.status != 200:
        raise Refused(exchange)
    found = document(exchange).get("Resources")
    if not isinstance(found, list):
        raise Refused(exchange, "The answer has no Resources; Okta needs [] when there are none.")
    return [item for item in found if isinstance(item, dict)]
