"""`flask deliver`: the process that pushes events to webhooks."""

import os
import signal
from typing import Any

import click

from scim.cli.common import Command, command, echo
from scim.events.worker import DeliveryWorker, take_turn
from scim.web.requests import issuer, perch


@click.command("deliver", cls=Command)
@click.option("--once", is_flag=True, help="Deliver the waiting events and exit.")
@click.option("--interval", type=click.FloatRange(0.01, 60), default=0.25, show_default=True, metavar="SECONDS",
              help="Time between two looks for new events.")  # fmt: skip
@click.option("--with-parent", is_flag=True, help="Exit when the parent process exits.")
@command
def deliver(once: bool, interval: float, with_parent: bool) -> None:
    """Push events to webhooks until stopped; a second `flask deliver` waits until the first has exited."""
    deployment, parent = perch(), os.getppid()
    deployment.open()
    worker = DeliveryWorker(deployment.repository, deployment.settings, issuer(), interval)

    def stop(*_: Any) -> None:
        worker.stopping.set()

    def alive() -> bool:
        return not worker.stopping.is_set() and (not with_parent or os.getppid() == parent)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if take_turn(deployment.database, (lambda: False) if once else alive) is None:
        if once:
            raise click.ClickException("Another `flask deliver` uses this database; stop it first.")
        return
    echo("Delivering events to webhooks.", err=True)
    if once:
        worker.run_once()
    else:
        worker.run(alive)
