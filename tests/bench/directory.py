"""Builds a directory of any size through the repository, without a million POSTs."""

import random
from functools import cache
from typing import Any

from storage import members, resources, roles
from storage.database import Database
from tests.support.resource_types import GROUP, USER

ROLES = ("managed:admin", "managed:editor", "managed:viewer", "managed:inbox_agent")
GROUP_SIZE = 100
CHUNK = 10_000


def person(number: int) -> dict[str, Any]:
    """Return the document that Okta sends for a person, without the password."""
    return {
        "schemas": [USER.schema.urn],
        "userName": f"person{number}@example.com",
        "externalId": f"00u{number:08d}",
        "name": {"givenName": f"Given{number % 977}", "familyName": f"Family{number % 7919}"},
        "displayName": f"Given{number % 977} Family{number % 7919}",
        "emails": [{"value": f"person{number}@example.com", "type": "work", "primary": True}],
        "locale": "en-US",
        "title": "Engineer",
        "active": number % 20 != 0,
        "roles": [{"value": ROLES[number % len(ROLES)]}],
    }


@cache
def _shape() -> dict[str, Any]:
    return USER.load(person(0))


def loaded(number: int) -> dict[str, Any]:
    """Return the result of USER.load for a person, faster: only the first person is really loaded."""
    sent = {**person(number), "schemas": _shape()["schemas"]}
    sent["name"] = {key: sent["name"][key] for key in _shape()["name"]}
    return {key: sent[key] for key in _shape()}


def seed(database: Database, people: int, big_group: int) -> tuple[list[str], dict[str, str]]:
    """Create people, teams of 100, and groups of 100 and of `big_group`; return their ids, the groups' by name."""
    ids: list[str] = []
    for first in range(0, people, CHUNK):
        with database.write() as connection:
            for number in range(first, min(first + CHUNK, people)):
                document = loaded(number)
                direct = document.pop("roles")
                seq, identifier = resources.insert(connection, USER, document)
                for role in direct:
                    roles.assign(connection, seq, roles.DIRECT, role["value"], "bench")
                ids.append(identifier)
    groups = {"small": ids[:100], "big": ids[:big_group], "replaced": []}
    for first in range(0, people, GROUP_SIZE):
        groups[f"team {first // GROUP_SIZE}"] = ids[first : first + GROUP_SIZE]
    return ids, _seed_groups(database, groups)


def _seed_groups(database: Database, groups: dict[str, list[str]]) -> dict[str, str]:
    found = {}
    names = list(groups)
    for first in range(0, len(names), 1000):
        with database.write() as connection:
            for name in names[first : first + 1000]:
                seq, found[name] = resources.insert(connection, GROUP, GROUP.load({"displayName": name}))
                members.add(connection, seq, groups[name], members.MemberChange())
                if seq % 10 == 0:
                    roles.assign(connection, seq, roles.GROUP, "managed:analyst", "bench")
    return found


def pick(people: int, turn: int) -> int:
    """Return a pseudo-random person's number, the same one in every run."""
    return random.Random(turn).randrange(people)
