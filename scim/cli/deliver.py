"""`flask deliver`: the process that pushes events to webhooks."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import click

from scim.cli.common import Command, command_without_database
from scim.events.worker import DeliveryWorker, take_turn
from scim.observability import logs
from scim.web.requests import issuer, perch
from storage.database import Database
from storage.errors import NotReady

# Seconds between two looks for the database, and between two notices that it is not there yet.
LOOK, NOTICE = 0.5, 10.0
log = logging.getLogger("perch")


@click.command("deliver", cls=Command)
@click.option("--once", is_flag=True, help="Deliver the waiting events and exit.")
@click.option("--interval", type=click.FloatRange(0.01, 60), default=0.25, show_default=True, metavar="SECONDS",
              help="Time between two looks for new events.")  # fmt: skip
@click.option("--with-parent", is_flag=True, help="Exit when the parent process exits.")
@command_without_database
def deliver(once: bool, interval: float, with_parent: bool) -> None:
    """Push events to webhooks until stopped; a second `flask deliver` waits until the first has exited.

    It waits for the server to create and migrate the database; with --once it fails instead.
    """
    deployment, parent, stopping = perch(), os.getppid(), threading.Event()
    settings = deployment.settings

    def stop(*_: Any) -> None:
        stopping.set()

    def alive() -> bool:
        return not stopping.is_set() and (not with_parent or os.getppid() == parent)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if once:
        deployment.database.open(may_create=False, may_migrate=False)
    else:
        logs.start(settings["PERCH_LOG_LEVEL"], settings["PERCH_LOG_FORMAT"], settings["PERCH_LOG_PERSONAL"])
        if not _opened(deployment.database, alive):
            return
    worker = DeliveryWorker(deployment.repository, settings, issuer(), interval, stopping)
    if take_turn(deployment.database, (lambda: False) if once else alive) is None:
        if once:
            raise click.ClickException("Another `flask deliver` uses this database; stop it first.")
        return
    if once:
        worker.run_once()
    else:
        log.info("Delivering events to webhooks.")
        worker.run(alive)


def _opened(database: Database, alive: Callable[[], bool]) -> bool:
    """Open the database once another process has created and migrated it; return False when `alive` does so first."""
    begun, notice = time.monotonic(), 0.0
    while alive():
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
