"""The words by which people find users and groups in the console; each is found by its beginning, without accents.

What begins a userName, displayName, externalId or e-mail address is found by the index of that column; the table has
the other words. Words that are cut in another way need a migration that writes all of them again.
"""

import re
from collections.abc import Iterable
from itertools import islice
from sqlite3 import Connection
from typing import Any

from schemas.text import compose, fold, plain

# Letters and digits between other characters: `o'brien` is found by itself and by `brien`.
PART = re.compile(r"[^\W_]+")
# Bounds of the words of one resource, and of the characters of one word.
MOST_WORDS, LONGEST = 1000, 100
NAMES = ("givenName", "familyName", "formatted")
ATTRIBUTES = ("name", "displayName", "userName", "externalId", "emails")


def of_document(document: dict[str, Any]) -> list[str]:
    """Return the words of a user's or group's document that the table has."""
    name, external = document.get("name", {}), document.get("externalId")
    looked_up = [document.get("displayName"), document.get("userName")]
    looked_up += [email.get("value") for email in document.get("emails", ())]
    texts = dict.fromkeys([*looked_up, external, *map(name.get, NAMES)])
    indexed = {fold(text) for text in set(looked_up) if text}
    if external:
        indexed.add(compose(external))
    return [word for word in _longest(indexed.union(cut(filter(None, texts)))) if word not in indexed]


def cut(texts: Iterable[str]) -> set[str]:
    """Return the words of texts, each from each of its parts to its end."""
    found = set[str]()
    for text in texts:
        for word in plain(text).split():
            if word.isalnum():
                found.add(word[:LONGEST])
            elif word not in found:
                parts = islice(PART.finditer(word), MOST_WORDS)
                found.update([word[part.start() :][:LONGEST] for part in parts] or [word[:LONGEST]])
            if len(found) > MOST_WORDS:
                return found
    return found


def typed(text: str) -> list[str]:
    """Return the words that somebody typed, without what is no letter or digit around them."""
    found = set[str]()
    for word in plain(text).split():
        parts = list(PART.finditer(word))
        found.add((word[parts[0].start() : parts[-1].end()] if parts else word)[:LONGEST])
    return _longest(found)


def begin(words: Iterable[str], texts: Iterable[str]) -> bool:
    """Tell whether each of some typed words begins a word of some texts."""
    found = cut(texts)
    return all(any(each.startswith(word) for each in found) for word in words)


def _longest(words: Iterable[str]) -> list[str]:
    """Return the words that begin no other one: who looks for those finds the others."""
    found = list[str]()
    for word in sorted(words, reverse=True):
        if not found or not found[-1].startswith(word):
            found.append(word)
    return found


def insert(connection: Connection, type_name: str, seq: int, words: Iterable[str]) -> None:
    """Add words of a resource."""
    rows = [(word, type_name, seq) for word in words]
    connection.executemany("INSERT INTO words (word, type, id) VALUES (?, ?, ?)", rows)


def replace(connection: Connection, type_name: str, seq: int, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Write the difference between the words of two documents of a resource."""
    if all(before.get(name) == after.get(name) for name in ATTRIBUTES):
        return
    old, new = set(of_document(before)), set(of_document(after))
    connection.executemany("DELETE FROM words WHERE id = ? AND word = ?", [(seq, word) for word in old - new])
    insert(connection, type_name, seq, new - old)


def delete(connection: Connection, seq: int) -> None:
    """Delete the words of a resource."""
    connection.execute("DELETE FROM words WHERE id = ?", (seq,))
