"""The progress of long commands: click's progress bar on standard error, nothing where that is no terminal."""

import itertools
import sys
from contextlib import ExitStack
from types import TracebackType

import click


class Progress:
    """A progress bar for each step of a command; a context that ends the last one."""

    def __init__(self) -> None:
        """Show nothing yet."""
        self._bars = ExitStack()
        self._step = ""
        self._done = 0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bars.close()

    def __call__(self, step: str, done: int, total: int) -> None:
        """Show that `done` of `total` units of a step are done; a step without a total shows that it goes on."""
        if not sys.stderr.isatty():
            return
        if step != self._step:
            self._bars.close()
            # click takes an endless iterable for a bar without a known end.
            endless = None if total else itertools.count()
            bar = click.progressbar(endless, length=total or None, label=step, file=sys.stderr)
            self._bar = self._bars.enter_context(bar)
            self._step, self._done = step, 0
        self._bar.update(done - self._done if total else 1)
        self._done = done

    def go_on(self) -> None:
        """Show that the present step, which has no total, goes on."""
        if self._step:
            self(self._step, 0, 0)
