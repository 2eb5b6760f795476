"""JSON as the file keeps it."""

import json
from typing import Any


def to_text(value: Any) -> str:
    """Return a JSON value as compact text."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
