"""Sets of sequence numbers in a condition: a few are bound one by one, more as one JSON array."""

import json
from collections.abc import Sequence

FEW = 4


def among(seqs: Sequence[int]) -> tuple[str, tuple[int | str, ...]]:
    """Return what stands after IN, and the values bound in it.

    Bound one by one, a few cost half as much; SQLite sorts nothing then. But each count makes a statement of its own.
    """
    if len(seqs) <= FEW:
        return f"({', '.join('?' * len(seqs))})", tuple(seqs)
    return "(SELECT value FROM json_each(?))", (json.dumps(seqs),)
