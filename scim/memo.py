"""What was derived for resources lately, by all that it depends on."""

# The epoch, the base URL, the shape of roles; the resource's type, `active`, groups and roles.
Key = tuple[int, str, str, str, int | None, str | None, str | None]

# How many characters of derived texts a process keeps, and what an entry costs beside its own.
MOST, ENTRY = 4_000_000, 500


class Memo:
    """Derived texts: of two people in the same groups with the same roles the same is derived, until the epoch moves.

    A process keeps one for all its requests. `committed` is the epoch that was read last outside of a write.
    """

    def __init__(self) -> None:
        self.committed = -1
        self._texts: dict[Key, str] = {}
        self._size = 0

    def get(self, key: Key) -> str | None:
        """Return a text, or None when it is not known."""
        return self._texts.get(key)

    def keep(self, key: Key, text: str) -> None:
        """Keep a text; where there are too many, all the others go."""
        # An epoch that a write has moved to may never be committed: another write could move to the same.
        if key[0] != self.committed:
            return
        self._size += len(text) + ENTRY
        if self._size > MOST:
            self._texts, self._size = {}, len(text) + ENTRY
        self._texts[key] = text
