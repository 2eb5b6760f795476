"""The quirk report: the deviations that each key sends, how often, and the rule of the RFC that each bends."""

from typing import NamedTuple

from schemas.tolerances import Tolerance
from storage import keys, quirks
from storage.database import Connection
from storage.quirks import Quirk


class KeyReport(NamedTuple):
    """The quirks of one key, the most frequent first: tolerances that it needed, attributes that Perch ignored."""

    key: str
    name: str
    strict: bool
    tolerances: list[Quirk]
    ignored: list[Quirk]


def report(connection: Connection, key: str | None = None) -> list[KeyReport]:
    """Return the report of one key, or of all keys with quirks.

    :raises NotFound: when no key has that id.
    """
    known = [keys.get(connection, key)] if key is not None else keys.list_all(connection)
    found = quirks.report(connection, key)
    reports = []
    for one in known:
        own = [quirk for quirk in found if quirk.key == one.id]
        lists = [[quirk for quirk in own if quirk.kind == kind] for kind in ("tolerance", "ignored")]
        if own or key is not None:
            reports.append(KeyReport(one.id, one.name, bool(one.strict), *lists))
    return reports


def meaning(name: str) -> str:
    """Return the description of a tolerance with the section of its RFC; its name when this version has none."""
    return Tolerance[name].value if name in Tolerance.__members__ else name
