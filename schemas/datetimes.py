"""Instants: xsd:dateTime text (RFC 7643 section 2.3.5) and stored text, which sorts in the order of time."""

import re
from datetime import UTC, datetime, timedelta

_FORM = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


def normalise_instant(text: str) -> str:
    """Return an instant as stored text: UTC, without Z and without trailing zeros (RFC 7643 section 2.3.5).

    All digits of the fraction count; text without an offset is UTC.

    :raises ValueError: when the text is not an xsd:dateTime of the years 1 to 9999.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError("not a date and time such as 2026-11-24T09:30:00Z")
    day, clock, fraction, offset = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}") - _offset(offset)
    except OverflowError:
        raise ValueError("outside of the years 1 to 9999") from None
    digits = (fraction or "").rstrip("0")
    return moment.isoformat() + (f".{digits}" if digits else "")


def _offset(text: str | None) -> timedelta:
    if text is None or text in "Zz":
        return timedelta(0)
    hours, minutes = int(text[1:3]), int(text[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(f"{text} is not an offset from UTC")
    size = timedelta(hours=hours, minutes=minutes)
    return size if text[0] == "+" else -size


def now(offset: timedelta = timedelta(0)) -> str:
    """Return the current time plus `offset` as stored text."""
    return stored(datetime.now(UTC) + offset)


def stored(moment: datetime) -> str:
    """Return a time in UTC as stored text, to the millisecond."""
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00").rstrip("0").rstrip(".")


def typed(text: str) -> str:
    """Return an instant in ISO 8601 that somebody typed, also a day, as stored text; without an offset it is UTC.

    :raises ValueError: when it is none.
    """
    moment = datetime.fromisoformat(text)
    return stored((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC))


def in_words(stored: str) -> str:
    """Return an instant for a sentence, to the minute."""
    return f"{stored[:10]} at {stored[11:16]} UTC"


def from_seconds(seconds: float) -> str:
    """Return seconds since 1970 as stored text."""
    return stored(datetime.fromtimestamp(seconds, UTC))


def to_seconds(stored: str) -> float:
    """Return stored text as seconds since 1970."""
    return datetime.fromisoformat(stored).replace(tzinfo=UTC).timestamp()


def to_json(stored: str) -> str:
    """Return stored text as xsd:dateTime with milliseconds (RFC 7643 section 2.3.5)."""
    if len(stored) == len("2026-11-24T09:32:00.123"):
        return stored + "Z"
    return (stored if "." in stored else stored + ".").ljust(23, "0") + "Z"
