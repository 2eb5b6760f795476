"""Collects the tolerances that a piece of code needs, as a request does."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas import tolerances
from schemas.tolerances import UsedTolerances


@contextmanager
def collect(strict: bool = False) -> Iterator[UsedTolerances]:
    """Collect the tolerances and ignored attributes of the block."""
    used, token = tolerances.start(strict)
    try:
        yield used
    finally:
        tolerances.stop(token)
