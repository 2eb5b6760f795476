"""`flask deliver`: the process that pushes events to webhooks."""

import logging
import os
import signal
import threading
import time

import click

from scim.cli.common import Command, command_without_database
from scim.events.supervisor import become_child
from scim.events.worker import DeliveryWorker, take_turn
from scim.observability import logs
from scim.web.events import webhook_service
from scim.web.requests import perch
from storage.database import Database
from storage.errors import NotReady
from storage.journal import Author

# Seconds between two looks for the database and between two notices that it is not there yet; for the lock with --once.
LOOK, NOTICE, MOMENT = 0.5, 10.0, 1.0
log = logging.getLogger("perch")


@click.command("deliver", cls=Command)
@click.option("--once", is_flag=True, help="Deliver the waiting events and exit.")
@click.option("--interval", type=click.FloatRange(0.01, 60), default=0.25, show_default=True, metavar="SECONDS",
              help="Time between two looks for new events.")  # fmt: skip
@click.option("--with-parent", is_flag=True, help="Exit when the parent process exits.")
@command_without_database
def deliver(once: bool, interval: float, with_parent: bool) -> None:
    """Push events to webhooks until stopped. A second `flask deliver` waits until the first has exited.

    A child process delivers, and is started again when it dies. It waits for the server to create and migrate the
    database; with --once there is no child, and the command fails instead of waiting.
    """
    deployment, parent, stopping = perch(), os.getppid(), threading.Event()
    settings, database = deployment.settings, deployment.database
    database.primary_only()

    def alive() -> bool:
        return not stopping.is_set() and (not with_parent or os.getppid() == parent)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if once:
        database.open(may_create=False, may_migrate=False)
        # A look for a running deliverer may hold the lock for a moment.
        end = time.monotonic() + MOMENT
        if take_turn(database.file, lambda: time.monotonic() < end) is None:
            raise click.ClickException("Another `flask deliver` uses this database; stop it first.")
        _worker(interval, stopping).run_once()
        return
    logs.start(settings["PERCH_LOG_LEVEL"], settings["PERCH_LOG_FORMAT"], settings["PERCH_LOG_PERSONAL"])
    if become_child(alive, stopping) and _opened(database, stopping):
        worker = _worker(interval, stopping)
        if take_turn(database.file, worker.going) is not None:
            log.info("Delivering events to webhooks.")
            worker.run()


def _worker(interval: float, stopping: threading.Event) -> DeliveryWorker:
    return DeliveryWorker(webhook_service(Author("delivery", "")), interval, stopping)


def _opened(database: Database, stopping: threading.Event) -> bool:
    """Open the database once another process has created and migrated it; return False when it is to stop first."""
    begun, notice = time.monotonic(), 0.0
    while not stopping.is_set():
        try:
            database.open(may_create=False, may_migrate=False, wait=LOOK)
        except NotReady as error:
            waited = time.monotonic() - begun
            if waited >= notice:
                log.warning("Waiting for the database, %.0f s so far: %s", waited, error.detail)
                notice += NOTICE
        else:
            return True
        time.sleep(LOOK)
    return False
