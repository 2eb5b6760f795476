"""Names of people for sample organisations: Faker's where it is installed, else from a short list."""

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
LOCALES = ["en_GB", "de_DE", "es_ES", "fr_FR", "pl_PL"]

NameSource = Callable[[], tuple[str, str]]


def name_source(rng: random.Random, faker: bool = True) -> NameSource:
    """Return a function that returns one given and family name per call, the same sequence for each seed."""
    given, family = GIVEN_NAMES.split(), FAMILY_NAMES.split()
    return (_faker_source(rng) if faker else None) or (lambda: (rng.choice(given), rng.choice(family)))


def _faker_source(rng: random.Random) -> NameSource | None:
    try:
        module = importlib.import_module("faker")  # by name: it is optional, and the type checker would require it
    except ImportError:
        return None
    generator = module.Faker(LOCALES)
    generator.seed_instance(rng.getrandbits(32))
    return lambda: (str(generator.first_name()), str(generator.last_name()))
