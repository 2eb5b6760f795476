"""Instants as clients write them, and as they are stored: as text that sorts by time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.datetimes import normalise_instant, stored, to_json


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-11-24T09:30:00Z", "2026-11-24T09:30:00"),
        ("2026-11-24t09:30:00z", "2026-11-24T09:30:00"),
        ("2026-11-24T09:30:00", "2026-11-24T09:30:00"),
        ("2026-11-24T09:30:00.1200Z", "2026-11-24T09:30:00.12"),
        ("2026-11-24T00:30:00.5+01:00", "2026-11-23T23:30:00.5"),
        ("2026-11-24T09:30:00.123456789123-00:30", "2026-11-24T10:00:00.123456789123"),
    ],
)
def test_an_instant_is_read_in_any_form(text: str, found: str) -> None:
    assert normalise_instant(text) == found


@pytest.mark.parametrize(
    "text",
    ["", "2026-11-24", "2026-13-24T09:30:00Z", "2026-11-24T09:30:00+24:00", "0001-01-01T00:00:00+01:00", "24 Nov 2026"],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        normalise_instant(text)


moments = st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(moments, moments, offsets)
def test_stored_text_sorts_by_time(one: datetime, other: datetime, offset: timezone) -> None:
    texts = [normalise_instant(moment.replace(tzinfo=offset).isoformat()) for moment in (one, other)]
    assert (texts[0] < texts[1]) == (one < other)


@given(moments)
def test_json_has_the_stored_milliseconds(moment: datetime) -> None:
    kept = stored(moment.replace(tzinfo=UTC))
    assert normalise_instant(to_json(kept)) == kept
    assert len(to_json(kept)) == len("2026-11-24T09:30:00.000Z")
