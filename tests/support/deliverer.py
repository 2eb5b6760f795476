"""The lock of a running `flask deliver`, held by the test itself."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask

from scim.events.worker import take_turn


@contextmanager
def delivering(app: Flask) -> Iterator[None]:
    """Look, for the block, as if a process delivered the app's events."""
    handle = take_turn(app.extensions["perch"].database.file, lambda: False)
    assert handle is not None
    try:
        yield
    finally:
        os.close(handle)
