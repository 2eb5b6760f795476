"""Instants as text that sorts as time: UTC, the fraction's trailing zeros stripped, without the final Z."""

from datetime import UTC, datetime, timedelta


def now(offset: timedelta = timedelta(0)) -> str:
    """Return the present instant, moved by `offset`, as stored text with milliseconds."""
    text = (datetime.now(UTC) + offset).isoformat(timespec="milliseconds")[:-6]
    return text.rstrip("0").rstrip(".") if "." in text else text


def to_json(stored: str) -> str:
    """Return stored text as xsd:dateTime with milliseconds (RFC 7643 section 2.3.5)."""
    return (stored if "." in stored else stored + ".").ljust(23, "0") + "Z"
