"""Webhooks: where events are pushed to, how far each is and what is wrong; add, test, replay, rotate, pause, remove."""

from datetime import UTC, datetime
from typing import Any

from flask import Response, request
from werkzeug.wrappers import Response as BaseResponse

from schemas.datetimes import from_seconds, now
from schemas.errors import Gone, InvalidValue
from schemas.events import KINDS
from scim.console import once, words
from scim.console.blueprint import console
from scim.console.web import database, field, onward, page
from scim.events.urls import AddressPolicy, AddressRefused
from scim.events.webhooks import OVERLAP_HOURS, SET, WebhookService, described
from scim.web.requests import origin, perch
from storage import events, webhooks
from storage.database import Connection
from storage.webhooks import Webhook

BEGINNING = "beginning"
# What the file's states mean to people, and the tone of the mark.
STATES = {"live": ("delivering", "good"), "failing": ("failing, tries again", "bad"), "paused": ("paused", "calm")}


@console.get("/webhooks", endpoint="webhooks")
def show_webhooks() -> Response:
    """List the webhooks, with the form for a new one."""
    return _listed()


@console.post("/webhooks")
def create_webhook() -> BaseResponse:
    """Add a webhook and show its secret on this answer alone; the same form sent again adds no other."""
    form, wanted = field("format"), request.form.getlist("kinds")
    url = field("url")
    try:
        if form not in words.WEBHOOK_FORMATS:
            raise InvalidValue("Choose the format from the list.")
        _refuse_private(url)
        with database().write() as connection:
            if not once.is_first(connection):
                return onward("webhooks", "That form was sent before, and no second webhook was added.", "calm")
            made = _service().add(url, wanted, form)
    except InvalidValue as error:
        return _listed(400, error.detail)
    if form == SET:
        return onward("webhook", "The webhook is added, and gets what happens from now on.", identifier=made.id)
    return page("webhook_secret.html", 201, webhook=_shown(made), secret=made.secret, hours=0)


@console.get("/webhooks/<identifier>")
def webhook(identifier: str) -> Response:
    """Show a webhook with all that can be done with it."""
    return _one(identifier)


@console.post("/webhooks/<identifier>/test")
def test_webhook(identifier: str) -> BaseResponse:
    """Send an event that says nothing, now, and tell the answer."""
    outcome = _service().test(identifier)
    if outcome.status:
        told = f"The receiver answered {outcome.status}" + (f": {outcome.text}" if outcome.text else ".")
    else:
        told = f"No answer: {outcome.text}"
    return onward("webhook", told, "good" if outcome.delivered else "bad", identifier=identifier)


@console.post("/webhooks/<identifier>/pause")
def pause_webhook(identifier: str) -> BaseResponse:
    """Send nothing until resumed."""
    _service().pause(identifier)
    return onward("webhook", "The webhook is paused; what happens meanwhile waits for it.", identifier=identifier)


@console.post("/webhooks/<identifier>/resume")
def resume_webhook(identifier: str) -> BaseResponse:
    """Go on with a paused or failing webhook, at once."""
    _service().resume(identifier)
    return onward("webhook", "The webhook goes on where it stopped.", identifier=identifier)


@console.post("/webhooks/<identifier>/rotate")
def rotate_secret(identifier: str) -> BaseResponse:
    """Make a new secret and show it on this answer alone; the same form sent again makes no other."""
    try:
        with database().write() as connection:
            if not once.is_first(connection):
                told = "That form was sent before, and no second secret was made."
                return onward("webhook", told, "calm", identifier=identifier)
            made = _service().rotate(identifier)
    except InvalidValue as error:
        return _one(identifier, 400, error.detail)
    return page("webhook_secret.html", 201, webhook=_shown(made), secret=made.secret, hours=round(OVERLAP_HOURS))


@console.post("/webhooks/<identifier>/replay")
def replay_events(identifier: str) -> BaseResponse:
    """Send everything again from a time on, or all that is kept."""
    try:
        count = _service().replay(identifier, "oldest" if field("from") == BEGINNING else _instant(field("at")))
    except (InvalidValue, Gone) as error:
        return _one(identifier, error.status, error.detail)
    with database().read() as connection:
        paused = webhooks.get(connection, identifier).paused
    again = f"Perch goes through {words.count(count, 'event')} again" + (", once it is resumed." if paused else ".")
    return onward("webhook", again if count else "Nothing has happened since then.", identifier=identifier)


@console.get("/webhooks/<identifier>/remove")
def confirm_remove_webhook(identifier: str) -> Response:
    """Ask before a webhook is removed, and say what it has not got."""
    with database().read() as connection:
        found = webhooks.get(connection, identifier)
        return page("webhook_remove.html", webhook=_state(connection, found))


@console.post("/webhooks/<identifier>/remove")
def remove_webhook(identifier: str) -> BaseResponse:
    """Remove a webhook; nothing more is sent there."""
    gone = _service().remove(identifier)
    return onward("webhooks", f"The webhook to {gone.url[:300]} is removed.")


def _service() -> WebhookService:
    return WebhookService(database(), perch().settings, f"{origin()}/{perch().workspace}")


def _refuse_private(url: str) -> None:
    """Look the host up, so that who adds a webhook learns at once of an address that no delivery would go to.

    :raises InvalidValue: saying why; a host that cannot be looked up now may be known later, and passes.
    """
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
    """Return the time of the form, which is in UTC, as an instant.

    :raises InvalidValue: when it is none.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise InvalidValue("Give date and time in UTC, such as 2026-11-24T08:00, or choose the beginning.")
    return moment.replace(tzinfo=UTC).isoformat()


def _shown(found: Webhook, waiting: int = 0, since: str | None = None) -> dict[str, Any]:
    """Return what pages may show of a webhook, never a secret; instants as they are stored."""
    instants = {"created": found.created, "paused": found.paused, "lastDelivered": found.lastDelivered, "since": since}
    rotating = found.oldUntil if found.oldUntil and len(found.secrets()) > 1 else None
    until = from_seconds(rotating) if rotating else None
    return {**described(found, waiting), **instants, "rotatingUntil": until}


def _state(connection: Connection, found: Webhook) -> dict[str, Any]:
    waiting = webhooks.waiting(connection, found.id)
    return _shown(found, waiting, webhooks.waits_since(connection, found.id))


def _listed(status: int = 200, problem: str = "") -> Response:
    with database().read() as connection:
        found = [_state(connection, each) for each in webhooks.list_all(connection)]
    return page(
        "webhooks.html", status, webhooks=found, states=STATES, kinds=KINDS, chosen=request.form.getlist("kinds"),
        once=once.token(), problem=problem,
    )  # fmt: skip


def _one(identifier: str, status: int = 200, problem: str = "") -> Response:
    with database().read() as connection:
        found = _state(connection, webhooks.get(connection, identifier))
        kept = events.after(connection, 0, 1)
    return page(
        "webhook.html", status, webhook=found, states=STATES, problem=problem, once=once.token(), hours=OVERLAP_HOURS,
        jwks=f"{origin()}/{perch().workspace}/jwks.json", oldest=kept[0].at if kept else None, now=now()[:16],
    )  # fmt: skip
