"""The points of a sweep (a layer at a sparsity), gathered over passes, and when one is settled.

A pass runs some more of the samples. The values of each sample are kept, so that mean and
standard error after the last pass are, to the last bit, those of a single pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from studio_core.errors import InvalidRequestError
from studio_core.evaluation.metrics import PerSample

Point = tuple[str, float]
"""Name of the weight, and sparsity."""

_LEAST_SAMPLES = 8
_TRUST_ZERO = 32
_GROWTH = 4


@dataclass(frozen=True)
class Measurement:
    """One layer at one sparsity: the mean degradation over the samples, positive = worse.

    ``standard_error`` is that of the mean, from the differences sample by sample; None
    for a single sample. ``num_samples`` is how many this point has seen.
    """

    layer_id: str
    sparsity: float
    value: float
    standard_error: float | None
    num_samples: int


@dataclass(frozen=True)
class StopRule:
    """When the standard error of a point is small enough for it to see no more samples.

    ``tolerance`` is in the units of the metric or, where ``is_relative``, a share of what
    matters: the loss of the point itself or, for smaller ones, the median loss of all layers
    at the coarse level, since a plan weighs layers against each other.
    """

    tolerance: float
    is_relative: bool = False

    @classmethod
    def of(cls, given: float | str | StopRule | None) -> StopRule | None:
        """The rule that ``0.001`` (units of the metric) or ``"5%"`` (relative) means."""
        if given is None or isinstance(given, StopRule):
            return given
        text = str(given).strip()
        try:
            value = float(text.removesuffix("%"))
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value <= 0 or isinstance(given, bool):
            raise InvalidRequestError(
                f"A sweep cannot stop at the standard error '{given}'. Give a number above 0 in "
                "the units of the metric, such as 0.001, or a share, such as 5%."
            )
        is_relative = text.endswith("%")
        return cls(value / 100 if is_relative else value, is_relative)

    def __str__(self) -> str:
        return f"{100 * self.tolerance:g}%" if self.is_relative else f"{self.tolerance:g}"

    def is_met(self, found: Measurement, scale: float | None) -> bool:
        """Whether ``found`` is precise enough; ``scale`` is the loss that matters, if known.

        The standard error of few samples is itself uncertain: it is widened by Student's t
        (Cornish-Fisher, Abramowitz & Stegun 26.7.5), and one of exactly 0 (as accuracy
        has where all samples agree) is not believed of few.
        """
        count, error = found.num_samples, found.standard_error
        if error is None or count < _LEAST_SAMPLES or (error == 0 and count < _TRUST_ZERO):
            return False
        if not self.is_relative:
            return error * _student(count - 1) <= self.tolerance
        if scale is None:
            return False
        return error * _student(count - 1) <= self.tolerance * max(abs(found.value), abs(scale))


def _student(freedom: int) -> float:
    """The 97.5 % point of Student's t over that of the normal distribution."""
    return 1.0 + 1.21 / freedom + 1.44 / freedom**2


def checkpoints(
    passes: Sequence[int] | None, sizes: Sequence[int], *, stops: bool = False
) -> tuple[int, ...]:
    """How many batches are run after each pass; ``sizes`` are the samples of each batch.

    ``passes`` counts samples, rounded up to whole batches: those of the plain sweep, since
    in other batches the last bits may differ. Without any, there is one pass, or, where
    points may stop, one for each fourfold number. The last pass always takes all.
    """
    seen = np.cumsum(sizes)
    total = int(seen[-1])
    if passes is None:
        passes = [_GROWTH**i for i in range(total.bit_length())] if stops else []
    if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in passes):
        raise InvalidRequestError("Passes are numbers of samples: whole numbers from 1 up.")
    ends = {int(np.searchsorted(seen, n)) + 1 for n in passes if n < total}
    return tuple(sorted(ends | {len(sizes)}))


class Points:
    """What is known of each point, by sample; ``num_batches`` says how far each one is."""

    def __init__(self, earlier: Iterable[tuple[Point, Measurement]] = ()) -> None:
        self._earlier = dict(earlier)
        self._values: dict[Point, PerSample] = {}
        self.num_batches: dict[Point, int] = {}

    def add(self, point: Point, end: int, values: PerSample) -> None:
        """Add the values of the batches up to ``end``, which follow those there are."""
        before = self._values.get(point)
        self._values[point] = values if before is None else np.concatenate([before, values])
        self.num_batches[point] = end

    def measurement(self, point: Point, layer_id: str) -> Measurement:
        """The point as a layer has it, by the samples of this sweep."""
        values = self._values[point]
        count = values.size
        error = float(values.std(ddof=1) / math.sqrt(count)) if count > 1 else None
        return Measurement(layer_id, point[1], float(values.mean()), error, count)

    def best(self, point: Point) -> Measurement | None:
        """By most samples: of this sweep, or of the one that it continues."""
        before = self._earlier.get(point)
        if point not in self._values:
            return before
        now = self.measurement(point, "")
        return now if before is None or now.num_samples >= before.num_samples else before


def median_loss(losses: Mapping[str, float]) -> float | None:
    """The loss that matters: the median over the layers; None where nothing is known."""
    return float(np.median(list(losses.values()))) if losses else None
