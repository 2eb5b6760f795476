"""Whether a recorded request mentions a person: by a name or id as a whole value, never as a part of another one."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote, unquote_plus

from schemas.text import fold

LITERAL = re.compile(r'"(?:[^"\\]|\\.)*+"')
BETWEEN_WORDS = re.compile(r"[\s\[\](),;]+")
BETWEEN_PARTS = re.compile(r"[\s/?&=#]+")
# A letter may be hidden behind these.
ESCAPES = re.compile(r"[\\%]")
AFTER_WORD = ".:!?"
# Attributes and parameters whose values are words of the protocol, and attributes whose values are sentences or paths.
PROTOCOL = frozenset(
    ("status", "op", "method", "scimtype", "schemas", "version", "type", "resourcetype", "startindex", "count",
     "cursor", "attributes", "excludedattributes", "sortby", "sortorder")
)  # fmt: skip
PLAIN_TEXT = frozenset(("detail", "path", "filter", "location", "$ref", "ref"))


class Mentions:
    """The names and ids of a person, looked for in bodies, paths and sentences, in any case."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {fold(name) for name in names if name}
        quoted = ((json.dumps(name, ensure_ascii=False), f"'{name}'") for name in self._names)
        self._quoted = frozenset(form for forms in quoted for form in forms)

    def is_name(self, text: str) -> bool:
        """Tell whether a text is one of the names."""
        return fold(text) in self._names

    def in_body(self, text: str | None) -> bool:
        """Tell whether a body has a name as a value: of JSON, whole or cut off, or as a word of any other text."""
        if not text:
            return False
        seen = fold(text)
        if not (ESCAPES.search(text) or any(name in seen for name in self._names)):
            return False
        try:
            return any(self._in_member(name, value) for name, value in _strings(json.loads(text)))
        except (ValueError, RecursionError):
            pass
        if text.lstrip()[:1] not in ("{", "["):
            return self.in_text(text)
        return any(map(self._is_value, _literals(text)))

    def in_path(self, path: str) -> bool:
        """Tell whether a percent-encoded path with its query has a name as a segment, or in a parameter."""
        place, _, query = path.partition("?")
        pairs = [pair.partition("=") for pair in query.split("&")]
        return any(fold(unquote(segment)) in self._names for segment in place.split("/")) or any(
            self.in_text(decode(text))
            for name, _, value in pairs
            if fold(name) not in PROTOCOL
            for text in (name, value)
            # Not every client encodes the plus sign of an address.
            for decode in (unquote, unquote_plus)
        )

    def in_text(self, text: str | None) -> bool:
        """Tell whether a sentence or filter has a name: in quotes, as a word of its own, or in a path."""
        if not text:
            return False
        words = (
            word.rstrip(AFTER_WORD)
            for part in BETWEEN_PARTS.split(text)
            for plain in {part, unquote(part)}
            for word in (plain, *BETWEEN_WORDS.split(plain))
        )
        # A number in a sentence is a count.
        return self._is_value(text) or any(not word.isdecimal() and self._is_value(word) for word in words)

    def _in_member(self, name: str, value: str) -> bool:
        if fold(name) in PROTOCOL:
            return False
        plain = fold(name) in PLAIN_TEXT or value.startswith(("/", "http://", "https://"))
        return self._is_value(name) or (self.in_text(value) if plain else self._is_value(value))

    def _is_value(self, text: str) -> bool:
        seen = fold(text)
        if seen in self._names or any(form in seen for form in self._quoted):
            return True
        return "\\" in text and any(fold(literal) in self._names for literal in _literals(text))


def _strings(document: Any) -> Iterator[tuple[str, str]]:
    """Yield each string of a JSON document with the name of its attribute."""
    waiting = [("", document)]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.items()
        elif isinstance(value, list):
            waiting += ((name, item) for item in value)
        elif isinstance(value, str):
            yield name, value


def _literals(text: str) -> Iterator[str]:
    """Yield the strings of JSON in a text, which may be cut off."""
    for found in LITERAL.finditer(text):
        try:
            yield json.loads(found[0])
        except ValueError:
            yield found[0][1:-1]
