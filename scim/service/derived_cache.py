"""What was derived for resources lately, by all that it depends on."""

from collections.abc import Mapping

from storage.resources import Source

Texts = dict[Source, str]

# How many characters of derived texts and of what they depend on a process keeps; what an entry costs besides.
MOST, ENTRY = 4_000_000, 500


class Memo:
    """Derived texts: of two people in the same groups with the same roles the same is derived, until the epoch moves.

    A process keeps one for all its requests.
    """

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], Texts] = {}
        self._size = 0

    def of(self, base: str, roles_as: str) -> Texts:
        """Return what is known for callers with a base URL and a shape of roles."""
        found = self._texts.get((base, roles_as))
        if found is None:
            self._make_room(ENTRY)
            found = self._texts[base, roles_as] = {}
        return found

    def keep(self, known: Texts, found: Mapping[Source, str], committed: int) -> None:
        """Keep texts beside those known to the same callers, if they were derived in the epoch that is `committed`.

        An epoch that a write has moved to may never be: another write could move to the same.
        """
        kept = {source: text for source, text in found.items() if source[2] == committed}
        self._make_room(sum(_size(source, text) for source, text in kept.items()))
        known.update(kept)

    def _make_room(self, size: int) -> None:
        """Forget all where there would be too much."""
        self._size += size
        if self._size > MOST:
            self._size = size
            for texts in self._texts.values():
                texts.clear()
            self._texts = {}


def _size(source: Source, text: str) -> int:
    return ENTRY + len(text) + len(source[3] or "") + len(source[4] or "")
