"""`flask deliver`: the process that pushes events to webhooks."""

import os
import signal
from typing import Any

import click

from scim.cli.common import command, origin
from scim.events.worker import DeliveryWorker, take_turn
from scim.web.requests import perch


@click.command("deliver")
@click.option("--once", is_flag=True, help="Deliver what can be delivered now, and end.")
@click.option("--interval", type=click.FloatRange(0.01, 60), default=0.25, show_default=True, metavar="SECONDS",
              help="How often to look for new events.")  # fmt: skip
@click.option("--with-parent", is_flag=True, help="End when the process that started this one ends.")
@command
def deliver(once: bool, interval: float, with_parent: bool) -> None:
    """Push events to webhooks until stopped; a second one waits until the first has ended."""
    found, parent = perch(), os.getppid()
    found.open()
    worker = DeliveryWorker(found.database, found.settings, f"{origin()}/{found.workspace}", interval)

    def stop(*_: Any) -> None:
        worker.stopping.set()

    def alive() -> bool:
        return not worker.stopping.is_set() and (not with_parent or os.getppid() == parent)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if take_turn(found.database, (lambda: False) if once else alive) is None:
        if once:
            raise click.ClickException("Another `flask deliver` works on this file; stop it first.")
        return
    click.echo("Delivering events to webhooks.", err=True)
    if once:
        worker.run_once()
    else:
        worker.run(alive)
