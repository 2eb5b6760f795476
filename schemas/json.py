"""JSON from strangers (RFC 8259): UTF-8 only, every key once, finite numbers, no half characters."""

import json
import math
import re
from codecs import BOM_UTF8
from collections import Counter
from typing import Any

from schemas.errors import InvalidSyntax

ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_json(data: bytes) -> Any:
    """Return the value that JSON text holds.

    :raises InvalidSyntax: saying what is wrong with it.
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
        twice, _ = Counter(name for name, _ in pairs).most_common(1)[0]
        raise InvalidSyntax(f"The body has the key {twice[:100]!r} twice in one object; which of them is meant?")
    return found


# json.loads makes a decoder for each call.
_DECODER = json.JSONDecoder(parse_constant=_refused_constant, parse_float=_finite, object_pairs_hook=_unique)


# json.dumps makes an encoder for each call.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def to_text(value: Any) -> str:
    """Return a JSON value as compact text."""
    return _ENCODER.encode(value)
