"""Generates a realistic organisation of any size, the same for the same seed: for trials, tests and benchmarks."""

import random
import string
import unicodedata
from collections.abc import Sequence

from scim.emulator.bodies import Document
from scim.emulator.sample_names import name_source

DEPARTMENTS = (
    "Support", "Sales", "Engineering", "Marketing", "Finance", "Legal", "Security", "Operations", "Design", "Research",
    "People", "Procurement",
)  # fmt: skip
PLACES = ("Berlin", "Lisbon", "London", "Madrid", "Oslo", "Paris", "Prague", "Toronto", "Warsaw", "Zürich")
TITLES = ("Agent", "Analyst", "Engineer", "Specialist", "Manager", "Lead", "Director", "Assistant")
TRANSLITERATED = {ord("ø"): "o", ord("ł"): "l", ord("ß"): "ss", ord("æ"): "ae"}
# Shares of people who are deactivated and assigned one by one, and of groups that are assigned and then pushed.
DEACTIVATED, INDIVIDUAL, ASSIGNED, PUSHED = 0.03, 0.02, 0.7, 0.5


def sample_organisation(
    people: int, groups: int | None = None, seed: int = 1, roles: Sequence[str] = (), faker: bool = True
) -> Document:
    """Return an organisation as `flask okta sync` reads it; by default it has one group for 40 people."""
    rng = random.Random(seed)
    next_name = name_source(rng, faker)
    persons = [_person(rng, number, *next_name()) for number in range(people)]
    made = _groups(rng, persons, max(1, people // 40) if groups is None else groups)
    return {"people": persons, "groups": made, "app": _app(rng, persons, made, roles)}


def _person(rng: random.Random, number: int, given: str, family: str) -> Document:
    login = f"{_ascii_letters(given)}.{_ascii_letters(family)}.{number}@example.com"
    profile = {"title": rng.choice(TITLES), "userType": "Employee"}
    status = "deactivated" if rng.random() < DEACTIVATED else "active"
    return {
        "id": _okta_id(rng, "00u"),
        "login": login,
        "givenName": given,
        "familyName": family,
        "status": status,
        "profile": profile,
    }


def _groups(rng: random.Random, persons: Sequence[Document], count: int) -> list[Document]:
    """Return groups of very different sizes: each person is in a few of them, the first ones are large."""
    members: list[list[str]] = [[] for _ in range(count)]
    for person in persons:
        chosen = {min(int(rng.paretovariate(1.1)) - 1, count - 1) for _ in range(rng.randint(1, 3))}
        chosen.add(rng.randrange(count) if count else 0)
        for number in sorted(chosen) if count else ():
            members[number].append(person["login"])
    return [
        {"id": _okta_id(rng, "00g"), "name": _group_name(number), "members": logins}
        for number, logins in enumerate(members)
    ]


def _group_name(number: int) -> str:
    department, rest = DEPARTMENTS[number % len(DEPARTMENTS)], number // len(DEPARTMENTS)
    if rest == 0:
        return department
    place, turn = PLACES[(rest - 1) % len(PLACES)], (rest - 1) // len(PLACES)
    return f"{department} {place}" + (f" {turn + 1}" if turn else "")


def _app(rng: random.Random, persons: Sequence[Document], groups: Sequence[Document], roles: Sequence[str]) -> Document:
    def some_roles(most: int) -> Document:
        chosen = rng.sample(list(roles), k=min(len(roles), rng.randint(1, most)))
        return {"roles": sorted(chosen)} if roles else {}

    assigned = [group for number, group in enumerate(groups) if number == 0 or rng.random() < ASSIGNED]
    individuals = [person for person in persons if rng.random() < INDIVIDUAL]
    by_group = [{"group": group["name"], **some_roles(2)} for group in assigned]
    by_person = [{"person": person["login"], **some_roles(3)} for person in individuals]
    pushed = [group["name"] for group in assigned if rng.random() < PUSHED]
    # A small sample may draw no pushed group; then the first one is pushed, so that each sample shows a push.
    return {"groups": by_group, "people": by_person, "push": pushed or [group["name"] for group in assigned[:1]]}


def _ascii_letters(name: str) -> str:
    """Return a name as it is written in an e-mail address, in small ASCII letters."""
    replaced = name.lower().translate(TRANSLITERATED)
    ascii_ = unicodedata.normalize("NFKD", replaced).encode("ascii", "ignore").decode()
    return "".join(letter for letter in ascii_ if letter.isalnum()) or "x"


def _okta_id(rng: random.Random, prefix: str) -> str:
    return prefix + "".join(rng.choices(string.ascii_letters + string.digits, k=17))
