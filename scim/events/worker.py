"""The process that delivers events to webhooks: one per file, with one thread per webhook."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from scim.events.delivery import WebhookDelivery
from scim.events.webhooks import WebhookService
from storage import webhooks
from storage.locks import delivery_lock_path, open_lock, try_lock

# Seconds between looks for new webhooks, after an error, and between attempts to lock the file.
LOOK_FOR_WEBHOOKS, AFTER_ERROR, RETRY_LOCK = 0.5, 1.0, 0.2
log = logging.getLogger("perch")


class DeliveryWorker:
    """Delivers until `stopping` is set; each thread looks for new events every `interval` seconds."""

    def __init__(self, service: WebhookService, interval: float, stopping: threading.Event) -> None:
        self.service = service
        self.database = service.repository.database
        self.interval = interval
        self.stopping = stopping
        self._threads: dict[str, threading.Thread] = {}

    def going(self) -> bool:
        """Return whether nobody has asked to stop."""
        return not self.stopping.is_set()

    def run(self) -> None:
        """Serve all webhooks, including new ones, until `stopping` is set."""
        while self.going():
            try:
                for identifier in self._active():
                    self._serve(identifier)
            except Exception:
                log.exception("The list of webhooks could not be read; trying again")
            # A signal that sets an event for which the same thread waits could wait for itself.
            time.sleep(LOOK_FOR_WEBHOOKS)
        for thread in self._threads.values():
            thread.join()

    def run_once(self) -> None:
        """Deliver everything that can be delivered now."""
        for identifier in self._active():
            delivery = WebhookDelivery(self.service, identifier, self.going)
            while delivery.step() and self.going():
                pass
            delivery.close()

    def _active(self) -> list[str]:
        with self.database.read() as connection:
            return [found.id for found in webhooks.list_all(connection) if not found.paused]

    def _serve(self, identifier: str) -> None:
        """Start a webhook's thread unless it is running."""
        running = self._threads.get(identifier)
        if running is None or not running.is_alive():
            thread = threading.Thread(target=self._work, args=(identifier,), name=f"webhook {identifier}", daemon=True)
            self._threads[identifier] = thread
            thread.start()

    def _work(self, identifier: str) -> None:
        """Serve one webhook until it is removed or paused."""
        delivery = WebhookDelivery(self.service, identifier, self.going)
        try:
            while self.going() and identifier in self._active():
                if not delivery.step():
                    self.stopping.wait(self.interval)
        except Exception:
            log.exception("Delivery to the webhook %s failed; trying again", identifier)
            self.stopping.wait(AFTER_ERROR)
        finally:
            delivery.close()
            self.database.close()


def take_turn(file: Path, wait: Callable[[], bool]) -> int | None:
    """Wait for the lock that only one delivery worker holds; return its descriptor, or None once `wait` returns False.

    The kernel frees the lock when the process ends, however it ends.
    """
    handle = open_lock(delivery_lock_path(file))
    while not try_lock(handle, fcntl.LOCK_EX):
        if not wait():
            os.close(handle)
            return None
        time.sleep(RETRY_LOCK)
    return handle
