"""The soak finds what grows and what fails; the long variant runs it for a minute."""

from pathlib import Path

import pytest

from tests.bench.soak import Sample, errors, figures, soak
from tests.support.drills import RecordDrill

STEADY = Sample(100.0, 60, 4.0)


@pytest.mark.parametrize(
    ("last", "grown"),
    [
        (STEADY, []),
        (Sample(109.0, 65, 4.3), []),
        (Sample(112.0, 60, 4.0), ["memory, MiB"]),
        (Sample(100.0, 67, 4.0), ["open files"]),
        (Sample(100.0, 60, 4.5), ["log file, MiB"]),
        (Sample(50.0, 30, 0.0), []),
    ],
)
def test_the_most_of_the_rest_counts(last: Sample, grown: list[str]) -> None:
    found = figures([STEADY] * 10 + [last] + [STEADY] * 19, 1 / 3)
    assert [figure.name for figure in found if figure.grew] == grown


def test_what_grew_during_the_first_part_is_no_growth() -> None:
    rising = [Sample(10.0 * number, number, number) for number in range(1, 11)]
    assert not [figure for figure in figures(rising + [rising[-1]] * 20, 1 / 3) if figure.grew]


@pytest.mark.parametrize(
    ("line", "is_error"),
    [
        ('{"time":"t","level":"error","message":"request","status":500}', True),
        ('{"time": "t", "level": "critical", "message": "WORKER TIMEOUT (pid:7)"}', True),
        ("Traceback (most recent call last):", True),
        ('{"time":"t","level":"info","message":"request","status":200}', False),
        ('{"time":"t","level":"warning","message":"not ready: an error"}', False),
    ],
)
def test_errors_in_the_log_are_found(line: str, is_error: bool) -> None:
    assert errors(f"first\n{line}\n") == ([line] if is_error else [])


@pytest.mark.long
def test_a_minute_of_mixed_load(tmp_path: Path, drill: RecordDrill) -> None:
    found, logged, measured = soak(tmp_path, 60)
    assert not logged
    assert not [str(figure) for figure in found if figure.grew]
    assert measured.rate > 10
    drill("a minute of mixed load", 0, 0, 60)
