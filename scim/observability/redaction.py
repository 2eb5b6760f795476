"""Redaction: removes passwords and access keys from bodies, paths and texts of requests."""

import json
import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, unquote_plus

MARK = "***"
KEPT_BYTES = 16 * 1024
PARSED_BYTES = 256 * 1024
WITHHELD = "[not kept: it is no complete JSON and may hold a secret]"

# An access key, or a token or secret of an OAuth client: the id may be shown, the secret not.
KEY = re.compile(r"(perch_[ts]?[0-9a-f]{10}_)[A-Za-z0-9_-]+")
SECRET = re.compile(
    r"passw|passphrase|passcode|pwd|secret(?!ar)|token|credential|authori[sz]ation|(?:api|access)[-_ ]?key"
)
# Possessive quantifiers match each word once, so that a search takes linear time.
COMPARED = re.compile(
    r"(?<![\w.:-])([\w.:-]++[\s+]++(?:eq|ne|co|sw|ew|gt|ge|lt|le)[\s+]++)(\"(?:[^\"\\]|\\.)*\"?|\S+)", re.I
)
# The length of the first word of a secret of two words: "access ", "api ".
FIRST_WORD = 7
# A body without any of these holds nothing to redact and is not parsed; \\u may hide a letter.
SIGNS = (b"pass", b"pwd", b"secret", b"token", b"credential", b"authori", b"key", b"perch_", b"\\u")
TEXT_SIGNS = tuple(sign.decode() for sign in SIGNS)
ESCAPED_LETTER = re.compile(r"%[4-7]")


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Tell whether an attribute, parameter or PATCH path of that name holds a secret."""
    return SECRET.search(name.casefold()) is not None


def body_text(data: bytes, size: int) -> str | None:
    """Return the stored form of a body of `size` bytes: redacted, still JSON where it was JSON; None if empty.

    A body over 16 KiB is cut, with a note of its size at the end; `data` may be its beginning only.
    """
    if not data:
        return None
    whole = len(data) == size
    seen = data if whole else data[:KEPT_BYTES]
    lowered = seen.lower()
    if any(map(lowered.__contains__, SIGNS)):
        text = redacted_json(seen) if whole else None
        return _cut(_without_secrets(seen) if text is None else text, size)
    return _cut(seen[: KEPT_BYTES + 1].decode("utf-8", "replace"), size)


def answer_text(data: bytes, size: int) -> str:
    """Return the stored form of an answer; it holds only stored documents, so only access keys are redacted."""
    text = data[: KEPT_BYTES + 100].decode("utf-8", "replace")
    return _cut(KEY.sub(rf"\1{MARK}", text) if "perch_" in text else text, size)


def redacted_json(data: bytes) -> str | None:
    """Return a JSON document without its secrets, None when it is no JSON."""
    try:
        document = redacted(json.loads(data))
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        text.encode()
        return text
    except UnicodeEncodeError:
        # Half of a surrogate pair is no text.
        return json.dumps(document, separators=(",", ":"), allow_nan=False)
    except (ValueError, RecursionError):
        return None


def _without_secrets(data: bytes) -> str:
    """Return the text of a body that is no JSON document; WITHHELD when it may hold a secret."""
    text = data.decode("utf-8", "replace")
    plain = re.sub(r"\\u00([0-7][0-9a-fA-F])", lambda found: chr(int(found[1], 16)), text)
    if is_secret(plain) or (KEY.search(plain) and not KEY.search(text)):
        return WITHHELD
    return KEY.sub(rf"\1{MARK}", text)


def _cut(text: str, size: int) -> str:
    if size <= KEPT_BYTES or text == WITHHELD:
        return text
    kept = text.encode("utf-8", "replace")[:KEPT_BYTES].decode("utf-8", "ignore")
    return f"{kept}\n[the beginning of {size} bytes]"


def redacted(value: Any) -> Any:
    """Return a JSON value without secrets in attributes, PATCH operations and JSON inside strings."""
    if isinstance(value, dict):
        hidden = any(k.casefold() == "path" and isinstance(v, str) and is_secret(v) for k, v in value.items())
        return {
            redacted_text(key): _hidden(item) if is_secret(key) or (hidden and key.casefold() == "value")
            else redacted(item)
            for key, item in value.items()
        }  # fmt: skip
    if isinstance(value, list):
        return [redacted(item) for item in value]
    return redacted_text(value) if isinstance(value, str) else value


def _hidden(value: Any) -> Any:
    return value if value is None or value == "" else MARK


def redacted_text(text: str) -> str:
    """Return text without access keys, and without secrets in a filter or in JSON."""
    if "perch_" in text:
        text = KEY.sub(rf"\1{MARK}", text)
    if text[:1].isspace() or text[:1] in ("{", "["):
        if SECRET.search(text.casefold()) or "\\u" in text:
            return redacted_json(text.encode("utf-8", "surrogatepass")) or MARK
    elif " " in text and SECRET.search(text.casefold()):
        text = COMPARED.sub(_without_compared, text)
    return text


def _without_compared(found: re.Match[str]) -> str:
    named = found.string[max(0, found.start() - FIRST_WORD) : found.end(1)]
    return f"{found[1]}{MARK}" if is_secret(named) else found[0]


def redacted_path(path: str) -> str:
    """Return a path with its query, without access keys and secrets; unchanged if it has none."""
    if not ESCAPED_LETTER.search(path) and not any(map(path.lower().__contains__, TEXT_SIGNS)):
        return path
    plain = unquote_plus(path)
    if "perch_" not in plain and not is_secret(plain):
        return path
    place, mark, query = path.partition("?")
    pairs = [
        f"{quote(redacted_text(name))}={quote(MARK if is_secret(name) else redacted_text(value), safe='*')}"
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return quote(redacted_text(unquote(place)), safe="/*:@") + mark + "&".join(pairs)
