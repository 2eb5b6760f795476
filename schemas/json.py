"""Strict JSON for documents that clients send (RFC 8259): UTF-8, unique keys, finite numbers, valid Unicode text."""

import json
import math
import re
from codecs import BOM_UTF8
from collections import Counter
from typing import Any

from schemas.errors import InvalidSyntax

ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(data: bytes) -> Any:
    """Return the value of a JSON text.

    :raises InvalidSyntax: when it is no JSON, or breaks one of the module's rules.
    """
    try:
        found = _DECODER.decode(data.removeprefix(BOM_UTF8).decode())
        if ESCAPED_SURROGATE.search(data):
            json.dumps(found, ensure_ascii=False).encode()
        return found
    except RecursionError:
        raise InvalidSyntax("The JSON in the body is nested too deeply.") from None
    except UnicodeDecodeError:
        raise InvalidSyntax("The body is not UTF-8 text.") from None
    except UnicodeEncodeError:
        raise InvalidSyntax("The body contains half of a surrogate pair; send valid Unicode text.") from None
    except json.JSONDecodeError as error:
        raise InvalidSyntax(f"The body is not valid JSON: {error}.") from None
    except ValueError:
        raise InvalidSyntax("The body contains a number with too many digits.") from None


def to_text(value: Any) -> str:
    """Return a JSON value as compact text; of a string that is the string in quotes, escaped."""
    return _ENCODER.encode(value)


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


def _refused_constant(name: str) -> None:
    raise InvalidSyntax(f"The body is not valid JSON: {name} is no JSON value.")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidSyntax(f"The body contains a number that is too large: {text[:40]}.")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        duplicate, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise InvalidSyntax(f"Duplicate key {duplicate[:100]!r} in a JSON object; send it once.")
    return found


# json.loads and json.dumps would make a decoder or an encoder for each call with such options.
_DECODER = json.JSONDecoder(parse_constant=_refused_constant, parse_float=_finite, object_pairs_hook=_unique)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
