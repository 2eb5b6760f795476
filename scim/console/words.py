"""Plain words for what the file keeps as codes: actions, sources, providers, instants, numbers."""

from datetime import datetime
from typing import Any

from schemas.datetimes import to_json

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
    "replace": "updated",
    "patch": "changed",
    "delete": "deleted",
    "reactivate": "re-activated",
    "assign": "role assigned",
    "unassign": "role withdrawn",
    "forget": "erased",
}
SOURCES = {"direct": "Assigned over SCIM", "manual": "Applied by hand", "group": "Through a group"}
PROVIDERS = {"okta": "Okta", "entra": "Microsoft Entra ID", "generic": "Other"}
ACCESS = {"provision": "Read and write", "read": "Read only"}
SHAPES = {"strings": "Strings", "objects": "Objects"}
WEBHOOK_FORMATS = {"standard": "Standard Webhooks", "set": "Security event tokens"}


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
    """Return any JSON value as text for people, on one line."""
    if found is None or found == [] or found == {}:
        return ""
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, list):
        return ("; " if any(isinstance(item, dict) for item in found) else ", ").join(map(value, found))
    if isinstance(found, dict):
        named = [f"{name} {value(item)}" for name, item in found.items() if name != "value" and item is not None]
        return ", ".join([value(found["value"]), *named] if "value" in found else named)
    return str(found)


def steps(changes: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return the changes of a journal entry as lines: attribute, before, after; complex attributes part by part."""
    found = []
    for name, change in changes.items():
        if isinstance(change, dict) and ("before" in change or "after" in change):
            found += _compared(name, change.get("before"), change.get("after"))
        elif isinstance(change, dict) and "added" in change:
            lost = count(change["removed"], "member") + " removed" if change.get("removed") else ""
            found.append((name, lost, count(change["added"], "member") + " added" if change["added"] else ""))
        else:
            found.append((name, "", value(change)))
    return found


def _compared(name: str, before: Any, after: Any) -> list[tuple[str, str, str]]:
    whole = (before or {}, after or {})
    if not all(isinstance(each, dict) for each in whole) or not any(whole):
        return [(name, value(before), value(after))]
    parts = [part for part in {**whole[0], **whole[1]} if whole[0].get(part) != whole[1].get(part)]
    prefix = "" if name.startswith("urn:") else f"{name}."
    return [(prefix + part, value(whole[0].get(part)), value(whole[1].get(part))) for part in parts]
