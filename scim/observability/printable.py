"""Text for terminals and spreadsheets: control characters and formulas in stored values are shown, not obeyed."""

import json
import re
from typing import Any

# C0, DEL and C1; marks that reorder or hide text; line and paragraph separators; surrogates, which no stream can write.
_ABOVE = r"\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
UNPRINTABLE = re.compile(rf"[\x00-\x1f{_ABOVE}]")
# JSON text has escaped C0 itself; the line breaks that are left are its layout.
UNPRINTABLE_IN_JSON = re.compile(rf"[{_ABOVE}]")
# A spreadsheet takes a cell that begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def printable(text: str) -> str:
    """Return a line of text with each unprintable character, line breaks among them, as `\\x1b` or `\\u202e`."""
    return UNPRINTABLE.sub(_escape, text)


def json_text(document: Any, indent: int | None = None) -> str:
    """Return a JSON document as text that a terminal shows as it is; parsing it gives the same document."""
    text = json.dumps(document, ensure_ascii=False, indent=indent)
    return UNPRINTABLE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def no_formula(text: str) -> str:
    """Return the text of a CSV cell, with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
