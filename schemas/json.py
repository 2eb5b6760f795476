"""Strict JSON for documents that clients send (RFC 8259): UTF-8, unique keys, finite numbers, valid Unicode text.

Keys that differ only in case are equal, since names of attributes ignore case (RFC 7643 section 2.1).
"""

import json
import math
import re
import threading
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Callable
from typing import Any

from schemas.errors import InvalidSyntax

ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
WHITESPACE = " \t\r\n"
# The characters that JSON text of an object or array begins with.
STRUCTURE_STARTS = "{[" + WHITESPACE
STRUCTURE = re.compile(r'\s*(?:\{\s*"|\[\s*["{]|(?:\{\s*\}|\[\s*\])\s*\Z)', re.ASCII)


def parse_json(data: bytes) -> Any:
    """Return the value of a JSON text.

    :raises InvalidSyntax: when it is no JSON, or breaks one of the module's rules.
    """
    try:
        found = _decoded(data.removeprefix(BOM_UTF8).decode())
        if ESCAPED_SURROGATE.search(data):
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except RecursionError:
        raise InvalidSyntax("The JSON is nested too deeply.") from None
    except UnicodeDecodeError:
        raise InvalidSyntax("The body is not UTF-8 text.") from None
    except UnicodeEncodeError:
        raise InvalidSyntax("The JSON contains half of a surrogate pair; send valid Unicode text.") from None
    except json.JSONDecodeError as error:
        raise InvalidSyntax(f"The JSON is not valid: {error}.") from None
    except ValueError:
        raise InvalidSyntax("The JSON contains a number with too many digits.") from None


def begins_as_json(text: str) -> bool:
    """Tell whether text begins with `{"`, `[{` or `["`, or is `{}` or `[]`; white space is allowed anywhere."""
    return STRUCTURE.match(text) is not None


def structure_in(text: str) -> dict[str, Any] | list[Any] | None:
    """Return the object or array that a text is as JSON, None for other text.

    :raises InvalidSyntax: when the text begins as JSON (see `begins_as_json`) and cannot be read.
    """
    if not text.lstrip(WHITESPACE).startswith(("{", "[")):
        return None
    try:
        found: dict[str, Any] | list[Any] = CompactJson.loads(text)
    except InvalidSyntax:
        if begins_as_json(text):
            raise
        return None
    return found


def to_text(value: Any) -> str:
    """Return a JSON value as compact text; of a string that is the string in quotes, escaped."""
    return _ENCODER.encode(value)


def _number(text: str) -> float:
    """Return a number with a fraction or exponent; also called for NaN and the infinities."""
    number = float(text)
    if text.endswith(("NaN", "Infinity")):
        raise InvalidSyntax(f"The JSON is not valid: {text} is no JSON value.")
    if not math.isfinite(number):
        raise InvalidSyntax(f"The JSON contains a number that is too large: {text[:40]}.")
    return number


class CompactJson:
    """Perch's JSON as marshmallow's `render_module`, for `Schema.dumps` and `Schema.loads`."""

    @staticmethod
    def dumps(value: Any, **options: Any) -> str:
        """Return compact text, or text in the layout that options of `json.dumps` ask for."""
        return json.dumps(value, ensure_ascii=False, **options) if options else to_text(value)

    @staticmethod
    def loads(text: str | bytes | bytearray) -> Any:
        """Return the value of a JSON text; raises InvalidSyntax as `parse_json` does."""
        return parse_json(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else bytes(text))


def _unique_into(objects: list[dict[str, Any]]) -> Callable[[list[tuple[str, Any]]], dict[str, Any]]:
    """Return a hook that makes each object from its pairs and adds it to `objects`."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            duplicate, _ = Counter(name for name, _ in pairs).most_common(1)[0]
            raise InvalidSyntax(f"Duplicate key {duplicate[:100]!r} in a JSON object; send it once.")
        objects.append(found)
        return found

    return unique


class _Decoder(threading.local):
    """A decoder for each thread, since making one takes longer than its use, and the objects of the text it decodes."""

    def __init__(self) -> None:
        self.objects: list[dict[str, Any]] = []
        unique = _unique_into(self.objects)
        self.decode = json.JSONDecoder(parse_constant=_number, parse_float=_number, object_pairs_hook=unique).decode


def _decoded(text: str) -> Any:
    objects = _DECODER.objects
    try:
        found = _DECODER.decode(text)
        _check_spellings(objects)
        return found
    finally:
        objects.clear()


def _check_spellings(objects: list[dict[str, Any]]) -> None:
    # All names at once: each object on its own would make a group of 10,000 members take 1.7 times as long.
    names: set[str] = set()
    names.update(*objects)
    if len({name.lower() for name in names}) == len(names):
        return
    for each in objects:
        spelled: dict[str, str] = {}
        for name in each:
            other = spelled.setdefault(name.lower(), name)
            if other != name:
                both = f"{other[:100]!r} and {name[:100]!r}"
                raise InvalidSyntax(f"The keys {both} in a JSON object differ in case only; send one of them.")


_DECODER = _Decoder()
# json.dumps would make an encoder for each call with such options.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
