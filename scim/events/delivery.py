"""Brings one webhook its events: each at least once, those about one subject in order, patient with failures."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from schemas.datetimes import now
from schemas.errors import InvalidValue, NotFound
from scim.events.messages import Messages
from scim.events.sender import Outcome, Sender
from scim.events.urls import Policy
from scim.settings import Settings
from storage import events, webhooks
from storage.database import Connection, Database
from storage.events import Event
from storage.webhooks import QueuedEvent, Webhook, subject_of

# Seconds: the first pause after a failure, the longest for one subject, the longest for all of a receiver that is down.
FIRST_PAUSE, LONGEST_PAUSE, LONGEST_OF_RECEIVER = 1.0, 3600.0, 300.0
# After so many failures in a row the receiver itself is taken to be down, and tried with one event at a time.
DOWN_AFTER = 3
GIVE_UP = 3 * 86400.0
AT_ONCE = 100
PRUNED = "events were pruned before they could be delivered: read /Users anew, then resume or replay from latest"
log = logging.getLogger("perch")


@dataclass(frozen=True, slots=True)
class Work:
    """What a webhook has to do: what waits and is due, the new events behind its position, and who blocks them."""

    webhook: Webhook
    due: Sequence[tuple[QueuedEvent, Event]]
    fresh: Sequence[Event]
    blocked: set[str]


class Courier:
    """Serves one webhook; `going` tells whether to go on, asked before each request."""

    def __init__(
        self, database: Database, settings: Settings, issuer: str, identifier: str, going: Callable[[], bool]
    ) -> None:
        self.database = database
        self.settings = settings
        self.identifier = identifier
        self.going = going
        self.messages = Messages(database, issuer)
        self._sender: Sender | None = None
        self._url = ""

    def step(self) -> bool:
        """Do what can be done now; tell whether anything was."""
        work = self._work()
        if work is None:
            return False
        if work.webhook.failures >= DOWN_AFTER:
            return self._probe(work)
        for queued, event in work.due:
            if not self.going():
                return True
            if not self._attempt(work.webhook, event, queued):
                return True
        return self._go_on(work) or bool(work.due)

    def _work(self) -> Work | None:
        """Read what there is to do, None when there is nothing; a webhook that has lost events is paused."""
        moment = time.time()
        with self.database.read() as connection:
            try:
                webhook = webhooks.get(connection, self.identifier)
            except NotFound:
                return None
            if webhook.paused or webhook.nextTry > moment:
                return None
            due = webhooks.due(connection, webhook.id, moment, AT_ONCE)
            known = events.get(connection, [queued.event for queued in due])
            fresh = events.after(connection, webhook.position, AT_ONCE)
            lost = len(known) < len(due) or webhook.position + 1 < events.first(connection)
            blocked = webhooks.blocked(connection, webhook.id, {subject_of(event) for event in fresh})
        if lost:
            self._lost(webhook)
            return None
        if not due and not fresh:
            return None
        return Work(webhook, [(queued, known[queued.event]) for queued in due], fresh, blocked)

    def _lost(self, webhook: Webhook) -> None:
        # How far a webhook is may be lost with the power: then events are sent again, in order.
        with self.database.write_progress() as connection:
            last = events.first(connection) - 1
            webhooks.move(connection, webhook, max(last, webhook.position))
            webhooks.dequeue_until(connection, webhook.id, last)
            webhooks.change(connection, webhook.id, paused=now(), reason=PRUNED)
        log.error("The webhook %s is paused: %s", webhook.id, PRUNED)

    def _probe(self, work: Work) -> bool:
        """Try a receiver that seems to be down with the one event that was tried least."""
        for event in work.fresh:
            if work.webhook.wants(event.kind) and subject_of(event) not in work.blocked:
                return self._go_on(work, most=1)
        if work.due:
            queued, event = work.due[0]
            self._attempt(work.webhook, event, queued)
            return True
        return self._go_on(work)

    def _go_on(self, work: Work, most: int = AT_ONCE) -> bool:
        """Take the new events in their order: pass over, queue behind an earlier one of the same subject, or send."""
        webhook, blocked, sent = work.webhook, set(work.blocked), 0
        passed = 0
        for event in work.fresh:
            if not self.going() or sent >= most:
                break
            if not webhook.wants(event.kind):
                passed = event.seq
            elif subject_of(event) in blocked:
                if not self._queue(webhook, event):
                    return True
                webhook, passed = replace(webhook, position=event.seq), 0
            else:
                sent += 1
                if not self._attempt(webhook, event, None):
                    return True
                webhook, passed = replace(webhook, position=event.seq), 0
        if passed:
            with self.database.write_progress() as connection:
                webhooks.move(connection, webhook, passed)
        return True

    def _queue(self, webhook: Webhook, event: Event) -> bool:
        """Put a new event behind an earlier one of its subject; False when the webhook was moved meanwhile."""
        with self.database.write_progress() as connection:
            if not webhooks.move(connection, webhook, event.seq):
                return False
            webhooks.enqueue(connection, webhook.id, QueuedEvent(event.seq, subject_of(event), 0, time.time(), 0.0))
        return True

    def _attempt(self, webhook: Webhook, event: Event, queued: QueuedEvent | None) -> bool:
        """Send an event and keep how it went; tell whether to go on with the same work."""
        outcome = self._send(webhook, event)
        with self.database.write_progress() as connection:
            if queued is None and not webhooks.move(connection, webhook, event.seq):
                return False
            if outcome.delivered:
                webhooks.succeeded(connection, webhook.id)
                if queued is not None:
                    webhooks.dequeue(connection, webhook.id, event.seq)
                return True
            self._keep_failure(connection, webhook, event, queued, outcome)
        return False

    def _send(self, webhook: Webhook, event: Event) -> Outcome:
        if self._sender is None or self._url != webhook.url:
            self.close()
            policy = Policy.of(self.settings)
            try:
                target = policy.read(webhook.url)
            except InvalidValue as refused:
                return Outcome(0, refused.detail)
            self._sender, self._url = Sender(target, policy, self.settings["PERCH_WEBHOOK_TIMEOUT"]), webhook.url
        return self._sender.send(*self.messages.of(webhook, event))

    def _keep_failure(
        self, connection: Connection, webhook: Webhook, event: Event, queued: QueuedEvent | None, outcome: Outcome
    ) -> None:
        """Note a failure: when the event, and when the receiver, is tried again; or that both are given up."""
        moment = time.time()
        attempts, since = (queued.attempts if queued else 0) + 1, queued.since if queued else moment
        due = moment + max(pause(attempts, LONGEST_PAUSE), outcome.retry_after)
        webhooks.enqueue(connection, webhook.id, QueuedEvent(event.seq, subject_of(event), attempts, since, due))
        held = webhooks.get(connection, webhook.id)
        failures, failing = held.failures + 1, held.failingSince or moment
        answer = f"{outcome.status or 'no answer'} {outcome.text}".strip()
        reason = f"{event.id}: {answer}"
        later = moment + pause(failures, LONGEST_OF_RECEIVER) if failures >= DOWN_AFTER else 0.0
        values = {"failures": failures, "failingSince": failing, "reason": reason}
        values["nextTry"] = max(later, moment + outcome.retry_after if outcome.retry_after else 0.0)
        if outcome.status == 410 or moment - min(since, failing) > GIVE_UP:
            values |= {"paused": now()}
            log.error("The webhook %s is paused: %s", webhook.id, reason)
        webhooks.change(connection, webhook.id, **values)

    def close(self) -> None:
        """Close the connection to the receiver."""
        if self._sender is not None:
            self._sender.close()
            self._sender = None


def pause(attempts: int, longest: float) -> float:
    """Return how many seconds to wait after so many attempts: twice as long each time, give or take a quarter."""
    return min(FIRST_PAUSE * 2.0 ** min(attempts - 1, 30), longest) * random.uniform(0.75, 1.25)
