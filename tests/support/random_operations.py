"""Random SCIM requests that any server should understand; small pools of values make conflicts likely."""

from random import Random
from typing import Any, NamedTuple
from urllib.parse import urlencode

CORE = "urn:ietf:params:scim:schemas:core:2.0:"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
Document = dict[str, Any]


class Operation(NamedTuple):
    """A request; `{USER}` or `{GROUP}` with a number in path and body stands for the id of some user or group."""

    method: str
    path: str
    body: Any = None


USER_NAMES = ["ann", "ANN", "bob@example.com", "Çelik", "dot", "eve"]
TEXTS = ["Boss", "boss", "Clerk", "50% off_", "Ünïcode", 'q"uote', "a\\b", " x "]
KINDS = ["work", "home", "other"]
ADDRESSES = ["a@work.example", "A@work.example", "b@home.example", "c@x.example"]
SLUGS = ["managed:admin", "managed:viewer", "managed:editor"]
PLAIN = ["title", "displayName", "nickName", "userType", "locale"]
NAME_PARTS = ["givenName", "familyName", "formatted"]
ENTERPRISE_PARTS = ["department", "division", "employeeNumber"]


class Operations:
    """A source of random requests."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def next(self) -> Operation:
        """Return the next request."""
        (make,) = self.random.choices(
            [self.create_user, self.replace_user, self.patch_user, self.delete_user, self.search_users, self.read,
             self.create_group, self.replace_group, self.patch_group, self.delete_group, self.search_groups],
            weights=[5, 3, 9, 1, 9, 2, 2, 2, 4, 1, 3],
        )  # fmt: skip
        return make()

    def one(self, *values: Any) -> Any:
        return self.random.choice(values)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def user(self) -> str:
        return f"{{USER{self.random.randrange(6)}}}"

    def group(self) -> str:
        return f"{{GROUP{self.random.randrange(3)}}}"

    # Documents

    def create_user(self) -> Operation:
        return Operation("POST", "/Users", self.user_document())

    def replace_user(self) -> Operation:
        return Operation("PUT", f"/Users/{self.user()}", self.user_document())

    def user_document(self) -> Document:
        document: Document = {
            "schemas": [f"{CORE}User", ENTERPRISE], "userName": self.one(*USER_NAMES),
            "active": self.one(True, False),
        }  # fmt: skip
        for name in PLAIN:
            if self.chance(0.4):
                document[name] = self.one(*TEXTS)
        if self.chance(0.5):
            document["name"] = self.some(NAME_PARTS)
        if self.chance(0.6):
            document["emails"] = self.elements(ADDRESSES)
        if self.chance(0.3):
            document["phoneNumbers"] = self.elements(["1", "2"])
        if self.chance(0.4):
            document["roles"] = [self.role(slug) for slug in self.random.sample(SLUGS, self.random.randint(1, 2))]
        if self.chance(0.3):
            document["externalId"] = self.one("x", "X", "y")
        if self.chance(0.4):
            document[ENTERPRISE] = self.extension()
        return document

    def some(self, names: list[str]) -> Document:
        return {name: self.one(*TEXTS) for name in self.random.sample(names, self.random.randint(1, len(names)))}

    def elements(self, values: list[str]) -> list[Document]:
        """Elements of different types, at most one of them primary."""
        kinds = self.random.sample(KINDS, self.random.randint(1, 2))
        primary = self.one(None, *kinds)
        return [
            {"value": self.one(*values), "type": kind, **({"primary": True} if kind == primary else {})}
            for kind in kinds
        ]

    def role(self, slug: str) -> Document:
        return {"value": slug, "display": slug.title(), **({"type": self.one("X", "Y")} if self.chance(0.3) else {})}

    def extension(self) -> Document:
        found = self.some(ENTERPRISE_PARTS)
        return {**found, "manager": {"value": self.one("m1", "m2")}} if self.chance(0.4) else found

    # PATCH

    def patch_user(self) -> Operation:
        count = self.one(1, 1, 2, 3)
        return self.patch(f"/Users/{self.user()}", [self.user_change() for _ in range(count)])

    def patch(self, path: str, operations: list[Document]) -> Operation:
        return Operation("PATCH", path, {"schemas": [PATCH_OP], "Operations": operations})

    def change(self, *changes: Document) -> Document:
        return self.random.choice(changes)

    def user_change(self) -> Document:
        make = self.one(
            self.change_plain, self.change_name, self.change_elements, self.change_element, self.change_extension,
            self.change_without_path, self.change_roles, self.change_wrongly,
        )  # fmt: skip
        made: Document = make()
        return made

    def change_plain(self) -> Document:
        path = self.one(*PLAIN, "externalId", "userName", "active", f"{CORE}User:title")
        if path not in ("userName", "active") and self.chance(0.25):
            return {"op": "remove", "path": path}
        value = self.one(True, False) if path == "active" else self.one(*TEXTS)
        value = self.one(*USER_NAMES) if path == "userName" else value
        return {"op": self.one("add", "replace"), "path": path, "value": value}

    def change_name(self) -> Document:
        part = self.one(*NAME_PARTS)
        return self.change(
            {"op": "remove", "path": "name"},
            {"op": "remove", "path": f"name.{part}"},
            {"op": self.one("add", "replace"), "path": f"name.{part}", "value": self.one(*TEXTS)},
            {"op": self.one("add", "replace"), "path": "name", "value": self.some(NAME_PARTS)},
        )

    def change_elements(self) -> Document:
        return self.change(
            {"op": "remove", "path": "emails"},
            {"op": "replace", "path": "emails", "value": self.elements(ADDRESSES)},
            {"op": "add", "path": "emails", "value": self.elements(ADDRESSES)},
            {"op": "add", "path": "phoneNumbers", "value": self.elements(["1", "2"])},
            {"op": self.one("add", "replace"), "path": "emails.display", "value": self.one(*TEXTS)},
            {"op": "remove", "path": "emails.display"},
        )

    def change_element(self) -> Document:
        chosen = self.one(
            f'emails[type eq "{self.one(*KINDS)}"]',
            f'emails[value eq "{self.one(*ADDRESSES)}"]',
            f'emails[type eq "{self.one(*KINDS)}" and value co "work"]',
            "emails[primary eq true]",
            f'emails[not (type eq "{self.one(*KINDS)}")]',
        )
        return self.change(
            {"op": "remove", "path": chosen},
            {"op": "replace", "path": f"{chosen}.value", "value": self.one(*ADDRESSES)},
            {"op": "replace", "path": f"{chosen}.display", "value": self.one(*TEXTS)},
            {"op": "add", "path": f"{chosen}.display", "value": self.one(*TEXTS)},
            {"op": "remove", "path": f"{chosen}.display"},
            {"op": "replace", "path": chosen, "value": {"value": self.one(*ADDRESSES), "type": self.one(*KINDS)}},
        )

    def change_extension(self) -> Document:
        part = self.one(*ENTERPRISE_PARTS)
        return self.change(
            {"op": "remove", "path": f"{ENTERPRISE}:{part}"},
            {"op": self.one("add", "replace"), "path": f"{ENTERPRISE}:{part}", "value": self.one(*TEXTS)},
            {"op": "replace", "path": f"{ENTERPRISE}:manager.value", "value": self.one("m1", "m2")},
            {"op": "replace", "path": f"{ENTERPRISE}:manager", "value": {"value": self.one("m1", "m2")}},
            {"op": "remove", "path": f"{ENTERPRISE}:manager"},
        )

    def change_without_path(self) -> Document:
        value: Document = {self.one(*PLAIN): self.one(*TEXTS)}
        if self.chance(0.4):
            value["name"] = self.some(NAME_PARTS)
        if self.chance(0.3):
            value["emails"] = self.elements(ADDRESSES)
        if self.chance(0.3):
            value[ENTERPRISE] = self.some(ENTERPRISE_PARTS)
        return {"op": self.one("add", "replace"), "value": value}

    def change_roles(self) -> Document:
        role = self.role(self.one(*SLUGS))
        return self.change(
            {"op": "add", "path": "roles", "value": [role]},
            {"op": "replace", "path": "roles", "value": [role]},
            {"op": "remove", "path": "roles"},
            {"op": "remove", "path": f'roles[value eq "{role["value"]}"]'},
        )

    def change_wrongly(self) -> Document:
        return self.change(
            {"op": "replace", "path": "noSuchThing", "value": "x"},
            {"op": "replace", "path": "name.noSuchThing", "value": "x"},
            {"op": "replace", "path": "meta.created", "value": "2020-01-01T00:00:00Z"},
            {"op": "replace", "path": "id", "value": "x"},
            {"op": "remove", "path": "userName"},
            {"op": "remove"},
            {"op": "move", "path": "title", "value": "x"},
            {"op": "replace", "path": "emails[type eq", "value": "x"},
            {"op": "replace", "path": "active", "value": "perhaps"},
            {"op": "replace", "path": "title", "value": {"a": 1}},
        )

    # Groups

    def create_group(self) -> Operation:
        return Operation("POST", "/Groups", self.group_document())

    def replace_group(self) -> Operation:
        return Operation("PUT", f"/Groups/{self.group()}", self.group_document())

    def group_document(self) -> Document:
        document: Document = {"schemas": [f"{CORE}Group"], "displayName": self.one("Red", "Green", "Blue", "Pink")}
        if self.chance(0.6):
            document["members"] = self.members()
        return document

    def members(self) -> list[Document]:
        return [{"value": f"{{USER{number}}}"} for number in self.random.sample(range(6), self.random.randint(1, 3))]

    def patch_group(self) -> Operation:
        change = self.one(
            {"op": "add", "path": "members", "value": self.members()},
            {"op": "replace", "path": "members", "value": self.members()},
            {"op": "remove", "path": "members"},
            {"op": "remove", "path": f'members[value eq "{self.user()}"]'},
            {"op": "replace", "path": "displayName", "value": self.one("Red", "Green", "Grey")},
            {"op": "replace", "value": {"displayName": self.one("Red", "Green", "Grey"), "members": self.members()}},
            {"op": "replace", "path": "members.noSuchThing", "value": "x"},
        )
        return self.patch(f"/Groups/{self.group()}", [change])

    # Reading and deleting

    def delete_user(self) -> Operation:
        return Operation("DELETE", f"/Users/{self.user()}")

    def delete_group(self) -> Operation:
        return Operation("DELETE", f"/Groups/{self.group()}")

    def read(self) -> Operation:
        if self.chance(0.1):
            return Operation(self.one("GET", "DELETE"), f"/{self.one('Users', 'Groups')}/unknown")
        query = self.one({}, {"attributes": self.attributes()}, {"excludedAttributes": self.attributes()})
        return Operation("GET", f"/Users/{self.user()}?" + urlencode(query))

    def attributes(self) -> str:
        names = [
            *PLAIN,
            "userName",
            "name.givenName",
            "name",
            "emails",
            "emails.value",
            f"{ENTERPRISE}:department",
            "id",
        ]
        return ",".join(self.random.sample(names, self.random.randint(1, 3)))

    def search_users(self) -> Operation:
        query = {"filter": self.condition(2)} if self.chance(0.8) else {}
        if self.chance(0.4):
            query["sortBy"] = self.one("userName", "title", "name.familyName", "active", f"{ENTERPRISE}:employeeNumber")
            query["sortOrder"] = self.one("ascending", "descending")
        if self.chance(0.2):
            query[self.one("attributes", "excludedAttributes")] = self.attributes()
        return Operation("GET", "/Users?" + urlencode(query, safe="{}"))

    def search_groups(self) -> Operation:
        question = self.one(
            f'displayName eq "{self.one("RED", "Green", "Grey")}"',
            f'members.value eq "{self.user()}"',
            f'members[value eq "{self.user()}"]',
            "members pr",
            'displayName sw "g" and not (members pr)',
        )
        return Operation("GET", "/Groups?" + urlencode({"filter": question}, safe="{}"))

    def condition(self, depth: int) -> str:
        if depth and self.chance(0.5):
            return str(
                self.one(
                    f"{self.condition(depth - 1)} {self.one('and', 'or', 'AND')} {self.condition(depth - 1)}",
                    f"not ({self.condition(depth - 1)})",
                    f"({self.condition(depth - 1)})",
                )
            )
        return self.comparison()

    def comparison(self) -> str:
        operator = self.one("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")
        address = self.one(*ADDRESSES)
        text = self.one(*TEXTS, "o", "b").replace("\\", "\\\\").replace('"', '\\"')
        return str(
            self.one(
                f'{self.one(*PLAIN, "externalId", "name.givenName", "TITLE")} {operator} "{text}"',
                f'userName {operator} "{self.one(*USER_NAMES)}"',
                f"{self.one(*PLAIN, 'name', 'emails', 'roles', 'emails.type', ENTERPRISE + ':manager')} pr",
                f"active {self.one('eq', 'ne')} {self.one('true', 'false')}",
                f'{self.one("emails", "emails.value", "emails.type")} {operator} "{self.one(*ADDRESSES, *KINDS)}"',
                f'emails[type eq "{self.one(*KINDS)}" {self.one("and", "or")} value {operator} "{address}"]',
                f'{ENTERPRISE}:{self.one(*ENTERPRISE_PARTS)} {operator} "{text}"',
                f'roles.value eq "{self.one(*SLUGS)}"',
                f"emails.primary {self.one('eq', 'ne')} {self.one('true', 'false')}",
                f'emails[type {operator} "{self.one(*KINDS)}" and not (primary eq true)]',
                f'schemas eq "{self.one(CORE + "User", ENTERPRISE, "urn:other")}"',
                f'meta.resourceType {self.one("eq", "ne")} "{self.one("User", "Group")}"',
                f'id eq "{self.user()}"',
                f'{ENTERPRISE}:manager.value eq "{self.one("m1", "m2")}"',
                f"{self.one(*PLAIN)} {self.one('eq', 'ne')} null",
                'meta.created gt "2000-01-01T00:00:00Z"',
                'noSuchThing eq "x"',
                "title eq",
            )
        )
