"""What was derived for resources lately, by all that it depends on."""

from collections.abc import Mapping

# Type, `active`, epoch, groups and roles: `Row.derived_from`.
Source = tuple[str, int | None, int, str | None, str | None]
Texts = dict[Source, str]

# How many characters of derived texts a process keeps, and what an entry costs beside its own.
MOST, ENTRY = 4_000_000, 500


class Memo:
    """Derived texts: of two people in the same groups with the same roles the same is derived, until the epoch moves.

    A process keeps one for all its requests. `committed` is the epoch that was read last of what is committed.
    """

    def __init__(self) -> None:
        self.committed = -1
        self._texts: dict[tuple[str, str], Texts] = {}
        self._size = 0

    def of(self, base: str, roles_as: str) -> Texts:
        """Return what is known for callers with a base URL and a shape of roles."""
        found = self._texts.get((base, roles_as))
        if found is None:
            found = self._texts[base, roles_as] = {}
            self._size += ENTRY
        return found

    def keep(self, known: Texts, found: Mapping[Source, str]) -> None:
        """Keep texts beside those known to the same callers; where there are too many, all go first."""
        # An epoch that a write has moved to may never be committed: another write could move to the same.
        kept = {source: text for source, text in found.items() if source[2] == self.committed}
        size = sum(len(text) + ENTRY for text in kept.values())
        if self._size + size > MOST:
            self._texts, self._size = {}, 0
        else:
            known.update(kept)
            self._size += size
