"""Objects and arrays that clients send as JSON text."""

from typing import Any

from marshmallow import ValidationError

from schemas.errors import InvalidSyntax
from schemas.json import structure_in
from schemas.tolerances import Tolerance, note


def read_json_text(value: Any, name: str) -> Any:
    """Return the object or array that JSON text stands for; any other value, other text too, as it is.

    For values that are meant to be an object or an array. `[VPN] users` is other text; `name` is for the tolerance.

    :raises ValidationError: for text that begins with `{"`, `[{` or `["` and is no valid JSON.
    """
    try:
        found = structure_in(value) if isinstance(value, str) else None
    except InvalidSyntax as error:
        raise ValidationError(f"is JSON text with an error. {error.detail} Send JSON itself, not as text.") from None
    if found is None:
        return value
    note(Tolerance.JSON_TEXT, name)
    return found
