"""Generates a realistic organisation of any size, the same for the same seed: for trials, tests and benchmarks."""

import importlib
import random
import string
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress

from scim.emulator.bodies import Document

GIVEN_NAMES = (
    "Ada Agnes Ahmed Aiko Alan Amara Ana Anders Anya Ben Björn Carla Chen Chidi Clara Daan Dalia David Diego Dmitri "
    "Elena Elif Emma Enzo Esra Fatima Felix Finn Freya Grace Hana Hugo Ida Imani Ines Ivan Jonas José Jun Kofi Lars "
    "Layla Lena Leon Lucía Maja Mateo Mei Mia Milan Nadia Naoki Nia Nils Noor Olga Omar Oscar Paula Pia Priya Rania "
    "Ravi Rosa Ruth Samir Sara Sofía Soren Tariq Tess Thea Tomás Uma Vera Wei Yara Yuki Zoë Zofia"
)
FAMILY_NAMES = (
    "Abara Almeida Andersen Bakker Banerjee Berg Bianchi Castillo Chowdhury Costa Dahl Demir Dubois Eriksen Farouk "
    "Fischer Fontaine García Gupta Haddad Hansen Horvat Hughes Ivanova Jansen Kaya Keller Khan Kim Kowalska Laurent "
    "Lehmann Lindqvist Lopez Marino Mbeki Meyer Moreau Müller Nakamura Nguyen Nowak Núñez O'Brien Okafor Olsen Park "
    "Patel Pereira Petrov Quinn Ricci Rossi Sato Schmidt Silva Singh Smith Sørensen Suzuki Tanaka Torres Ueda Vargas "
    "Virtanen Wagner Walsh Wang Weber Yamamoto Yilmaz Zhang Zimmermann"
)
LOCALES = ["en_GB", "de_DE", "es_ES", "fr_FR", "pl_PL"]
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
    names = _names(rng, faker)
    persons = [_person(rng, number, *next(names)) for number in range(people)]
    made = _groups(rng, persons, max(1, people // 40) if groups is None else groups)
    return {"people": persons, "groups": made, "app": _app(rng, persons, made, roles)}


def _names(rng: random.Random, faker: bool) -> Iterator[tuple[str, str]]:
    """Yield given and family names: Faker's where it is wanted and installed, else those above."""
    generator = None
    with suppress(ImportError):
        module = importlib.import_module("faker") if faker else None  # by name: mypy would require it
        generator = module and module.Faker(LOCALES)
    if generator:
        generator.seed_instance(rng.getrandbits(32))
    given, family = GIVEN_NAMES.split(), FAMILY_NAMES.split()
    while True:
        if generator:
            yield str(generator.first_name()), str(generator.last_name())
        else:
            yield rng.choice(given), rng.choice(family)


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
