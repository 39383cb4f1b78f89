from __future__ import annotations

import pytest

from studio_core.jobs.pace import Pace


def paced(*steps: tuple[float, int]) -> Pace:
    times = iter(time for time, _ in steps)
    pace = Pace(lambda: next(times))
    for _, done in steps:
        pace.step(done)
    return pace


@pytest.mark.parametrize(
    "steps",
    [(), ((0, 0),), ((0, 0), (0.1, 5)), ((0, 3), (9, 3))],
    ids=["none", "one", "soon", "still"],
)
def test_nothing_is_guessed(steps: tuple[tuple[float, int], ...]) -> None:
    assert paced(*steps).rate is None
    assert paced(*steps).eta_seconds(10) is None


def test_what_was_resumed_does_not_count() -> None:
    pace = paced((0, 90), (2, 94))
    assert pace.rate == 2
    assert pace.eta_seconds(100) == 3


def test_only_the_latest_seconds_count() -> None:
    slow = [(float(t), t) for t in range(0, 100)]
    fast = [(100 + t / 10, 100 + t) for t in range(0, 400)]
    assert paced(*slow, *fast).rate == pytest.approx(10, rel=0.02)
    assert paced(*slow, *fast).eta_seconds(10) == 0
