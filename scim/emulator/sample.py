"""A realistic organisation of any size, the same for the same seed: for trials, tests and benchmarks."""

import random
import string
import unicodedata
from collections.abc import Sequence
from typing import Any

from scim.emulator import names

Document = dict[str, Any]
DEPARTMENTS = (
    "Support", "Sales", "Engineering", "Marketing", "Finance", "Legal", "Security", "Operations", "Design", "Research",
    "People", "Procurement",
)  # fmt: skip
PLACES = ("Berlin", "Lisbon", "London", "Madrid", "Oslo", "Paris", "Prague", "Toronto", "Warsaw", "Zürich")
TITLES = ("Agent", "Analyst", "Engineer", "Specialist", "Manager", "Lead", "Director", "Assistant")
SPELLED = {ord("ø"): "o", ord("ł"): "l", ord("ß"): "ss", ord("æ"): "ae"}
DEACTIVATED, INDIVIDUAL, ASSIGNED, PUSHED = 0.03, 0.02, 0.7, 0.5


def organisation(
    people: int, groups: int | None = None, seed: int = 1, roles: Sequence[str] = (), faker: bool = True
) -> Document:
    """Return an organisation of so many people as `flask okta sync` reads it."""
    random_ = random.Random(seed)
    next_name = names.source(random_, faker)
    persons = [_person(random_, number, *next_name()) for number in range(people)]
    made = _groups(random_, persons, max(1, people // 40) if groups is None else groups)
    return {"people": persons, "groups": made, "app": _app(random_, persons, made, roles)}


def _person(random_: random.Random, number: int, given: str, family: str) -> Document:
    login = f"{_plain(given)}.{_plain(family)}.{number}@example.com"
    profile = {"title": random_.choice(TITLES), "userType": "Employee"}
    status = "deactivated" if random_.random() < DEACTIVATED else "active"
    return {
        "id": _id(random_, "00u"),
        "login": login,
        "givenName": given,
        "familyName": family,
        "status": status,
        "profile": profile,
    }


def _groups(random_: random.Random, persons: Sequence[Document], count: int) -> list[Document]:
    """Return groups of very different sizes: each person is in a few of them, the first ones are large."""
    members: list[list[str]] = [[] for _ in range(count)]
    for person in persons:
        chosen = {min(int(random_.paretovariate(1.1)) - 1, count - 1) for _ in range(random_.randint(1, 3))}
        chosen.add(random_.randrange(count) if count else 0)
        for number in sorted(chosen) if count else ():
            members[number].append(person["login"])
    return [
        {"id": _id(random_, "00g"), "name": _group_name(number), "members": held} for number, held in enumerate(members)
    ]


def _group_name(number: int) -> str:
    department, rest = DEPARTMENTS[number % len(DEPARTMENTS)], number // len(DEPARTMENTS)
    if rest == 0:
        return department
    place, turn = PLACES[(rest - 1) % len(PLACES)], (rest - 1) // len(PLACES)
    return f"{department} {place}" + (f" {turn + 1}" if turn else "")


def _app(
    random_: random.Random, persons: Sequence[Document], groups: Sequence[Document], roles: Sequence[str]
) -> Document:
    def some(most: int) -> Document:
        chosen = random_.sample(list(roles), k=min(len(roles), random_.randint(1, most)))
        return {"roles": sorted(chosen)} if roles else {}

    assigned = [group for number, group in enumerate(groups) if number == 0 or random_.random() < ASSIGNED]
    singled = [person for person in persons if random_.random() < INDIVIDUAL]
    by_group = [{"group": group["name"], **some(2)} for group in assigned]
    by_person = [{"person": person["login"], **some(3)} for person in singled]
    pushed = [group["name"] for group in assigned if random_.random() < PUSHED]
    # Few groups may all miss their chance; an organisation that shows nothing pushed would be no example.
    return {"groups": by_group, "people": by_person, "push": pushed or [group["name"] for group in assigned[:1]]}


def _plain(name: str) -> str:
    """Return a name as it stands in an address: small ASCII letters."""
    replaced = name.lower().translate(SPELLED)
    ascii_ = unicodedata.normalize("NFKD", replaced).encode("ascii", "ignore").decode()
    return "".join(letter for letter in ascii_ if letter.isalnum()) or "x"


def _id(random_: random.Random, prefix: str) -> str:
    return prefix + "".join(random_.choices(string.ascii_letters + string.digits, k=17))
