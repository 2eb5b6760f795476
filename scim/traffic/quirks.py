"""The quirk report in words: which deviations each key sends, how often, and what the RFC says of them."""

from dataclasses import dataclass

from schemas.tolerances import Tolerance
from storage import keys, quirks
from storage.database import Connection
from storage.quirks import Quirk


@dataclass(frozen=True, slots=True)
class KeyReport:
    """What one key sends: the tolerances it needed and the attributes that Perch ignored, the most frequent first."""

    key: str
    name: str
    strict: bool
    tolerances: list[Quirk]
    ignored: list[Quirk]


def report(connection: Connection, key: str | None = None) -> list[KeyReport]:
    """Return the report of one key, or of all that have quirks.

    :raises NotFound: when there is no key of that id.
    """
    known = {held.id: held for held in ([keys.get(connection, key)] if key is not None else keys.list_all(connection))}
    found = quirks.report(connection, key)
    return [
        KeyReport(
            one.id,
            one.name,
            bool(one.strict),
            [quirk for quirk in found if quirk.key == one.id and quirk.kind == "tolerance"],
            [quirk for quirk in found if quirk.key == one.id and quirk.kind == "ignored"],
        )
        for one in known.values()
        if key is not None or any(quirk.key == one.id for quirk in found)
    ]


def meaning(name: str) -> str:
    """Return what a tolerance is and which section of the RFC it bends; its name when this Perch lacks it."""
    return Tolerance[name].value if name in Tolerance.__members__ else name
