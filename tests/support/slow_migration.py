"""Perch with one more migration, which takes SLOW_MIGRATION seconds: `gunicorn tests.support.slow_migration:app`."""

import os
import time

from storage.migrations import MIGRATIONS

NAME = "m999_slow"


@MIGRATIONS(name=NAME)
def slow(db: object) -> None:
    """Take as long as a large table would."""
    time.sleep(float(os.environ["SLOW_MIGRATION"]))


from app import app  # noqa: E402  the migration must be known before a database is opened

__all__ = ["app"]
