"""The schema of the file as append-only migrations: each runs once, in order, whoever starts first."""

from storage.migrations.second import BLOCK_SHIFT, WIDE_BLOCK_SHIFT, perch

__all__ = ["BLOCK_SHIFT", "WIDE_BLOCK_SHIFT", "perch"]
