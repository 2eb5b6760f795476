"""People's names for sample organisations: Faker's where it is installed, else a small list of its own."""

import importlib
import random
from collections.abc import Callable

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


def source(random_: random.Random, faker: bool = True) -> Callable[[], tuple[str, str]]:
    """Return a function that gives one person's given and family name after the other, repeatable by the seed."""
    made = _faker(random_) if faker else None
    given, family = GIVEN_NAMES.split(), FAMILY_NAMES.split()
    return made or (lambda: (random_.choice(given), random_.choice(family)))


def _faker(random_: random.Random) -> Callable[[], tuple[str, str]] | None:
    try:
        module = importlib.import_module("faker")  # optional: a type checker must not ask for it
    except ImportError:
        return None
    generator = module.Faker(["en_GB", "de_DE", "es_ES", "fr_FR", "pl_PL"])
    generator.seed_instance(random_.getrandbits(32))
    return lambda: (str(generator.first_name()), str(generator.last_name()))
