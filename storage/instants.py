"""Instants as text that sorts as time: UTC, the fraction's trailing zeros stripped, without the final Z."""

from datetime import UTC, datetime, timedelta


def now(offset: timedelta = timedelta(0)) -> str:
    """Return the present instant, moved by `offset`, as stored text."""
    return stored(datetime.now(UTC) + offset)


def stored(moment: datetime) -> str:
    """Return an instant in UTC as stored text, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00").rstrip("0").rstrip(".")


def from_seconds(seconds: float) -> str:
    """Return seconds since 1970 as stored text."""
    return stored(datetime.fromtimestamp(seconds, UTC))


def to_json(stored: str) -> str:
    """Return stored text as xsd:dateTime with milliseconds (RFC 7643 section 2.3.5)."""
    if len(stored) == len("2026-11-24T09:32:00.123"):
        return stored + "Z"
    return (stored if "." in stored else stored + ".").ljust(23, "0") + "Z"
