"""An event as a document for applications, and as a SCIM event (RFC 9967 section 2.4)."""

import json
from typing import Any

from schemas.datetimes import to_json
from schemas.events import ATTRIBUTES, CREATE_NOTICE, GROUP_CREATED, OWN, PATCH_NOTICE, PLAIN, PUT_NOTICE, USER_CREATED
from storage.events import Event


def document(event: Event) -> dict[str, Any]:
    """Return an event as the JSON that applications get, with the members that Standard Webhooks recommends."""
    return {
        "id": event.id,
        "type": event.kind,
        "timestamp": to_json(event.at),
        "request": event.request,
        "data": json.loads(event.data),
    }


def scim_events(event: Event) -> dict[str, dict[str, Any]]:
    """Return the `events` claim: the SCIM event URI, and Perch's own URI with the complete data."""
    data = json.loads(event.data)
    own = {f"{OWN}:{event.kind}": data}
    if event.kind in PLAIN:
        return {PLAIN[event.kind]: {}, **own}
    attributes = ATTRIBUTES.get(event.kind) or data.get("attributes", [])
    if event.kind in (USER_CREATED, GROUP_CREATED):
        return {CREATE_NOTICE: {"attributes": attributes}, **own}
    return {PUT_NOTICE if event.action == "replace" else PATCH_NOTICE: {"attributes": attributes}, **own}
