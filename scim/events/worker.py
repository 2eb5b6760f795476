"""The deliverer: one process per file, a thread for each webhook, so that none waits for another."""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from scim.events.delivery import Courier
from scim.settings import Settings
from storage import webhooks
from storage.database import Database
from storage.locks import open_lock, try_lock

LOOK_FOR_WEBHOOKS, AFTER_TROUBLE, ASK_FOR_TURN = 0.5, 1.0, 0.2
log = logging.getLogger("perch")


class Deliverer:
    """Delivers until told to stop; `interval` is how often each thread looks for new events, in seconds."""

    def __init__(self, database: Database, settings: Settings, issuer: str, interval: float) -> None:
        self.database = database
        self.settings = settings
        self.issuer = issuer
        self.interval = interval
        self.stopping = threading.Event()
        self._threads: dict[str, threading.Thread] = {}

    def going(self) -> bool:
        """Tell whether to go on."""
        return not self.stopping.is_set()

    def run(self, alive: Callable[[], bool] = lambda: True) -> None:
        """Serve every webhook, new ones too, until told to stop or `alive` says no."""
        while alive() and not self.stopping.is_set():
            try:
                for identifier in self._active():
                    self._serve(identifier)
            except Exception:
                log.exception("The webhooks could not be read; trying again")
            self.stopping.wait(LOOK_FOR_WEBHOOKS)
        self.stopping.set()
        for thread in self._threads.values():
            thread.join()

    def run_once(self) -> None:
        """Deliver what can be delivered now."""
        for identifier in self._active():
            courier = self._courier(identifier)
            while courier.step() and self.going():
                pass
            courier.close()

    def _active(self) -> list[str]:
        with self.database.read() as connection:
            return [found.id for found in webhooks.list_all(connection) if not found.paused]

    def _courier(self, identifier: str) -> Courier:
        return Courier(self.database, self.settings, self.issuer, identifier, self.going)

    def _serve(self, identifier: str) -> None:
        held = self._threads.get(identifier)
        if held is None or not held.is_alive():
            thread = threading.Thread(target=self._work, args=(identifier,), name=f"webhook {identifier}", daemon=True)
            self._threads[identifier] = thread
            thread.start()

    def _work(self, identifier: str) -> None:
        """Serve one webhook while it is there and not paused."""
        courier = self._courier(identifier)
        try:
            while self.going() and identifier in self._active():
                if not courier.step():
                    self.stopping.wait(self.interval)
        except Exception:
            log.exception("The webhook %s met a fault; trying again", identifier)
            self.stopping.wait(AFTER_TROUBLE)
        finally:
            courier.close()
            self.database.close()


def lock_path(database: Database) -> Path:
    """Return the file whose lock the one deliverer of a database holds."""
    return database.file.with_name(database.file.name + ".deliver")


def take_turn(database: Database, wait: Callable[[], bool]) -> int | None:
    """Become the one deliverer of a database, as soon as no other is; None when `wait` says not to wait any longer.

    The lock belongs to the process: the kernel frees it however that ends.
    """
    handle = open_lock(lock_path(database))
    while not try_lock(handle, fcntl.LOCK_EX):
        if not wait():
            os.close(handle)
            return None
        time.sleep(ASK_FOR_TURN)
    return handle
