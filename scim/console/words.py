"""Texts for stored codes and values: actions, sources, providers, instants, numbers, changes."""

from collections.abc import Sequence
from typing import Any

from schemas.datetimes import from_seconds, in_words, to_json
from schemas.events import ROLES_LOST
from storage import keys
from storage.receipts import ASKS, FAILED, IGNORED, NOT_TOLD, Receipt, seconds_between

HEADINGS = {
    400: "The form was not accepted",
    403: "The form was refused",
    404: "Page not found",
    405: "Page not found",
    409: "The change is not possible now",
    413: "The form is too large",
    429: "Too many requests",
    503: "Perch is not available",
}
HTTP = {
    404: "There is no page at this address.",
    405: "This address accepts forms only.",
    413: "The form is larger than the console accepts; send less text.",
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
    "change": "settings changed",
    "revoke": "revoked",
    "rotate": "rotated",
    "replay": "sent again",
    "remove": "removed",
    "pause": "paused",
    "resume": "resumed",
    "password": "password set",
    "sign-in": "signed in",
    "sign-in refused": "sign-in refused",
    "sign-out": "signed out",
    "backup": "backed up",
    "restore": "restored",
    "fuse blown": "fuse blown",
    "fuse released": "fuse released",
}
# The types of journal entries, as the choice of a filter and as the mark of an entry.
TYPES = {
    "User": ("Users", "User"),
    "Group": ("Groups", "Group"),
    "Role": ("Roles", "Role"),
    "Attribute": ("Attributes", "Attribute"),
    "AccessKey": ("Access keys", "Access key"),
    "Webhook": ("Webhooks", "Webhook"),
    "Console": ("Sign-ins and password", "Console"),
    "Workspace": ("The workspace", "Workspace"),
    "Fault": ("Planned faults", "Planned fault"),
    "GroupRule": ("Group rules", "Group rule"),
    "Application": ("Applications", "Application"),
}
# Labels for the values of journal entries about the workspace: the fuse, erased people, backups.
WORKSPACE_LABELS = {
    "at": "blew at",
    "lost": "users lost",
    "active": "active users",
    "limit": "blows at (users lost)",
    "minutes": "window in minutes",
    "until": "released until",
    "journal": "journal entries",
    "mentions": "mentions in other entries",
    "traffic": "recorded requests",
    "kid": "key id",
}
NAMED_IDS = {"members", "groups"}
# How many items of a list are shown before the rest is folded.
SHOWN = 5
SOURCES = {"direct": "Assigned over SCIM", "manual": "Assigned manually", "group": "Through a group"}
GRANTED_BY = {
    "any": "over SCIM, by hand and through groups",
    "scim": "to people over SCIM only, and through groups",
    "hand": "to people by hand only, never over SCIM or through a group",
}
PROVIDERS = {"okta": "Okta", "entra": "Microsoft Entra ID", "generic": "Other"}
ACCESS = {"provision": "Read and write", "read": "Read only"}
SHAPES = {"strings": "Strings", "objects": "Objects"}
UNKNOWN_ROLES = {"reject": "Refuse the request", "create": "Create the role", "ignore": "Leave the role out"}
WEBHOOK_FORMATS = {"standard": "Standard Webhooks", "set": "Security event tokens"}


# For templates: an actor of the journal, seconds since 1970 as a stored instant, one in ISO 8601 and in a sentence.
who, instant, exact, moment = keys.spoken, from_seconds, to_json, in_words


def action(code: str) -> str:
    """Return an action of the journal in words."""
    return ACTIONS.get(code, code.replace("-", " "))


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


def withdrawal(found: Sequence[Receipt], instant: str) -> str:
    """Return in which applications a person's access has ended, and which have not answered; "" without receipts."""
    text = "; ".join(_answer(receipt, instant) for receipt in found)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _answer(receipt: Receipt, instant: str) -> str:
    name, outcome = receipt.application, receipt.outcome
    reason = f": {receipt.reason}" if receipt.reason else ""
    if outcome == FAILED:
        return f"{name} failed to end it{reason}"
    if receipt.open:
        state = f"reported {outcome}, but has not acknowledged it" if outcome else "has not answered"
        return f"{name} {state} for {duration(seconds_between(receipt.requested, instant))}"
    if receipt.seconds is None or outcome == IGNORED:
        known = {ASKS: "asks at each sign-in", NOT_TOLD: "is not told of this", IGNORED: f"ignored it{reason}"}
        return f"{name} {known.get(outcome or '', f'reported {outcome}')}"
    sessions = f" ({count(receipt.sessions, 'session')} ended)" if receipt.sessions else ""
    # Who lost only roles may still be in.
    heard = f"{name} knew" if receipt.kind == ROLES_LOST else f"out of {name}"
    return f"{heard} after {receipt.seconds:,.1f} s{sessions}"


def duration(seconds: float) -> str:
    """Return a duration as people say it."""
    for name, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return count(int(seconds // length), name)
    return count(int(seconds), "second")


def steps(changes: dict[str, Any], type_name: str) -> list[tuple[str, str, str]]:
    """Return the changes of a journal entry as lines: name, before, after; complex attributes part by part.

    Members and groups are not among them: they are shown by name.
    """
    labels = WORKSPACE_LABELS if type_name == "Workspace" else {}
    found = []
    for name, change in changes.items():
        if name in NAMED_IDS:
            continue
        if isinstance(change, dict) and ("before" in change or "after" in change):
            found += _compared(labels.get(name, name), change.get("before"), change.get("after"))
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
