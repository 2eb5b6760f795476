"""Webhooks: the list, and a webhook's page; add, test, replay, rotate, pause, resume and remove."""

from datetime import UTC, datetime
from typing import Any

from flask import request
from werkzeug.wrappers import Response

from schemas.datetimes import from_seconds, now
from schemas.errors import InvalidValue
from schemas.events import KINDS
from scim.console import words
from scim.console.blueprint import console
from scim.console.web import author, field, form_of, is_first, once, page, redirect_to
from scim.events.urls import AddressPolicy, AddressRefused
from scim.events.webhooks import NO_DELIVERER, OVERLAP_HOURS, SET, WebhookService
from scim.web.events import webhook_service
from scim.web.requests import issuer, perch
from storage import events, webhooks
from storage.database import Connection
from storage.webhooks import Webhook

BEGINNING = "beginning"
# The label and the tone of each state.
STATES = {
    "live": ("delivering", "good"),
    "failing": ("failing, tries again", "bad"),
    "paused": ("paused", "calm"),
    NO_DELIVERER: ("nobody delivers", "bad"),
}


@console.get("/webhooks", endpoint="webhooks")
def show_webhooks() -> Response:
    """List the webhooks, with the form for a new one."""
    return _list_page()


@console.post("/webhooks")
def create_webhook() -> Response:
    """Add a webhook and show its secret only in this answer; a form that is sent again adds no second webhook."""
    form_of(_list_page)
    form, url = field("format"), field("url")
    if form not in words.WEBHOOK_FORMATS:
        raise InvalidValue("Choose the format from the list.")
    _refuse_private(url)
    with perch().repository.writing(author()) as write:
        if not is_first(write.connection):
            return redirect_to("webhooks", "This form was already sent; no second webhook was added.", "calm")
        made = _service().add(url, request.form.getlist("kinds"), form)
    if form == SET:
        return redirect_to("webhook", "The webhook is added and receives events from now on.", identifier=made.id)
    return _secret_page(made)


@console.get("/webhooks/<identifier>")
def webhook(identifier: str) -> Response:
    """Show a webhook with its actions."""
    return _webhook_page(identifier)


@console.post("/webhooks/<identifier>/test")
def test_webhook(identifier: str) -> Response:
    """Send a test event now and show the answer."""
    result = _service().test(identifier)
    if result.status:
        text = f"The receiver answered {result.status}" + (f": {result.text}" if result.text else ".")
    else:
        text = f"No answer: {result.text}"
    return redirect_to("webhook", text, "good" if result.delivered else "bad", identifier=identifier)


@console.post("/webhooks/<identifier>/pause")
def pause_webhook(identifier: str) -> Response:
    """Pause a webhook; its events wait until it is resumed."""
    _service().pause(identifier)
    return redirect_to("webhook", "The webhook is paused. New events wait until you resume it.", identifier=identifier)


@console.post("/webhooks/<identifier>/resume")
def resume_webhook(identifier: str) -> Response:
    """Resume a paused webhook, or retry a failing one at once."""
    _service().resume(identifier)
    return redirect_to("webhook", "The webhook continues with the first waiting event.", identifier=identifier)


@console.post("/webhooks/<identifier>/rotate")
def rotate_secret(identifier: str) -> Response:
    """Make a new secret and show it only in this answer; a form that is sent again makes no second secret."""
    form_of(_webhook_page, identifier)
    with perch().repository.writing(author()) as write:
        if not is_first(write.connection):
            text = "This form was already sent; no second secret was made."
            return redirect_to("webhook", text, "calm", identifier=identifier)
        made = _service().rotate(identifier)
    return _secret_page(made, round(OVERLAP_HOURS))


@console.post("/webhooks/<identifier>/replay")
def replay_events(identifier: str) -> Response:
    """Send the events from a time on once more, or all stored events."""
    form_of(_webhook_page, identifier)
    count = _service().replay(identifier, "oldest" if field("from") == BEGINNING else _instant(field("at")))
    with perch().database.read() as connection:
        paused = webhooks.get(connection, identifier).paused
    when = " once the webhook is resumed" if paused else ""
    again = f"Perch processes {words.count(count, 'event')} again{when}."
    return redirect_to("webhook", again if count else "There are no events since then.", identifier=identifier)


@console.get("/webhooks/<identifier>/remove")
def confirm_remove_webhook(identifier: str) -> Response:
    """Ask for confirmation before a webhook is removed, and say how many events wait."""
    with perch().database.read() as connection:
        found = webhooks.get(connection, identifier)
        return page("webhook_remove.html", webhook=_shown(connection, found))


@console.post("/webhooks/<identifier>/remove")
def remove_webhook(identifier: str) -> Response:
    """Remove a webhook."""
    removed = _service().remove(identifier)
    return redirect_to("webhooks", f"The webhook to {removed.url[:300]} is removed.")


def _service() -> WebhookService:
    return webhook_service(author())


def _refuse_private(url: str) -> None:
    """Refuse a URL whose host has an address to which Perch never delivers; none may be known now."""
    policy = AddressPolicy.of(perch().settings)
    target = policy.parse(url)
    try:
        if not policy.trusts(target.host):
            policy.addresses(target)
    except AddressRefused as error:
        raise InvalidValue(str(error)) from None
    except (OSError, UnicodeError):
        return


def _instant(text: str) -> str:
    """Return the date and time of the form, in UTC, as an ISO 8601 instant."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise InvalidValue("Enter date and time in UTC, such as 2026-11-24T08:00, or choose the beginning.")
    return moment.replace(tzinfo=UTC).isoformat()


def _shown(connection: Connection, found: Webhook) -> dict[str, Any]:
    """Return a webhook for pages: no secrets, and instants as they are stored."""
    since = webhooks.waits_since(connection, found.id)
    instants = {"created": found.created, "paused": found.paused, "lastDelivered": found.lastDelivered, "since": since}
    rotating = found.oldUntil if found.oldUntil and len(found.secrets()) > 1 else None
    until = from_seconds(rotating) if rotating else None
    return {**_service().described(connection, found), **instants, "rotatingUntil": until}


def _secret_page(made: Webhook, hours: int = 0) -> Response:
    with perch().database.read() as connection:
        return page("webhook_secret.html", 201, webhook=_shown(connection, made), secret=made.secret, hours=hours)


def _list_page(status: int = 200, problem: str = "") -> Response:
    with perch().database.read() as connection:
        found = [_shown(connection, each) for each in webhooks.list_all(connection)]
    return page(
        "webhooks.html", status, webhooks=found, states=STATES, kinds=KINDS, chosen=request.form.getlist("kinds"),
        once=once(), problem=problem,
    )  # fmt: skip


def _webhook_page(identifier: str, status: int = 200, problem: str = "") -> Response:
    with perch().database.read() as connection:
        found = _shown(connection, webhooks.get(connection, identifier))
        kept = events.after(connection, 0, 1)
    return page(
        "webhook.html", status, webhook=found, states=STATES, problem=problem, once=once(), hours=OVERLAP_HOURS,
        jwks=f"{issuer()}/jwks.json", oldest=kept[0].at if kept else None, now=now()[:16],
    )  # fmt: skip
