"""Filters and PATCH paths from the grammar of RFC 7644 section 3.4.2.2, valid ones and broken ones."""

import json
from random import Random

from tests.support.hostile import ENTERPRISE, NASTY_TEXTS, filter_text

ACCESS = "urn:perch:scim:schemas:extension:access:1.0:User"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
COMPLEX = {
    "name": ("givenName", "familyName", "formatted"),
    "emails": ("value", "type", "primary", "display"),
    "phoneNumbers": ("value", "type", "primary"),
    "addresses": ("streetAddress", "type", "country"),
    "roles": ("value", "type", "display", "primary"),
    "members": ("value", "type", "display", "$ref"),
    "groups": ("value", "type", "display"),
    "meta": ("created", "lastModified", "resourceType", "version", "location"),
    f"{ACCESS}:effectiveRoles": ("value", "type", "source"),
    f"{ENTERPRISE}:manager": ("value", "displayName", "$ref"),
}
SIMPLE = (
    "id", "externalId", "userName", "displayName", "title", "active", "schemas", "locale", "password", "nickName",
    f"{CORE}:userName", f"{ENTERPRISE}:department", f"{ACCESS}:loginAllowed", "unknown", "x509Certificates",
)  # fmt: skip
OPERATORS = ("eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le")
TEXTS = ("work", "ann", "a@b", "", "managed:admin", "User", "2026-01-01T00:00:00Z", "é", "e\u0301", "İ", "%", "_", '"')
TOKENS = ("(", ")", "[", "]", " ", "and", "or", "not", '"', "\\", ".", ":", ",", "eq", "\0", "\u202e", "pr", "$")


def attribute(chance: Random) -> str:
    """Return the path of an attribute, in letters of any case."""
    if chance.random() < 0.5:
        found = chance.choice(SIMPLE)
    else:
        name = chance.choice(tuple(COMPLEX))
        found = name if chance.random() < 0.3 else f"{name}.{chance.choice(COMPLEX[name])}"
    return found if chance.random() < 0.8 else found.swapcase()


def value(chance: Random) -> str:
    """Return a literal of a comparison."""
    how = chance.randrange(8)
    if how < 5:
        return json.dumps(chance.choice(TEXTS), ensure_ascii=chance.random() < 0.5)
    if how == 5:
        return chance.choice(("true", "false", "null", "TRUE"))
    if how == 6:
        return str(chance.choice((0, 1, -1, 2**63, 1e9, 0.5)))
    return chance.choice(('"{USER:1}"', '"{GROUP:1}"', json.dumps(chance.choice(NASTY_TEXTS)[:300])))


def comparison(chance: Random, name: str) -> str:
    """Return one attribute expression."""
    if chance.random() < 0.2:
        return f"{name} pr"
    operator = chance.choice(OPERATORS)
    return f"{name} {operator if chance.random() < 0.9 else operator.upper()} {value(chance)}"


def expression(chance: Random, depth: int = 0, inside: str = "") -> str:
    """Return a filter; with `inside`, one between the brackets of a complex attribute."""
    how = chance.random() + depth * 0.1
    if how < 0.2:
        glue = chance.choice((" and ", " or ", " AND "))
        return glue.join(expression(chance, depth + 1, inside) for _ in range(chance.choice((2, 2, 3, 9))))
    if how < 0.3:
        return f"not ({expression(chance, depth + 1, inside)})"
    if how < 0.4:
        return f"({expression(chance, depth + 1, inside)})"
    if how < 0.55 and not inside:
        name = chance.choice(tuple(COMPLEX))
        return f"{name}[{expression(chance, depth + 1, name)}]"
    return comparison(chance, chance.choice(COMPLEX[inside]) if inside else attribute(chance))


def broken(chance: Random, text: str) -> str:
    """Return a text with tokens dropped, doubled, moved or put in."""
    for _ in range(chance.choice((1, 1, 2, 5))):
        at, to = sorted((chance.randrange(len(text) + 1), chance.randrange(len(text) + 1)))
        how = chance.randrange(5)
        if how == 0:
            text = text[:at] + chance.choice(TOKENS) + text[at:]
        elif how == 1:
            text = text[:at] + text[at + 1 :]
        elif how == 2:
            text = text[:to] + text[at:to] + text[to:]
        elif how == 3:
            text = text[:at] + text[to:]
        else:
            text = text[at:] + text[:at]
    return text[:4000]


def nested(chance: Random) -> str:
    """Return a filter that is very deep or very long."""
    depth = chance.choice((5, 30, 100, 500))
    return chance.choice((
        "not (" * depth + "active pr" + ")" * depth,
        "(" * depth + "active pr" + ")" * chance.choice((depth, depth - 1, 0)),
        " or ".join(f'userName eq "{n}"' for n in range(depth)),
        " and ".join(['emails[type eq "work" and value pr]'] * min(depth, 80)),
        "emails[" * depth,
    ))[:4000]  # fmt: skip


def any_filter(chance: Random) -> str:
    """Return a filter: valid most of the time, else broken, deep, or of nonsense."""
    how = chance.random()
    if how < 0.55:
        return expression(chance)[:4000]
    if how < 0.8:
        return broken(chance, expression(chance))
    return nested(chance) if how < 0.88 else filter_text(chance)[:4000]


def any_path(chance: Random) -> str:
    """Return the path of a PATCH operation: valid most of the time, else broken."""
    if chance.random() < 0.5:
        found = attribute(chance)
    else:
        name = chance.choice(tuple(COMPLEX))
        found = f"{name}[{expression(chance, 1, name)}]"
        found += f".{chance.choice(COMPLEX[name])}" if chance.random() < 0.6 else ""
    return found if chance.random() < 0.75 else broken(chance, found)
