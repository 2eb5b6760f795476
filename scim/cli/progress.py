"""The progress of long commands: click's progress bar on standard error, nothing where that is no terminal."""

import itertools
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import click

from scim.cli.common import author
from scim.web.requests import perch
from storage.repository import Transaction


class Progress(ExitStack):
    """A progress bar for each step of a command; a context that ends the last one."""

    def __init__(self) -> None:
        super().__init__()
        self._step = ""
        self._done = 0

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of a step are done; a step without a total shows that it goes on."""
        if not sys.stderr.isatty():
            return
        if step != self._step:
            self.close()
            # click takes an endless iterable for a bar without a known end.
            endless = None if total else itertools.count()
            bar = click.progressbar(endless, length=total or None, label=step, file=sys.stderr)
            self._bar = self.enter_context(bar)
            self._step, self._done = step, 0
        self._bar.update(done - self._done if total else 1)
        self._done = done

    def go_on(self) -> None:
        """Show that the present step, which has no total, goes on."""
        if self._step:
            self(self._step, 0, 0)


@contextmanager
def long_write(step: str) -> Iterator[Transaction]:
    """Begin a transaction of the command's user that may take long, and show that it goes on."""
    with Progress() as progress, perch().database.stepping(progress.go_on):
        progress(step, 0, 0)
        with perch().repository.writing(author()) as write:
            yield write
