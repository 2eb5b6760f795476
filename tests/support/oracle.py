"""scim2-server in memory as an oracle: it gets the same requests as Perch, and answers are made comparable."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from scim2_server.applications.wsgi import WSGIApplication
from scim2_server.memory import InMemoryStorage
from scim2_server.utils import load_default_provider
from werkzeug.test import Client

from tests.support.client import Answer, ScimClient
from tests.support.random_operations import Operation

ACCESS = "urn:perch:scim:schemas:extension:access:1.0:"
OWN = ("meta", "schemas", "groups")
PLACE = re.compile(r"\{(USER|GROUP)(\d+)\}")
_provider = load_default_provider()


def oracle_client() -> ScimClient:
    """Return a client of a new, empty server."""
    client = Client(WSGIApplication(InMemoryStorage(), _provider))

    def send(
        method: str, path: str, headers: dict[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        response = client.open(path, method=method, headers=headers, data=body)
        return response.status_code, dict(response.headers), response.data

    return ScimClient(send, "/v2", "generic")


class Outcome(NamedTuple):
    """The answers of both servers to a request, and the written resource afterwards, in comparable form."""

    perch: Answer
    oracle: Answer
    documents: tuple[Any, Any]

    @property
    def statuses(self) -> tuple[int, int]:
        return self.perch.status, self.oracle.status

    @property
    def agrees(self) -> bool:
        """Tell whether both did the same; a PATCH may be answered with 200 or 204 (RFC 7644 section 3.5.2)."""
        alike = self.perch.status == self.oracle.status or {*self.statuses} <= {200, 204}
        return alike and self.documents[0] == self.documents[1] and self._types_agree()

    def _types_agree(self) -> bool:
        if self.perch.status < 400 or self.oracle.status < 400:
            return True
        return bool(self.perch.body.get("scimType") == self.oracle.body.get("scimType"))


class Pair:
    """Perch and the oracle side by side: one request goes to both, each with its own ids."""

    def __init__(self, perch: ScimClient, oracle: ScimClient) -> None:
        self.clients = (perch, oracle)
        self.known: dict[str, list[tuple[str, str]]] = {"USER": [], "GROUP": []}

    def can(self, operation: Operation) -> bool:
        """Tell whether all that the request refers to exists."""
        kinds = {match[1] for match in PLACE.finditer(f"{operation.path} {operation.body}")}
        return all(self.known[kind] for kind in kinds)

    def send(self, operation: Operation) -> Outcome:
        """Send a request to both, then read what it wrote."""
        paths = [self._own(operation.path, side) for side in (0, 1)]
        answers = [
            client.request(operation.method, paths[side], self._own(operation.body, side))
            for side, client in enumerate(self.clients)
        ]
        known = self.known["USER" if operation.path.startswith("/Users") else "GROUP"]
        if operation.method == "DELETE" and [answer.status for answer in answers] == [204, 204]:
            known[:] = [ids for ids in known if not paths[0].endswith(ids[0])]
        if operation.method == "POST" and [answer.status for answer in answers] == [201, 201]:
            known.append((answers[0].body["id"], answers[1].body["id"]))
        if operation.method in ("PUT", "PATCH"):
            read = [client.get(paths[side]) for side, client in enumerate(self.clients)]
        else:
            read = answers
        return Outcome(answers[0], answers[1], (self._comparable(read[0], 0), self._comparable(read[1], 1)))

    def _own(self, template: Any, side: int) -> Any:
        """Fill in a server's own ids for `{USER1}` and `{GROUP1}`; members that become equal count once."""
        if isinstance(template, dict):
            return {key: self._own(value, side) for key, value in template.items()}
        if isinstance(template, list):
            filled = [self._own(value, side) for value in template]
            return [value for place, value in enumerate(filled) if value not in filled[:place]]
        if not isinstance(template, str):
            return template
        return PLACE.sub(lambda match: self._id(match[1], int(match[2]), side), template)

    def _id(self, kind: str, number: int, side: int) -> str:
        known = self.known[kind]
        return known[number % len(known)][side]

    def _comparable(self, answer: Answer, side: int) -> Any:
        """Return an answer's document without values that may differ between servers; ids become numbers."""
        body = answer.body
        if answer.status >= 400 or not isinstance(body, dict):
            return None
        names = {pair[side]: f"{kind}{n}" for kind, known in self.known.items() for n, pair in enumerate(known)}
        if "Resources" not in body:
            return comparable(body, names)
        return {"totalResults": body["totalResults"], "Resources": [comparable(d, names) for d in body["Resources"]]}

    def follow(self, operation: Operation) -> None:
        """Give the oracle the state of Perch, after a difference on purpose."""
        path, kind = operation.path.split("?")[0], "USER" if operation.path.startswith("/Users") else "GROUP"
        if operation.method == "POST":
            self._forget_unpaired(path, kind)
        elif operation.method in ("PUT", "PATCH"):
            document = self.clients[0].get(self._own(path, 0)).body
            kept = {key: value for key, value in document.items() if key not in OWN and not key.startswith(ACCESS)}
            sides = {pair[0]: pair[1] for known in self.known.values() for pair in known}
            if "members" in kept:
                kept["members"] = [{"value": sides[member["value"]]} for member in kept["members"]]
            kept["schemas"] = [urn for urn in document["schemas"] if not urn.startswith(ACCESS)]
            answer = self.clients[1].put(self._own(path, 1), kept)
            assert answer.status == 200, answer

    def _forget_unpaired(self, path: str, kind: str) -> None:
        paired = {ids[1] for ids in self.known[kind]}
        for document in self.clients[1].get(path).body["Resources"]:
            if document["id"] not in paired:
                self.clients[1].delete(f"{path}/{document['id']}")

    def clear(self) -> None:
        """Delete everything from Perch; the oracle is thrown away."""
        for path in ("/Groups", "/Users"):
            for document in self.clients[0].get(path).body["Resources"]:
                assert self.clients[0].delete(f"{path}/{document['id']}").status == 204


def comparable(document: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return a resource without meta and the values that Perch derives; members are a sorted list of names."""
    kept = {key: value for key, value in document.items() if key not in OWN and not key.startswith(ACCESS)}
    if "members" in kept:
        # The oracle keeps deleted members; Perch must not.
        kept["members"] = sorted({names[member["value"]] for member in kept["members"] if member["value"] in names})
        kept = kept if kept["members"] else {key: value for key, value in kept.items() if key != "members"}
    if "id" in kept:
        kept["id"] = names.get(kept["id"], kept["id"])
    return kept
