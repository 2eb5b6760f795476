"""Plain words for what the file keeps as codes: actions, sources, providers, instants, numbers."""

import json
from datetime import datetime
from typing import Any

from storage.instants import to_json

HEADINGS = {
    400: "That did not work",
    403: "Please load the page again",
    404: "Nothing here",
    405: "Nothing here",
    409: "That is not possible now",
    413: "That is too much at once",
    429: "Please wait",
    503: "Please try again",
}
HTTP = {
    404: "There is no page at this address.",
    405: "This address takes forms only.",
    413: "The form is larger than the console takes.",
}
ACTIONS = {
    "create": "created",
    "replace": "replaced",
    "patch": "changed",
    "delete": "deleted",
    "reactivate": "re-activated",
    "assign": "role assigned",
    "unassign": "role withdrawn",
}
SOURCES = {"direct": "Assigned over SCIM", "manual": "Applied by hand", "group": "Through a group"}
PROVIDERS = {"okta": "Okta", "entra": "Microsoft Entra ID", "generic": "Other"}
ACCESS = {"provision": "Read and write", "read": "Read only"}
SHAPES = {"strings": "Strings", "objects": "Objects"}


def action(code: str) -> str:
    """Return what an action of the journal did."""
    return ACTIONS.get(code, code.replace("-", " "))


def moment(stored: str | None) -> str:
    """Return an instant to the minute, in UTC."""
    return f"{stored[:10]} {stored[11:16]}" if stored else ""


def exact(stored: str) -> str:
    """Return an instant as machines write it."""
    return to_json(stored)


def day(stored: str) -> str:
    """Return the day of an instant, such as 24 November 2026."""
    at = datetime.fromisoformat(stored)
    return f"{at.day} {at:%B %Y}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: 1 person, 1,204 people."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def value(found: Any) -> str:
    """Return any JSON value as text for people."""
    if found is None or found == [] or found == {}:
        return ""
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, str | int | float):
        return str(found)
    if isinstance(found, list) and all(isinstance(item, str) for item in found):
        return ", ".join(found)
    return json.dumps(found, ensure_ascii=False, indent=1)
