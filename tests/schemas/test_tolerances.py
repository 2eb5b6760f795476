"""Tolerances and ignored attributes are noted for a request, within bounds; a strict key is refused."""

import pytest

from schemas.tolerances import REFUSALS, Tolerance, ignore, note
from tests.support.tolerances import collect


def test_ignored_attributes_of_a_request_are_bounded() -> None:
    with collect() as used:
        for number in range(1000):
            ignore(f"{number}" + "x" * 1000)
    assert len(used.ignored) == 100
    assert max(map(len, used.ignored)) == 200


def test_nothing_is_refused_without_a_collector() -> None:
    note(Tolerance.TEXT_BOOLEAN, "x")
    ignore("x")


@pytest.mark.parametrize("tolerance", Tolerance)
def test_every_refusal_names_its_section(tolerance: Tolerance) -> None:
    refusal = REFUSALS.get(tolerance)
    with collect(strict=True), pytest.raises(refusal or Exception, match=r"\(RFC 76\d\d section \d"):
        note(tolerance, "example")
