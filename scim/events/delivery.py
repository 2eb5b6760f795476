"""Delivers events to one webhook: at least once, in order per subject, with retries and exponential backoff."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from schemas.errors import NotFound
from scim.events.sender import SendResult, WebhookSender
from scim.events.webhooks import WebhookService, pause
from storage import events, receipts, webhooks
from storage.database import Connection
from storage.events import Event
from storage.webhooks import QueuedEvent, Webhook, subject_of

# Seconds: the delay after the first failure, the longest for one event, the longest for a receiver that is down.
FIRST_DELAY, LONGEST_DELAY, LONGEST_OF_RECEIVER = 1.0, 3600.0, 300.0
# After this many failures in a row the receiver counts as down: it gets one event at a time.
DOWN_AFTER = 3
GIVE_UP = 3 * 86400.0
BATCH = 100
PRUNED = "events were pruned before they could be delivered: read /Users again, then resume or replay from latest"
log = logging.getLogger("perch")


class PendingWork(NamedTuple):
    """Queued events that are due, new events behind the webhook's position, and the subjects with queued events."""

    webhook: Webhook
    due: Sequence[tuple[QueuedEvent, Event]]
    fresh: Sequence[Event]
    blocked: set[str]


class WebhookDelivery:
    """Delivers to one webhook, on one thread; `going` is asked before each request and stops the delivery."""

    def __init__(self, service: WebhookService, identifier: str, going: Callable[[], bool]) -> None:
        self.service = service
        self.database = service.repository.database
        self.identifier = identifier
        self.going = going
        self._sender: WebhookSender | None = None

    def step(self) -> bool:
        """Deliver one batch; return whether there was anything to do."""
        work = self._pending()
        if work is None:
            return False
        if work.webhook.failures >= DOWN_AFTER:
            return self._probe(work)
        for queued, event in work.due:
            if not self.going():
                return True
            if not self._attempt(work.webhook, event, queued):
                return True
        return self._deliver_fresh(work) or bool(work.due)

    def _pending(self) -> PendingWork | None:
        """Return the work there is, None when there is none; pause a webhook whose events were pruned."""
        moment = time.time()
        with self.database.read() as connection:
            try:
                webhook = webhooks.get(connection, self.identifier)
            except NotFound:
                return None
            if webhook.paused or webhook.nextTry > moment:
                return None
            due = webhooks.due(connection, webhook.id, moment, BATCH)
            known = events.get(connection, [queued.event for queued in due])
            fresh = events.after(connection, webhook.position, BATCH)
            lost = len(known) < len(due) or webhook.position + 1 < events.first(connection)
            blocked = webhooks.blocked(connection, webhook.id, {subject_of(event) for event in fresh})
        if lost:
            self._pause_after_loss(webhook)
            return None
        if not due and not fresh:
            return None
        return PendingWork(webhook, [(queued, known[queued.event]) for queued in due], fresh, blocked)

    def _pause_after_loss(self, webhook: Webhook) -> None:
        # Not durable: if a power cut loses the position, the same events are sent again, in order.
        with self.database.write_progress() as connection:
            last = events.first(connection) - 1
            webhooks.move(connection, webhook, max(last, webhook.position))
            webhooks.dequeue_until(connection, webhook.id, last)
            self._pause(webhook, PRUNED)

    def _probe(self, work: PendingWork) -> bool:
        """Send one event to a receiver that is down: a new one, else the queued one with the fewest attempts."""
        for event in work.fresh:
            if work.webhook.wants(event.kind) and subject_of(event) not in work.blocked:
                return self._deliver_fresh(work, most=1)
        if work.due:
            queued, event = work.due[0]
            self._attempt(work.webhook, event, queued)
            return True
        return self._deliver_fresh(work)

    def _deliver_fresh(self, work: PendingWork, most: int = BATCH) -> bool:
        """Skip, queue (behind an earlier event of the same subject) or send each new event, in order."""
        webhook, sent, skipped = work.webhook, 0, 0
        for event in work.fresh:
            if not self.going() or sent >= most:
                break
            if not webhook.wants(event.kind):
                skipped = event.seq
                continue
            is_blocked = subject_of(event) in work.blocked
            sent += not is_blocked
            if not (self._queue(webhook, event) if is_blocked else self._attempt(webhook, event, None)):
                return True
            webhook, skipped = replace(webhook, position=event.seq), 0
        if skipped:
            with self.database.write_progress() as connection:
                webhooks.move(connection, webhook, skipped)
        return True

    def _queue(self, webhook: Webhook, event: Event) -> bool:
        """Queue a new event; return False when another process or an operator has moved the webhook's position."""
        with self.database.write_progress() as connection:
            if not webhooks.move(connection, webhook, event.seq):
                return False
            webhooks.enqueue(connection, webhook.id, QueuedEvent(event.seq, subject_of(event), 0, time.time(), 0.0))
        return True

    def _attempt(self, webhook: Webhook, event: Event, queued: QueuedEvent | None) -> bool:
        """Send an event and store the result; return whether to continue with the same batch."""
        result = self._send(webhook, event)
        with self.database.write_progress() as connection:
            if queued is None and not webhooks.move(connection, webhook, event.seq):
                return False
            if result.delivered:
                webhooks.succeeded(connection, webhook.id)
                receipts.acknowledged(connection, "webhook", webhook.id, [event.seq])
                if queued is not None:
                    webhooks.dequeue(connection, webhook.id, event.seq)
                return True
            self._store_failure(connection, webhook, event, queued, result)
        return False

    def _send(self, webhook: Webhook, event: Event) -> SendResult:
        if self._sender is None or self._sender.url != webhook.url:
            self.close()
            self._sender = self.service.sender(webhook)
        return self._sender.send(*self.service.message(webhook, event))

    def _store_failure(
        self, connection: Connection, webhook: Webhook, event: Event, queued: QueuedEvent | None, result: SendResult
    ) -> None:
        """Queue the next attempt of the event, delay a receiver that is down, or pause the webhook."""
        moment = time.time()
        attempts, since = (queued.attempts if queued else 0) + 1, queued.since if queued else moment
        due = moment + max(retry_delay(attempts, LONGEST_DELAY), result.retry_after)
        webhooks.enqueue(connection, webhook.id, QueuedEvent(event.seq, subject_of(event), attempts, since, due))
        stored = webhooks.get(connection, webhook.id)
        failures, failing = stored.failures + 1, stored.failingSince or moment
        reason = f"{event.id}: {result}"
        later = moment + retry_delay(failures, LONGEST_OF_RECEIVER) if failures >= DOWN_AFTER else 0.0
        values = {"failures": failures, "failingSince": failing, "reason": reason}
        values["nextTry"] = max(later, moment + result.retry_after if result.retry_after else 0.0)
        webhooks.change(connection, webhook.id, **values)
        if result.status == 410 or moment - min(since, failing) > GIVE_UP:
            self._pause(stored, reason)

    def _pause(self, webhook: Webhook, reason: str) -> None:
        with self.service.repository.writing(self.service.author) as write:
            pause(write, webhook, reason)
        log.error("The webhook %s is paused: %s", webhook.id, reason)

    def close(self) -> None:
        """Close the connection to the receiver."""
        if self._sender is not None:
            self._sender.close()
            self._sender = None


def retry_delay(attempts: int, longest: float) -> float:
    """Return the seconds to wait after the given number of attempts: doubled each time, with 25 % jitter."""
    return min(FIRST_DELAY * 2.0 ** min(attempts - 1, 30), longest) * random.uniform(0.75, 1.25)
