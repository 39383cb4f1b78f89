"""Times with their spread, and when two of them may be called different."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from studio_core.sensitivity.analysis import FloatArray
from studio_core.sensitivity.sweep.trace import RESOLUTION_MS

SIGNIFICANCE = 0.01
"""Largest p-value of a named difference: eight runs that all agree are just enough."""

LEAST_GAIN = 0.05
"""Differences below are not named: two sessions of one and the same model differ by a few
percent a layer, because their weights and buffers lie elsewhere in memory."""


class Verdict(StrEnum):
    FASTER = "faster"
    SLOWER = "slower"
    SAME = "no difference seen"


@dataclass(frozen=True)
class Timing:
    """Median and quartiles of ``num_iterations`` times, in milliseconds."""

    median_ms: float
    q1_ms: float
    q3_ms: float
    num_iterations: int

    @classmethod
    def of(cls, times_ms: FloatArray) -> Timing:
        q1, median, q3 = np.percentile(times_ms, [25, 50, 75]).tolist()
        return cls(median, q1, q3, times_ms.size)

    @property
    def spread_ms(self) -> float:
        """The interquartile range."""
        return self.q3_ms - self.q1_ms


@dataclass(frozen=True)
class Comparison:
    """A time beside the baseline that was run in turns with it.

    ``gain`` is the share of the baseline's time that is saved (negative: slower), None
    where the baseline takes no measurable time. ``p_value`` is that of a sign test over the
    pairs of runs.
    """

    timing: Timing
    baseline: Timing
    gain: float | None
    p_value: float
    verdict: Verdict

    @property
    def accepted_gain(self) -> float:
        """The gain where it is beyond doubt, otherwise 0."""
        return 0.0 if self.verdict is Verdict.SAME or self.gain is None else self.gain


def compare(times_ms: FloatArray, baseline_ms: FloatArray) -> Comparison:
    """Compare runs with those of the baseline, pair by pair; arrays of shape [num_runs].

    A difference is named where the middle halves of both do not overlap, the medians differ
    by `LEAST_GAIN` and by more than the clock can tell, and the sign test agrees. On a busy
    machine the spreads grow, and only large differences are named.
    """
    timing, baseline = Timing.of(times_ms), Timing.of(baseline_ms)
    p_value = sign_test(times_ms - baseline_ms)
    if baseline.median_ms <= 0.0:
        return Comparison(timing, baseline, None, p_value, Verdict.SAME)
    gain = 1.0 - timing.median_ms / baseline.median_ms
    least_ms = max(LEAST_GAIN * baseline.median_ms, 2.0 * RESOLUTION_MS)
    is_plain = abs(timing.median_ms - baseline.median_ms) >= least_ms and p_value < SIGNIFICANCE
    verdict = Verdict.SAME
    if is_plain and timing.q3_ms < baseline.q1_ms:
        verdict = Verdict.FASTER
    elif is_plain and timing.q1_ms > baseline.q3_ms:
        verdict = Verdict.SLOWER
    return Comparison(timing, baseline, gain, p_value, verdict)


def sign_test(differences: FloatArray) -> float:
    """Two-sided p-value of the exact sign test that the median difference is 0.

    It asks nothing of the distribution, whose tail is long on a busy machine.
    """
    num_below = int(np.count_nonzero(differences < 0))
    num_above = int(np.count_nonzero(differences > 0))
    num = num_below + num_above
    tail = sum(math.comb(num, i) for i in range(min(num_below, num_above) + 1))
    return float(min(1.0, 2.0 * tail / 2**num))
