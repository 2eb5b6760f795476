"""Bounds of a JSON text that are checked on its bytes before it is parsed: nesting, and the number of values."""

from collections.abc import Iterator
from typing import Any

from schemas.errors import InvalidSyntax, PayloadTooLarge

MAX_NESTING = 32
TOO_DEEP = b"[" * (MAX_NESTING + 1)
# The most values of a message or of one resource; of a group, whose members are many, or of Bulk.
MOST_VALUES, MOST_LARGE = 20_000, 1_000_000
CHUNK = 65536
ONE_KIND = bytes.maketrans(b"{}", b"[]")
NO_BRACKET_OR_QUOTE = bytes(byte for byte in range(256) if byte not in b'[]{}"')
NO_BRACKET_OR_COMMA = bytes(byte for byte in range(256) if byte not in b"[]{},")


def check_bounds(data: bytes, most_values: int) -> None:
    """Refuse a JSON text that nests more than MAX_NESTING levels deep, or has more than `most_values` values.

    A comma or an opening bracket counts as a value. Other texts than JSON pass or not; the parser refuses them.

    :raises InvalidSyntax: when it is nested too deeply; :raises PayloadTooLarge: when it has too many values.
    """
    opened = data.count(b"[") + data.count(b"{")
    many = opened + data.count(b",") > most_values
    if opened <= MAX_NESTING and not many:
        return
    if b"\\" in data:
        data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    brackets = data.translate(ONE_KIND, NO_BRACKET_OR_QUOTE).replace(b'""', b"")
    if b'"' in brackets:
        # Some string contains a bracket.
        brackets = b"".join(_outside_strings(data)).replace(b",", b"")
    # The quick test comes first: the full one takes time where there are many values.
    deep = TOO_DEEP in brackets
    if many and not deep:
        values = sum(each.count(b",") + each.count(b"[") for each in _outside_strings(data))
        if values > most_values:
            raise PayloadTooLarge(f"The body has more than {most_values} values; send less at once.")
    if deep or _is_deep(brackets):
        raise InvalidSyntax(f"The JSON in the body is nested too deeply; send at most {MAX_NESTING} levels.")


def check_values(tree: Any, most: int) -> None:
    """Refuse a part of a body that has more than `most` values.

    :raises PayloadTooLarge: then.
    """
    waiting, count = [tree], 0
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            waiting += one.values() if isinstance(one, dict) else one
            count += len(one)
    if count > most:
        raise PayloadTooLarge(f"The data has more than {most} values; send less at once.")


def _is_deep(brackets: bytes) -> bool:
    """Remove the innermost pairs level by level; tell whether some are left."""
    for _ in range(MAX_NESTING):
        if b"[]" not in brackets:
            return False
        brackets = brackets.replace(b"[]", b"")
    return b"[]" in brackets


def _outside_strings(data: bytes) -> Iterator[bytes]:
    """Yield brackets and commas outside of strings, for text without escaped quotes, a chunk at a time."""
    inside = 0
    for at in range(0, len(data), CHUNK):
        parts = data[at : at + CHUNK].split(b'"')
        yield b"".join(parts[inside::2]).translate(ONE_KIND, NO_BRACKET_OR_COMMA)
        inside ^= (len(parts) - 1) & 1
