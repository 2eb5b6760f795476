"""JSON as the file keeps it."""

import json
from typing import Any

# json.dumps makes an encoder for each call.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def to_text(value: Any) -> str:
    """Return a JSON value as compact text."""
    return _ENCODER.encode(value)
