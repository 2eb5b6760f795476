"""In-process cache of derived parts as JSON text, keyed by everything that they depend on."""

from collections.abc import Mapping

from storage.resources import Source

Texts = dict[Source, str]

# The most characters of keys and texts that a process caches, and the overhead of an entry, counted in characters.
MOST, ENTRY = 4_000_000, 500


class DerivedCache:
    """Derived parts by base URL, shape of roles and source; users with the same groups and roles share an entry.

    A source includes the epoch, so an outdated entry is never found. A process has one cache for all requests.
    """

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], Texts] = {}
        self._size = 0

    def of(self, base: str, roles_as: str) -> Texts:
        """Return the texts that are cached for callers with a base URL and a shape of roles."""
        found = self._texts.get((base, roles_as))
        if found is None:
            self._make_room(ENTRY)
            found = self._texts[base, roles_as] = {}
        return found

    def keep(self, known: Texts, found: Mapping[Source, str], committed: int) -> None:
        """Add texts to those that `of` returned, if they were derived in the epoch that is `committed`.

        The epoch of a transaction that is rolled back is used again, with other roles and memberships.
        """
        kept = {source: text for source, text in found.items() if source[2] == committed}
        self._make_room(
            sum(ENTRY + len(text) + len(source[3] or "") + len(source[4] or "") for source, text in kept.items())
        )
        known.update(kept)

    def _make_room(self, size: int) -> None:
        """Empty the cache if it would get too large."""
        self._size += size
        if self._size > MOST:
            self._size = size
            self._texts = {}
